"""Questions over HTTP, on the standard library's server.

``POST /v1/classify`` answers ``{"text": "..."}`` or ``{"texts": [...]}``; ``GET /healthz``
tells what is served; ``GET /metrics`` is for Prometheus. Every error is JSON:
``{"error": "one line"}``.
"""

from __future__ import annotations

import contextlib
import http.server
import io
import logging
import select
import socket
import socketserver
import threading
import time
from http import HTTPStatus
from types import TracebackType
from typing import Annotated, Any, Self, cast

import msgspec

from edge_runtime.errors import EdgeError, NotReadyError, TransportError, UtteranceError
from edge_runtime.holder import ModelHolder
from edge_runtime.metrics import CONTENT_TYPE, RuntimeMetrics
from edge_runtime.storage import JSON_ERRORS
from edge_runtime.transports.connections import Connections

__all__ = ["MAX_BODY_BYTES", "MAX_TEXTS", "HttpServer"]

_log = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024
"""Largest request body."""
MAX_TEXTS = 64
"""Most texts in one request."""
_MAX_CONNECTIONS = 64
_LINGER_SECONDS = 5.0
_LINGER_BYTES = 1 << 20
_METHODS = {"/v1/classify": "POST", "/healthz": "GET", "/metrics": "GET"}


class _Question(msgspec.Struct, forbid_unknown_fields=True):
    text: str | msgspec.UnsetType = msgspec.UNSET
    texts: Annotated[list[str], msgspec.Meta(max_length=MAX_TEXTS)] | msgspec.UnsetType = (
        msgspec.UNSET
    )


_DECODER = msgspec.json.Decoder(_Question)


