"""The child process of ``start_emulator``: moto's server, extended, on loopback."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from edge_runtime.errors import EdgeError
from edge_runtime.storage import canonical_json, write_atomically
from greengrass_components.emulator.calls import Application
from greengrass_components.emulator.clock import install_clock
from greengrass_components.emulator.journal import Journal
from greengrass_components.emulator.process import HOST, IDENTITY_PATH, Document

__all__ = ["main"]


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m greengrass_components.emulator")
    parser.add_argument("--document", type=Path, required=True, help="file for address and pid")
    parser.add_argument("--port", type=int, default=0, help="port on loopback; 0: a free one")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when stdin is closed")
    parser.add_argument("--state", type=Path, help="folder that keeps what it is told")
    arguments = parser.parse_args()
    # A line for every call would fill the disk in a long session.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if arguments.end_with_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        _serve(document=arguments.document, port=arguments.port, state=arguments.state)
    except EdgeError as error:
        # The parent shows the last line of the log.
        sys.stderr.write(error.message + "\n")
        sys.stderr.flush()
        # Not sys.exit: the thread that waits for the end of stdin cannot be ended.
        os._exit(1)


def _serve(*, document: Path, port: int, state: Path | None) -> None:
    """Serve for ever. The address is written down when calls are accepted."""
    if state is not None:
        # Before what makes dates is imported.
        install_clock()
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    from greengrass_components.emulator.extensions import extend_moto

    extend_moto()
    application: Application = DomainDispatcherApplication(create_backend_app)
    if state is not None:
        application = _kept(application, state)
    server = make_server(
        HOST, port, _with_identity(application), threaded=True, request_handler=MotoRequestHandler
    )
    os.environ["MOTO_PORT"] = str(server.server_port)
    found = Document(
        endpoint=f"http://{HOST}:{server.server_port}", pid=os.getpid(), keeps=state is not None
    )
    write_atomically(document, canonical_json(found))
    server.serve_forever()


def _kept(application: Application, state: Path) -> Application:
    from greengrass_components.emulator.recorder import Recorder
    from greengrass_components.emulator.remembering import remember_in

    recorder = Recorder(Journal(state))
    remember_in(recorder)
    recorder.replay(application)
    return recorder.wrap(application)


def _with_identity(application: Application) -> Application:
    """Let the server say which process it is; everything else goes to moto."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != IDENTITY_PATH:
            return application(environ, start_response)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(os.getpid()).encode()]

    return answer


def _end_with_stdin() -> None:
    # The other end is closed when the process that started this one is gone.
    sys.stdin.buffer.read()
    os._exit(0)
