"""A client of the HTTP server, for tests of it."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from edge_runtime.holder import ModelHolder
from edge_runtime.transports.http import HttpServer


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Asks one server, each time on a new connection."""

    def __init__(self, url: str) -> None:
        self.host, self.port = urlsplit(url).hostname, urlsplit(url).port

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host or "", self.port, timeout=60)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            return Reply(response.status, dict(response.headers), response.read())
        finally:
            connection.close()

    def classify(self, question: object) -> Reply:
        return self.ask("POST", "/v1/classify", json.dumps(question).encode())

    def send(self, content: bytes) -> bytes:
        """Send raw bytes and read until the server closes."""
        with self.open() as raw:
            raw.sendall(content)
            return read_to_the_end(raw)

    def open(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=60)

    def metric(self, sample: str) -> float:
        text = self.ask("GET", "/metrics").body.decode()
        values = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(sample)]
        assert len(values) == 1
        return float(values[0])


def read_to_the_end(raw: socket.socket) -> bytes:
    return b"".join(iter(lambda: raw.recv(1 << 16), b""))


def write_request(body: bytes, *headers: str) -> bytes:
    head = ("POST /v1/classify HTTP/1.1", "Host: x", "Connection: close", *headers)
    return "\r\n".join((*head, "", "")).encode() + body


@pytest.fixture
def holder(tiny_bundle: Path) -> Iterator[ModelHolder]:
    holder = ModelHolder()
    holder.swap(tiny_bundle)
    yield holder
    holder.close()


@pytest.fixture
def client(holder: ModelHolder) -> Iterator[Client]:
    with HttpServer(holder) as server:
        yield Client(server.url)


@pytest.fixture
def impatient_client(holder: ModelHolder) -> Iterator[Client]:
    """Of a server that gives a request a tenth of a second to arrive."""
    with HttpServer(holder, timeout=0.1) as server:
        yield Client(server.url)


@pytest.fixture
def connect_to() -> Callable[[str], Client]:
    """Gives a client of the server at an address."""
    return Client


@pytest.fixture
def read_all() -> Callable[[socket.socket], bytes]:
    """Reads until the server closes."""
    return read_to_the_end


@pytest.fixture
def request_of() -> Callable[..., bytes]:
    """Makes a question's request of a body and header lines."""
    return write_request
