"""Calls to the emulator as a web server hands them on (PEP 3333), and as they are written down."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

__all__ = ["Application", "Call", "changes_something", "environ_of", "record", "take_body"]

logger = logging.getLogger(__name__)

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
"""A WSGI application."""

# Operations that only look. Whatever is not sure to be one of these is written down.
_LOOKS = re.compile(
    r"^(BatchGet|Decrypt|Describe|Encrypt|Filter|GenerateDataKey|GenerateRandom|Get|Head|List|"
    r"Lookup|Search|Sign$|Simulate|Verify|View)"
)
_OPERATION_IN_PATH = re.compile(r"/operation/(\w+)$")
# WSGI makes dashes and underscores of a header's name one; moto keeps apart what is whose here.
_TRUE_NAMES = "moto.preserved_header_names"


class Call(msgspec.Struct, forbid_unknown_fields=True):
    """One call with what is needed to make it again."""

    number: int
    """Its place among all, from 1 on."""
    time: float
    """When it was made, in seconds since 1970."""
    method: str
    path: str
    """As it came, with its escapes."""
    query: str
    headers: dict[str, str]
    """By their names in WSGI."""
    true_names: dict[str, str]
    """Names of headers in WSGI -> as they came, where both differ by more than case."""
    body: str
    """The content in base64, or ``sha256:`` and the name of a file."""
    status: int
    """What it was answered."""
    made: list[str]
    """What was drawn for it that no seed gives again, in base64."""


def record(
    environ: dict[str, Any], *, number: int, time: float, body: str, status: int, made: list[str]
) -> Call:
    """Return a call that was just made, to be written down."""
    headers = {key: value for key, value in environ.items() if key.startswith("HTTP_")}
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(key):
            headers[key] = environ[key]
    return Call(
        number=number,
        time=time,
        method=environ["REQUEST_METHOD"],
        # As it came: WSGI has decoded the path by now.
        path=environ.get("RAW_URI", environ["PATH_INFO"]).partition("?")[0],
        query=environ.get("QUERY_STRING", ""),
        headers=headers,
        true_names=environ.get(_TRUE_NAMES, {}),
        body=body,
        status=status,
        made=made,
    )


def environ_of(call: Call, body: bytes) -> dict[str, Any]:
    """Return a call as a WSGI server would hand it on."""
    address = f"{call.path}?{call.query}" if call.query else call.path
    host, _, port = call.headers.get("HTTP_HOST", "127.0.0.1:80").partition(":")
    return {
        **call.headers,
        _TRUE_NAMES: call.true_names,
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


def take_body(environ: dict[str, Any]) -> bytes:
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


def changes_something(environ: dict[str, Any], body: bytes) -> bool:
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


class _Errors:
    def write(self, text: str) -> None:
        logger.warning("%s", text)

    def flush(self) -> None:
        """Nothing waits to be written."""
