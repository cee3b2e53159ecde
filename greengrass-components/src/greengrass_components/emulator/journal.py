"""What an emulator was told, written down so that a restart can be told it again.

Each call that changes something is one line of ``journal.jsonl``, written to the disk before
its answer is given: a kill loses at most the call under way. Bodies that are not short lie
beside it under their SHA-256. At a start the calls are made again, in their order, with the same
random numbers, so ids and keys come back the same. Dates are those of the restart.

What moto draws from its own source of random numbers follows from the number of the call. What
comes from elsewhere (keys, certificates) goes through ``Journal.remember``.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import random
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec

from edge_runtime.storage import write_atomically
from greengrass_components.errors import EmulatorError

__all__ = ["Application", "Journal"]

logger = logging.getLogger(__name__)

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
"""A WSGI application."""

_SCHEMA = 1
_FILE = "journal.jsonl"
_SHORT_BYTES = 4096
_RESET = "/moto-api/reset"
# Operations that only look. Whatever is not sure to be one of these is written down.
_LOOKS = re.compile(
    r"^(BatchGet|Decrypt|Describe|Encrypt|Filter|GenerateDataKey|GenerateRandom|Get|Head|List|"
    r"Lookup|Search|Sign$|Simulate|Verify|View)"
)
_OPERATION_IN_PATH = re.compile(r"/operation/(\w+)$")


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    schema_version: int
    moto: str


class _Call(msgspec.Struct, forbid_unknown_fields=True):
    number: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str
    """The content in base64, or ``sha256:`` and its name."""
    status: int
    made: list[str]
    """What was drawn from elsewhere, in base64."""


class Journal:
    """The calls of one emulator, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._number = 0
        self._made: list[bytes] = []
        self._to_come: list[bytes] | None = None

    def remember(self, produce: Callable[[], bytes]) -> bytes:
        """Return what a call drew when it was first made, or draw it now.

        Args:
            produce: draws it, such as a new private key.
        """
        if self._to_come is not None:
            return self._to_come.pop(0) if self._to_come else produce()
        made = produce()
        self._made.append(made)
        return made

    def replay(self, application: Application) -> int:
        """Make every call again.

        Args:
            application: what answers.

        Returns:
            How many there were.

        Raises:
            EmulatorError: the journal is of another moto, or damaged.
        """
        for call in self._read():
            body = self._body(call.body)
            self._to_come = [base64.b64decode(text) for text in call.made]
            status, _, _ = self._answer(application, _environ(call, body), call.number)
            self._to_come = None
            if status // 100 != call.status // 100:
                logger.warning(
                    "call %d (%s %s) was answered %d and is now answered %d",
                    call.number,
                    call.method,
                    call.path,
                    call.status,
                    status,
                )
            self._number = call.number
        return self._number

    def wrap(self, application: Application) -> Application:
        """Return an application that writes down what changes something.

        Calls are answered one after the other: random numbers belong to a call.
        """

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            body = _read_body(environ)
            with self._lock:
                if environ["PATH_INFO"] == _RESET:
                    self._forget()
                number = self._number + 1
                self._made = []
                status, answered, content = self._answer(application, environ, number)
                if _changes(environ, body) and status < 500:
                    self._write(environ, body, status)
            start_response(answered[0], answered[1])
            return [content]

        return answer

    def _answer(
        self, application: Application, environ: dict[str, Any], number: int
    ) -> tuple[int, tuple[str, list[tuple[str, str]]], bytes]:
        from moto.moto_api._internal import mock_random

        mock_random.seed(number)
        random.seed(number)
        told: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            told[:] = [status, headers]

        result = application(environ, start_response)
        try:
            content = b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        return int(told[0].split()[0]), (told[0], told[1]), content

    def _write(self, environ: dict[str, Any], body: bytes, status: int) -> None:
        self._number += 1
        call = _Call(
            number=self._number,
            method=environ["REQUEST_METHOD"],
            # As it came: WSGI has decoded the path by now.
            path=environ.get("RAW_URI", environ["PATH_INFO"]).partition("?")[0],
            query=environ.get("QUERY_STRING", ""),
            headers=_headers(environ),
            body=self._keep_body(body),
            status=status,
            made=[base64.b64encode(made).decode() for made in self._made],
        )
        self._append(msgspec.json.encode(call))

    def _append(self, line: bytes) -> None:
        path = self._folder / _FILE
        if not path.exists():
            write_atomically(path, msgspec.json.encode(_header()) + b"\n")
        with path.open("ab") as file:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _keep_body(self, body: bytes) -> str:
        if len(body) <= _SHORT_BYTES:
            return base64.b64encode(body).decode()
        name = hashlib.sha256(body).hexdigest()
        path = self._folder / "bodies" / name
        if not path.exists():
            write_atomically(path, body)
        return f"sha256:{name}"

    def _body(self, kept: str) -> bytes:
        name = kept.removeprefix("sha256:")
        if name == kept:
            return base64.b64decode(kept)
        try:
            return (self._folder / "bodies" / name).read_bytes()
        except OSError as error:
            raise self._damaged(f"body {name} is missing") from error

    def _read(self) -> Iterator[_Call]:
        path = self._folder / _FILE
        if not path.exists():
            return
        content = path.read_bytes()
        # A kill can leave a part of the last line; its call was never answered.
        whole = content.rpartition(b"\n")[0]
        if len(whole) + 1 < len(content):
            write_atomically(path, whole + b"\n")
        header, *lines = whole.split(b"\n")
        try:
            found = msgspec.json.decode(header, type=_Header)
            calls = [msgspec.json.decode(line, type=_Call) for line in lines]
        except msgspec.DecodeError as error:
            raise self._damaged(str(error)) from error
        if found != _header():
            raise EmulatorError(
                f"the state in {self._folder} was kept by moto {found.moto}, this is "
                f"{_header().moto}; delete the folder, and apply the stack again",
                folder=self._folder,
            )
        yield from calls

    def _damaged(self, reason: str) -> EmulatorError:
        return EmulatorError(
            f"the state in {self._folder} is damaged ({reason}); delete the folder, and apply "
            "the stack again",
            folder=self._folder,
        )

    def _forget(self) -> None:
        (self._folder / _FILE).unlink(missing_ok=True)
        self._number = 0


