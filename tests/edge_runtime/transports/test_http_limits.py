"""What the HTTP server refuses, whom it lets go, and how it stops."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from edge_runtime.holder import ModelHolder
from edge_runtime.transports.http import MAX_BODY_BYTES, HttpServer


def test_a_body_of_the_largest_size_is_read(client: Any) -> None:
    body = b'{"text": "rain"}'.ljust(MAX_BODY_BYTES)
    assert client.ask("POST", "/v1/classify", body).status == 200


@pytest.mark.parametrize("length", [MAX_BODY_BYTES + 1, 20 * MAX_BODY_BYTES])
def test_a_larger_body_gets_413_and_the_client_can_read_it(
    client: Any, length: int, request_of: Callable[..., bytes]
) -> None:
    reply = client.send(request_of(b" " * length, f"Content-Length: {length}"))
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert b"more than 65536 bytes" in reply


def test_a_client_that_is_refused_while_it_sends_can_finish_sending(
    client: Any, read_all: Callable[[socket.socket], bytes], request_of: Callable[..., bytes]
) -> None:
    with client.open() as raw:
        raw.sendall(request_of(b" ", f"Content-Length: {4 * MAX_BODY_BYTES}"))
        assert read_all(raw).startswith(b"HTTP/1.1 413 ")
        for _ in range(3):
            raw.sendall(b" " * MAX_BODY_BYTES)


def test_an_announced_body_too_large_is_refused_before_it_is_sent(
    client: Any, read_all: Callable[[socket.socket], bytes], request_of: Callable[..., bytes]
) -> None:
    with client.open() as raw:
        raw.sendall(request_of(b"", "Content-Length: 99999999999999999999999999"))
        raw.shutdown(socket.SHUT_WR)
        assert read_all(raw).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_a_length_gets_411(client: Any, request_of: Callable[..., bytes]) -> None:
    assert client.send(request_of(b"")).startswith(b"HTTP/1.1 411 ")


def test_a_chunked_body_gets_411(client: Any, request_of: Callable[..., bytes]) -> None:
    reply = client.send(request_of(b"0\r\n\r\n", "Transfer-Encoding: chunked", "Content-Length: 5"))
    assert reply.startswith(b"HTTP/1.1 411 ")


@pytest.mark.parametrize("length", ["-1", "+5", "five", "5, 5", "\u0665"])
def test_a_length_that_is_no_number_gets_400(
    client: Any, length: str, request_of: Callable[..., bytes]
) -> None:
    reply = client.send(request_of(b"", f"Content-Length: {length}"))
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert b"Content-Length must be one whole number" in reply


def test_two_lengths_get_400(client: Any, request_of: Callable[..., bytes]) -> None:
    reply = client.send(request_of(b"{}", "Content-Length: 2", "Content-Length: 3"))
    assert reply.startswith(b"HTTP/1.1 400 ")


def test_a_body_shorter_than_announced_gets_400(
    client: Any, read_all: Callable[[socket.socket], bytes], request_of: Callable[..., bytes]
) -> None:
    with client.open() as raw:
        raw.sendall(request_of(b"{}", "Content-Length: 20"))
        raw.shutdown(socket.SHUT_WR)
        assert b"shorter than announced" in read_all(raw)


def test_a_client_that_stops_in_the_middle_of_its_body_is_told(
    impatient_client: Any,
    read_all: Callable[[socket.socket], bytes],
    request_of: Callable[..., bytes],
) -> None:
    with impatient_client.open() as raw:
        raw.sendall(request_of(b'{"te', "Content-Length: 16"))
        assert read_all(raw).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("content", [b"", b"POST /v1/cl", b"POST /v1/classify HTTP/1.1\r\nHo"])
def test_a_client_that_says_nothing_more_is_let_go(
    impatient_client: Any, content: bytes, read_all: Callable[[socket.socket], bytes]
) -> None:
    with impatient_client.open() as raw:
        raw.sendall(content)
        assert read_all(raw) == b""


def test_a_client_that_drips_bytes_is_let_go(impatient_client: Any) -> None:
    dripping = threading.Event()
    with impatient_client.open() as raw:

        def drip() -> None:
            try:
                while not dripping.wait(0.02):
                    raw.sendall(b"x")
            except OSError:
                return

        thread = threading.Thread(target=drip)
        raw.sendall(b"GET /")
        thread.start()
        try:
            assert raw.recv(1) == b""
        except ConnectionResetError:
            pass  # the server closed while another byte was on its way
        finally:
            dripping.set()
            thread.join()
    assert impatient_client.ask("GET", "/healthz").status == 200


def test_one_connection_too_many_is_told_to_try_later(
    client: Any, read_all: Callable[[socket.socket], bytes]
) -> None:
    # An answered connection is one that the server has counted.
    open_ones = [client.connect() for _ in range(64)]
    for connection in open_ones:
        connection.request("GET", "/healthz")
        connection.getresponse().read()
    with client.open() as raw:
        assert read_all(raw).startswith(b"HTTP/1.1 503 ")
    for connection in open_ones:
        connection.close()


def test_a_stop_answers_the_request_in_flight(
    holder: ModelHolder,
    connect_to: Callable[[str], Any],
    read_all: Callable[[socket.socket], bytes],
    request_of: Callable[..., bytes],
) -> None:
    server = HttpServer(holder)
    server.start()
    client = connect_to(server.url)
    stopped: list[bool] = []
    with client.open() as raw:
        raw.sendall(request_of(b"", "Content-Length: 16", "Expect: 100-continue"))
        assert raw.recv(1 << 16).startswith(b"HTTP/1.1 100 ")
        stopping = threading.Thread(target=lambda: stopped.append(server.stop(seconds=60)))
        stopping.start()
        raw.sendall(b'{"text": "rain"}')
        assert b'"intent":"weather"' in read_all(raw)
        stopping.join()
    assert stopped == [True]


def test_a_stop_does_not_wait_for_idle_connections(
    holder: ModelHolder, connect_to: Callable[[str], Any]
) -> None:
    server = HttpServer(holder, timeout=600)
    server.start()
    connection = connect_to(server.url).connect()
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    assert server.stop(seconds=60)
    connection.close()


def test_a_stop_gives_up_on_a_request_that_does_not_end(
    holder: ModelHolder,
    connect_to: Callable[[str], Any],
    read_all: Callable[[socket.socket], bytes],
    request_of: Callable[..., bytes],
) -> None:
    server = HttpServer(holder)
    server.start()
    with connect_to(server.url).open() as raw:
        raw.sendall(request_of(b"", "Content-Length: 16", "Expect: 100-continue"))
        raw.recv(1 << 16)
        assert not server.stop(seconds=0)
        raw.sendall(b'{"text": "rain"}')
        read_all(raw)


def test_after_a_stop_nobody_listens(holder: ModelHolder, connect_to: Callable[[str], Any]) -> None:
    server = HttpServer(holder)
    server.start()
    client = connect_to(server.url)
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        client.open()


def test_a_server_that_never_started_can_be_stopped(holder: ModelHolder) -> None:
    assert HttpServer(holder).stop()
