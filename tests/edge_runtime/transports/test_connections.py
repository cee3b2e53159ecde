from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from edge_runtime.transports.connections import Connections


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A server's and a client's end of one connection."""
    server, client = socket.socketpair()
    with server, client:
        yield server, client


def test_no_more_connections_than_the_limit_are_taken(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    connections = Connections(limit=1)
    assert connections.add(pair[0])
    assert not connections.add(pair[1])
    connections.remove(pair[0])
    assert connections.add(pair[1])


def test_without_connections_finishing_is_immediate() -> None:
    assert Connections(limit=1).finish(seconds=0)


def test_an_idle_connection_is_woken_with_the_end_of_its_input(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    connections = Connections(limit=1)
    connections.add(pair[0])
    assert not connections.finish(seconds=0)
    assert pair[0].recv(1) == b""


def test_a_connection_with_a_request_is_left_alone_until_it_is_answered(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    server, client = pair
    connections = Connections(limit=1)
    connections.add(server)
    connections.begin(server)
    assert not connections.finish(seconds=0)
    client.sendall(b"rest")
    assert server.recv(4) == b"rest"
    assert connections.end(server)


def test_a_request_that_ends_before_the_finish_keeps_its_connection(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    connections = Connections(limit=1)
    connections.add(pair[0])
    connections.begin(pair[0])
    assert not connections.end(pair[0])
    assert not connections.finishing


def test_finishing_waits_for_the_last_connection(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    connections = Connections(limit=1)
    connections.add(pair[0])
    connections.begin(pair[0])
    closing = threading.Thread(target=connections.remove, args=(pair[0],))
    closing.start()
    assert connections.finish(seconds=60)
    closing.join()
