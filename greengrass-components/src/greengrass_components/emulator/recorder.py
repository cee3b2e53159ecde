"""Writes calls down before they are answered, and makes them again at a start.

What moto draws from its own source of random numbers follows from the number of the call, so ids
are the same when it is made again. What comes from elsewhere (keys, certificates) goes through
``Recorder.remember`` and is written down with the call, as is its time.
"""

from __future__ import annotations

import base64
import logging
import random
import threading
from collections.abc import Callable, Iterable
from typing import Any

from edge_runtime.errors import StorageError
from greengrass_components.emulator import clock
from greengrass_components.emulator.calls import (
    Application,
    changes_something,
    environ_of,
    record,
    take_body,
)
from greengrass_components.emulator.journal import Journal

__all__ = ["Recorder"]

logger = logging.getLogger(__name__)

_RESET = "/moto-api/reset"


class Recorder:
    """Stands between the calls and what answers them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        # Calls are answered one after the other: random numbers belong to a call.
        self._lock = threading.Lock()
        self._number = 0
        self._made: list[bytes] = []
        self._to_come: list[bytes] | None = None
        self._broken: str | None = None

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
        """Make every call of the journal again.

        Args:
            application: what answers.

        Returns:
            How many there were.

        Raises:
            EmulatorError: the journal is of another moto, or damaged.
        """
        for call in self._journal.calls():
            environ = environ_of(call, self._journal.body_of(call))
            self._to_come = [base64.b64decode(text) for text in call.made]
            status, _ = self._answer(application, environ, number=call.number, time=call.time)
            self._to_come = None
            if int(status[0].split()[0]) // 100 != call.status // 100:
                logger.warning(
                    "call %d (%s %s) was answered %d and is now answered %s",
                    call.number,
                    call.method,
                    call.path,
                    call.status,
                    status[0],
                )
            self._number = call.number
        return self._number

    def wrap(self, application: Application) -> Application:
        """Return an application that writes down what changes something."""

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            body = take_body(environ)
            with self._lock:
                started, content = self._record(application, environ, body)
            start_response(*started)
            return [content]

        return answer

    def _record(
        self, application: Application, environ: dict[str, Any], body: bytes
    ) -> tuple[tuple[str, list[tuple[str, str]]], bytes]:
        if environ["PATH_INFO"] == _RESET and environ["REQUEST_METHOD"] == "POST":
            self._journal.forget()
            self._number, self._broken = 0, None
        changes = changes_something(environ, body)
        if changes and self._broken is not None:
            return _refusal(self._broken)
        self._made = []
        number, time = self._number + 1, clock.now()
        started, content = self._answer(application, environ, number=number, time=time)
        status = int(started[0].split()[0])
        if changes and status < 500:
            try:
                call = record(
                    environ,
                    number=number,
                    time=time,
                    body=self._journal.keep_body(body),
                    status=status,
                    made=[base64.b64encode(made).decode() for made in self._made],
                )
                self._journal.append(call)
            except (OSError, StorageError) as error:
                # It is done but not kept; anything after it would not come back the same.
                self._broken = f"{error}; the emulator keeps nothing more until it is started again"
                logger.error("%s", self._broken)
                return _refusal(self._broken)
            self._number = number
        return started, content

    @staticmethod
    def _answer(
        application: Application, environ: dict[str, Any], *, number: int, time: float
    ) -> tuple[tuple[str, list[tuple[str, str]]], bytes]:
        from moto.moto_api._internal import mock_random

        mock_random.seed(number)
        random.seed(number)
        told: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            told[:] = [status, headers]

        with clock.held_at(time):
            result = application(environ, start_response)
            try:
                content = b"".join(result)
            finally:
                if hasattr(result, "close"):
                    result.close()
        return (told[0], told[1]), content


def _refusal(reason: str) -> tuple[tuple[str, list[tuple[str, str]]], bytes]:
    return ("507 Insufficient Storage", [("Content-Type", "text/plain")]), reason.encode()