class HttpServer:
    """Serves a holder's model; listens as soon as it is made, answers after ``start``.

    Args:
        holder: the model.
        host: address to listen on; the default is reachable from this machine alone.
        port: 0 to 65535; 0 takes a free one.
        timeout: seconds a client has to send a whole request, and to take its answer.

    Raises:
        TransportError: the address is taken, refused or unknown.
    """

    def __init__(
        self,
        holder: ModelHolder,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        timeout: float = 10.0,
    ) -> None:
        self.metrics = RuntimeMetrics()
        try:
            self._server = _Server(holder, self.metrics, (host, port), timeout)
        except OSError as error:
            raise TransportError(
                f"cannot listen on {host}:{port}: {error.strerror or error}; "
                "give another host or port",
                host=host,
                port=port,
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )

    @property
    def url(self) -> str:
        """Where it listens, such as ``http://127.0.0.1:8765``."""
        host, port = self._server.server_address[:2]
        name = host.decode() if isinstance(host, bytes | bytearray) else host
        return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"

    def start(self) -> None:
        """Begin to answer, in threads of its own."""
        self._thread.start()

    def stop(self, *, seconds: float = 10.0) -> bool:
        """Take no new request, answer those in flight, and close.

        Args:
            seconds: longest wait for requests in flight.

        Returns:
            True when every request in flight was answered.
        """
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.accept_waiting()
        self._server.server_close()
        finished = self._server.connections.finish(seconds=seconds)
        if not finished:
            _log.warning("stopped with a request unanswered after %s s", seconds)
        return finished

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(
        self,
        holder: ModelHolder,
        metrics: RuntimeMetrics,
        address: tuple[str, int],
        seconds: float,
    ) -> None:
        self.holder = holder
        self.metrics = metrics
        self.seconds = seconds
        self.connections = Connections(limit=_MAX_CONNECTIONS)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # Past HTTPServer's own, which asks the name service who we are: a device may have none.
        socketserver.TCPServer.server_bind(self)
        # The address of an IPv4 or IPv6 socket begins with host and port; the stub allows any.
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def accept_waiting(self) -> None:
        """Take the connections that clients made before the server stopped listening."""
        while select.select([self.socket], [], [], 0)[0]:
            self.handle_request()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.connections.add(request):
            super().process_request(request, client_address)
            return
        request.settimeout(_LINGER_SECONDS)
        request.sendall(_BUSY)
        self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.connections.remove(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base's
        _log.exception("a request from %s failed", client_address)


def _raw_reply(status: HTTPStatus, error: str) -> bytes:
    body = msgspec.json.encode({"error": error}) + b"\n"
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


_BUSY = _raw_reply(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections; try again later")


class _RefusedError(Exception):
    """A request that gets no answer but a status and a line."""

    def __init__(self, status: HTTPStatus, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


class _Reader(io.RawIOBase):
    """Reads a socket until a deadline, however little the client sends at a time."""

    def __init__(self, connection: socket.socket, connections: Connections) -> None:
        self._connection = connection
        self._connections = connections
        self.deadline = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the client is too slow")
        self._connection.settimeout(left)
        count = self._connection.recv_into(buffer)
        if count:
            self._connections.begin(self._connection)
        return count


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # so that a reply to a broken first line has headers
    disable_nagle_algorithm = True
    wbufsize = -1
    connection: socket.socket

    def setup(self) -> None:
        super().setup()
        self._serving = cast("_Server", self.server)
        self.rfile.close()
        self._reader = _Reader(self.connection, self._serving.connections)
        self.rfile = io.BufferedReader(self._reader)
        self._body_unread = False

    def version_string(self) -> str:
        return "edgewise"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        _log.debug("%s %s", self.address_string(), format % args)

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError as error:
            _log.debug("%s went away: %s", self.address_string(), error)

    def finish(self) -> None:
        try:
            super().finish()
        except OSError as error:
            _log.debug("%s took no answer: %s", self.address_string(), error)

    def handle_one_request(self) -> None:
        self._reader.deadline = time.monotonic() + self._serving.seconds
        super().handle_one_request()
        if self._serving.connections.end(self.connection):
            self.close_connection = True

    def handle_expect_100(self) -> bool:
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that the base class refuses, in our form."""
        del explain
        self._body_unread = True
        self._reply_error(HTTPStatus(code), message or HTTPStatus(code).phrase)

    def _dispatch(self) -> None:
        self._body_unread = "Transfer-Encoding" in self.headers or (
            self.headers.get("Content-Length", "0") != "0"
        )
        path = self.path.partition("?")[0]
        method = _METHODS.get(path)
        if method is None:
            self._reply_error(HTTPStatus.NOT_FOUND, f"no such path; use {', '.join(_METHODS)}")
        elif method != self.command:
            self._reply_error(
                HTTPStatus.METHOD_NOT_ALLOWED, f"{path} takes {method} only", allow=method
            )
        elif path == "/healthz":
            state = self._serving.holder.state
            waiting = state.status == "waiting"
            self._reply(HTTPStatus.SERVICE_UNAVAILABLE if waiting else HTTPStatus.OK, state)
        elif path == "/metrics":
            text = self._serving.metrics.render(self._serving.holder.state)
            self._reply_bytes(HTTPStatus.OK, text.encode(), content_type=CONTENT_TYPE)
        else:
            self._classify()

    # The base class looks for these names.
    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = _dispatch  # noqa: N815

    def _classify(self) -> None:
        metrics = self._serving.metrics
        start = time.perf_counter()
        try:
            question = _decode(self._read_body())
            many = isinstance(question.texts, list)
            texts = question.texts if isinstance(question.texts, list) else [str(question.text)]
            answers = self._serving.holder.classify_many(texts)
        except _RefusedError as refusal:
            metrics.count_outcome("refused")
            self._reply_error(refusal.status, refusal.error)
        except UtteranceError as error:
            metrics.count_outcome("refused")
            self._reply_error(HTTPStatus.BAD_REQUEST, error.message)
        except NotReadyError as error:
            metrics.count_outcome("unavailable")
            self._reply_error(HTTPStatus.SERVICE_UNAVAILABLE, error.message)
        except EdgeError as error:
            metrics.count_outcome("failed")
            _log.warning("cannot answer a request: %s", error)
            self._reply_error(HTTPStatus.INTERNAL_SERVER_ERROR, error.message)
        except ConnectionError:
            metrics.count_outcome("refused")
            raise
        except Exception:
            metrics.count_outcome("failed")
            self._reply_error(
                HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; see the runtime's log"
            )
            raise
        else:
            metrics.count_outcome("answered")
            metrics.count_answers(answers, seconds=time.perf_counter() - start)
            self._reply(HTTPStatus.OK, {"answers": answers} if many else answers[0])

    def _read_body(self) -> bytes:
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or not lengths:
            raise _RefusedError(HTTPStatus.LENGTH_REQUIRED, "send the body with a Content-Length")
        if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "Content-Length must be one whole number")
        length = int(lengths[0][:20])
        if length > MAX_BODY_BYTES:
            raise _RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body has more than {MAX_BODY_BYTES} bytes; send fewer or shorter texts",
            )
        try:
            body = self.rfile.read(length)
        except TimeoutError:
            raise _RefusedError(
                HTTPStatus.REQUEST_TIMEOUT, "the body did not come in time"
            ) from None
        self._body_unread = False
        if len(body) < length:
            self.close_connection = True
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "the body is shorter than announced")
        return body

    def _reply_error(self, status: HTTPStatus, error: str, *, allow: str = "") -> None:
        self._reply(status, {"error": " ".join(error.split())}, allow=allow)

    def _reply(self, status: HTTPStatus, value: object, *, allow: str = "") -> None:
        body = msgspec.json.encode(value) + b"\n"
        self._reply_bytes(status, body, content_type="application/json", allow=allow)

    def _reply_bytes(
        self, status: HTTPStatus, body: bytes, *, content_type: str, allow: str = ""
    ) -> None:
        if self._body_unread or self._serving.connections.finishing:
            self.close_connection = True
        self.connection.settimeout(self._serving.seconds)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if allow:
            self.send_header("Allow", allow)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
        if self._body_unread:
            self._discard_body()

    def _discard_body(self) -> None:
        # Closing a socket with unread bytes resets it, and the client would lose the reply.
        self._reader.deadline = time.monotonic() + _LINGER_SECONDS
        left = _LINGER_BYTES
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while left > 0 and (piece := self.rfile.read1(min(left, 1 << 16))):
                left -= len(piece)


def _decode(body: bytes) -> _Question:
    try:
        question = _DECODER.decode(body)
    except JSON_ERRORS as error:
        raise _RefusedError(
            HTTPStatus.BAD_REQUEST, f'not a question: {error}; send {{"text": "..."}}'
        ) from error
    if (question.text is msgspec.UNSET) == (question.texts is msgspec.UNSET):
        raise _RefusedError(HTTPStatus.BAD_REQUEST, 'send either "text" or "texts"')
    return question
