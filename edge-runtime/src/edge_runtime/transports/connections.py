"""Which connections are open, and which of them are in the middle of a request."""

from __future__ import annotations

import contextlib
import socket
import threading

__all__ = ["Connections"]


class Connections:
    """Counts connections and lets a server finish; may be used from any thread.

    Args:
        limit: most connections at a time.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._busy: dict[socket.socket, bool] = {}
        self._finishing = False
        self._changed = threading.Condition()

    @property
    def finishing(self) -> bool:
        """True once ``finish`` was called: no connection is kept for a further request."""
        return self._finishing

    def add(self, connection: socket.socket) -> bool:
        """Note a new connection; False when there are too many."""
        with self._changed:
            if len(self._busy) >= self._limit:
                return False
            self._busy[connection] = False
            return True

    def begin(self, connection: socket.socket) -> None:
        """A request has begun to arrive."""
        with self._changed:
            self._busy[connection] = True

    def end(self, connection: socket.socket) -> bool:
        """A request was answered; True when the connection must be closed now."""
        with self._changed:
            self._busy[connection] = False
            return self._finishing

    def remove(self, connection: socket.socket) -> None:
        """A connection was closed."""
        with self._changed:
            self._busy.pop(connection, None)
            self._changed.notify_all()

    def finish(self, *, seconds: float) -> bool:
        """Wake the connections without a request and wait for the others.

        Returns:
            True when all connections were closed within ``seconds``.
        """
        with self._changed:
            self._finishing = True
            for connection, busy in self._busy.items():
                if not busy:
                    # What the client has sent by now is still read; then the end is seen.
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RD)
            return self._changed.wait_for(lambda: not self._busy, timeout=seconds)
