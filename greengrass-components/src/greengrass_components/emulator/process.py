"""An AWS of one's own on this machine: moto's server, with mends, as a child process.

It listens on loopback only. What it is told lies in its memory, and on request also on the
disk, so that it survives a restart (``journal``). Terraform and boto3 use it by the settings
in ``Emulator.environment``; no other code knows of it.

What moto gets wrong or lacks is mended in ``extensions``; above all, a call counts as
made over TLS although it is plain HTTP, because it never leaves this machine.

``python -m greengrass_components.emulator`` is the child; ``start_emulator`` starts it.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import msgspec

from edge_runtime.storage import translating_storage_errors
from greengrass_components.errors import EmulatorError

__all__ = ["Document", "Emulator", "find_emulator", "start_emulator"]

logger = logging.getLogger(__name__)

REGION = "eu-central-1"
"""The region that the emulator's settings name."""

HOST = "127.0.0.1"
IDENTITY_PATH = "/edgewise/emulator"
_DOCUMENT = "emulator.json"
_LOG = "emulator.log"
_STATE = "state"
_STOP_SECONDS = 10.0


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a running emulator writes down for others to find it."""

    endpoint: str
    pid: int
    keeps: bool


class Emulator:
    """A running emulator. As a context manager it is stopped at the end."""

    def __init__(
        self,
        document: Document,
        *,
        folder: Path,
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.endpoint = document.endpoint
        """URL that answers for every AWS service."""
        self.pid = document.pid
        """Process id of the server."""
        self.keeps_state = document.keeps
        """Whether it survives a restart."""
        self._folder = folder
        self._process = process

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which AWS tools use this emulator and no real account."""
        return {
            "AWS_ACCESS_KEY_ID": "emulator",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.endpoint,
            # It answers 500 to what it does not know: a second try would get the same.
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_REGION": REGION,
            "AWS_SECRET_ACCESS_KEY": "emulator",
        }

    def stop(self) -> None:
        """Stop the server; nothing happens if it has gone already.

        What it holds is forgotten, unless it keeps its state.

        Raises:
            EmulatorError: it is still there after ten seconds.
        """
        # A number alone may belong to another process by now: ask who answers.
        if _pid_at(self.endpoint) == self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        elif self._process is not None:
            self._process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        while not self._is_gone():
            if time.monotonic() > deadline:
                raise EmulatorError(
                    f"the AWS emulator (process {self.pid}) does not stop; end it with "
                    f"kill -9 {self.pid}",
                    pid=self.pid,
                )
            time.sleep(0.02)
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        (self._folder / _DOCUMENT).unlink(missing_ok=True)

    def _is_gone(self) -> bool:
        if self._process is not None:
            return self._process.poll() is not None
        return _pid_at(self.endpoint) != self.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def start_emulator(
    folder: Path,
    *,
    port: int = 0,
    keep_running: bool = False,
    keep_state: bool = False,
    timeout_s: float = 60.0,
) -> Emulator:
    """Start an emulator, or find the one that already runs for this folder.

    Args:
        folder: where its log and its address are written.
        port: TCP port on loopback; 0 takes a free one.
        keep_running: whether it outlives this process. Otherwise it ends with it, however
            this process ends.
        keep_state: whether it writes down what it is told, and begins with what was written
            down before.
        timeout_s: seconds to wait until it answers.

    Raises:
        EmulatorError: it ended at once, does not answer in time, or one runs already that does
            not keep its state.
        StorageError: the folder cannot be written.
    """
    running = find_emulator(folder)
    if running is not None:
        if keep_state and not running.keeps_state:
            raise EmulatorError(
                "the AWS emulator that runs does not keep its state; stop it first with cloud.stop",
                pid=running.pid,
            )
        return running
    document = folder / _DOCUMENT
    argv = [sys.executable, "-P", "-m", "greengrass_components.emulator"]
    argv += ["--document", str(document), "--port", str(port)]
    if not keep_running:
        argv.append("--end-with-stdin")
    if keep_state:
        argv += ["--state", str(folder / _STATE)]
    with translating_storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        document.unlink(missing_ok=True)
        with (folder / _LOG).open("wb") as log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL if keep_running else subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
            )
    deadline = time.monotonic() + timeout_s
    while True:
        found = _read_document(document)
        if found is not None and _pid_at(found.endpoint) == process.pid:
            return Emulator(found, folder=folder, process=process)
        if process.poll() is not None or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    what = f"does not answer after {timeout_s:g} s" if process.poll() is None else "ended at once"
    process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
    raise EmulatorError(
        f"the AWS emulator {what}: {_last_line(folder / _LOG)}; see {folder / _LOG}",
        log=folder / _LOG,
    )


def find_emulator(folder: Path) -> Emulator | None:
    """Return the emulator that runs for a folder, or None.

    Args:
        folder: the one that was given to ``start_emulator``.
    """
    document = _read_document(folder / _DOCUMENT)
    if document is None or _pid_at(document.endpoint) != document.pid:
        return None
    return Emulator(document, folder=folder)


def _read_document(path: Path) -> Document | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Document)
    except (OSError, msgspec.DecodeError):
        return None


def _pid_at(endpoint: str) -> int | None:
    """Return the process id of the emulator at an address, None if no emulator answers."""
    address = urlsplit(endpoint)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
    try:
        connection.request("GET", IDENTITY_PATH)
        return int(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