def _header() -> _Header:
    import moto

    return _Header(schema_version=_SCHEMA, moto=moto.__version__)


def _read_body(environ: dict[str, Any]) -> bytes:
    """Take the body out of a request, and put it back to be read again."""
    stream = environ["wsgi.input"]
    if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        body: bytes = stream.read()
        environ["CONTENT_LENGTH"] = str(len(body))
        del environ["HTTP_TRANSFER_ENCODING"]
    else:
        body = stream.read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    return body


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    kept = {key: value for key, value in environ.items() if key.startswith("HTTP_")}
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(key):
            kept[key] = environ[key]
    return kept


def _environ(call: _Call, body: bytes) -> dict[str, Any]:
    """Return a request as a WSGI server would hand it on."""
    from urllib.parse import unquote

    address = f"{call.path}?{call.query}" if call.query else call.path
    host, _, port = call.headers.get("HTTP_HOST", "127.0.0.1:80").partition(":")
    return {
        **call.headers,
        "CONTENT_LENGTH": str(len(body)),
        "PATH_INFO": unquote(call.path, "latin-1"),
        "QUERY_STRING": call.query,
        "RAW_URI": address,
        "REQUEST_METHOD": call.method,
        "REQUEST_URI": address,
        "SCRIPT_NAME": "",
        "SERVER_NAME": host,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.errors": _Errors(),
        "wsgi.input": BytesIO(body),
        "wsgi.multiprocess": False,
        "wsgi.multithread": True,
        "wsgi.run_once": False,
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
    }


class _Errors:
    def write(self, text: str) -> None:
        logger.warning("%s", text)

    def flush(self) -> None:
        """Nothing waits to be written."""


def _changes(environ: dict[str, Any], body: bytes) -> bool:
    """Say whether a call may change something."""
    if environ["REQUEST_METHOD"] in {"GET", "HEAD", "OPTIONS"}:
        return False
    if environ["PATH_INFO"].startswith("/moto-api/"):
        return False
    operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    if not operation and (found := _OPERATION_IN_PATH.search(environ["PATH_INFO"])):
        operation = found[1]
    if not operation and "x-www-form-urlencoded" in environ.get("CONTENT_TYPE", ""):
        operation = parse_qs(body.decode("latin-1")).get("Action", [""])[0]
    return not (operation and _LOOKS.match(operation))
