"""A clock that can be held, so that a call that is made again gets the dates of its first time.

moto asks for the time in many places, by ``time.time`` and by ``datetime``. Both are replaced in
the emulator's own process, which does nothing else; before moto is imported, because much of it
takes the names of ``datetime`` into its own modules.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Iterator
from typing import Any, Self

__all__ = ["held_at", "install_clock", "now"]

_Datetime = dt.datetime
_read_time = time.time
_held: float | None = None


class _Instances(type):
    """Lets values that come from outside, by C or Rust, count as instances too."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _Datetime)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _Datetime)


class _HeldDatetime(_Datetime, metaclass=_Instances):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Self:
        return cls.fromtimestamp(_time(), tz)

    @classmethod
    def utcnow(cls) -> Self:
        return cls.fromtimestamp(_time(), dt.UTC).replace(tzinfo=None)


def install_clock() -> None:
    """Let this process ask the clock that can be held."""
    setattr(time, "time", _time)  # noqa: B010 - it is a constant to a type checker
    setattr(dt, "datetime", _HeldDatetime)  # noqa: B010


def now() -> float:
    """Return the true time, in seconds since 1970."""
    return _read_time()


@contextlib.contextmanager
def held_at(seconds: float) -> Iterator[None]:
    """Hold the clock of the whole process; one thread at a time may do so.

    Args:
        seconds: since 1970.
    """
    global _held  # noqa: PLW0603 - there is one clock in a process
    _held = seconds
    try:
        yield
    finally:
        _held = None


def _time() -> float:
    held = _held
    return _read_time() if held is None else held
