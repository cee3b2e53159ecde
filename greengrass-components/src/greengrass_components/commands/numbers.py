"""Whole numbers from the command line.

Invoke converts a flag itself when its default is a number, and shows a traceback when that
fails; as text, a wrong one gets the same one line as every other error.
"""

from __future__ import annotations

from edge_runtime.errors import SettingsError

__all__ = ["whole_number"]


def whole_number(flag: str, given: str | int | None, *, default: int, least: int = 1) -> int:
    """Read a flag.

    Raises:
        SettingsError: it is not a whole number, or too small.
    """
    if given is None:
        return default
    try:
        number = int(given)
    except ValueError as error:
        raise SettingsError(f"--{flag} takes a whole number, got {given!r}") from error
    if number < least:
        raise SettingsError(f"--{flag} must be at least {least}, got {number}")
    return number
