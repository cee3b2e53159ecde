"""Semantic versions, and the ranges that a dependency of a recipe may ask for.

Sources: semver.org 2.0.0 for versions and their order; npm's ``semver`` for ranges, which
is what a recipe's ``VersionRequirement`` holds. Hyphen ranges (``1.0.0 - 2.0.0``) are left
out: they say nothing that ``>=1.0.0 <=2.0.0`` does not.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Version", "parse_version", "satisfies"]

_NUMBER = r"(?:0|[1-9]\d*)"
_VERSION = re.compile(
    rf"(?P<numbers>{_NUMBER}\.{_NUMBER}\.{_NUMBER})(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_COMPARATOR = re.compile(
    rf"(?P<sign>\^|~|>=|<=|>|<|=)?"
    rf"(?P<numbers>[*xX]|{_NUMBER}(?:\.{_NUMBER}){{0,2}}|{_NUMBER}(?:\.{_NUMBER})?(?:\.[*xX]){{1,2}})"
    r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_LONGEST = 64
_LAST: tuple[tuple[int, int, str], ...] = ((2, 0, ""),)


class Version(NamedTuple):
    """A semantic version; tuples compare as semver.org orders versions."""

    numbers: tuple[int, int, int]
    """Major, minor, patch."""
    prerelease: tuple[tuple[int, int, str], ...]
    """Each part as (is a word, number, word); a release sorts after all its prereleases."""

    @property
    def is_release(self) -> bool:
        """Whether the version has no prerelease part."""
        return self.prerelease == _LAST


class _Bound(NamedTuple):
    sign: str
    version: Version


def parse_version(text: str) -> Version:
    """Read a semantic version such as ``1.2.3`` or ``1.2.3-rc.1``.

    Raises:
        ValueError: it is none.
    """
    match = _VERSION.fullmatch(text)
    if match is None or len(text) > _LONGEST:
        raise ValueError(f"{text!r} is not a semantic version")
    major, minor, patch = (int(number) for number in match["numbers"].split("."))
    return Version((major, minor, patch), _prerelease(match["pre"]))


def satisfies(version: str, requirement: str) -> bool:
    """Whether a version lies in a range such as ``^1.2.0`` or ``>=1.0.0 <2.0.0 || 3.x``.

    A prerelease lies in a range only when the range names a prerelease of the same numbers.

    Raises:
        ValueError: the version or the range cannot be read.
    """
    wanted = parse_version(version)
    # All alternatives are read, so that a mistake in the second is found as well.
    alternatives = [_bounds(part) for part in requirement.split("||")]
    return any(_lies_in(wanted, bounds) for bounds in alternatives)


def _lies_in(version: Version, bounds: list[_Bound]) -> bool:
    tests = {
        ">=": lambda bound: version >= bound,
        ">": lambda bound: version > bound,
        "<=": lambda bound: version <= bound,
        "<": lambda bound: version < bound,
    }
    if not all(tests[bound.sign](bound.version) for bound in bounds):
        return False
    return version.is_release or any(
        bound.version.numbers == version.numbers and not bound.version.is_release
        for bound in bounds
    )


def _bounds(part: str) -> list[_Bound]:
    # npm allows a space after the sign.
    words = re.sub(r"(\^|~|>=|<=|>|<|=)\s+", r"\1", part.strip()).split()
    if not words:
        raise ValueError("a range is empty")
    return [bound for word in words for bound in _bounds_of(word)]


def _bounds_of(word: str) -> list[_Bound]:
    match = _COMPARATOR.fullmatch(word)
    if match is None:
        raise ValueError(f"{word!r} is not a version range")
    given = [int(part) for part in match["numbers"].split(".") if part not in ("*", "x", "X")]
    if match["pre"] and len(given) < 3:
        raise ValueError(f"{word!r} names a prerelease of an incomplete version")
    sign = match["sign"] or "="
    low = _version(given, _prerelease(match["pre"]))
    if not given:
        return [_Bound(">=", low)]
    if sign == "^":
        # The first number that is not zero may not change.
        fixed = next((place for place, number in enumerate(given) if number), len(given) - 1)
        return [_Bound(">=", low), _Bound("<", _next(given, fixed))]
    if sign == "~":
        return [_Bound(">=", low), _Bound("<", _next(given, min(1, len(given) - 1)))]
    if len(given) == 3:
        return [_Bound(">=", low), _Bound("<=", low)] if sign == "=" else [_Bound(sign, low)]
    above = _next(given, len(given) - 1)
    partial = {
        "=": [_Bound(">=", low), _Bound("<", above)],
        ">=": [_Bound(">=", low)],
        "<": [_Bound("<", low)],
        ">": [_Bound(">=", above)],
        "<=": [_Bound("<", above)],
    }
    return partial[sign]


def _version(given: list[int], prerelease: tuple[tuple[int, int, str], ...]) -> Version:
    major, minor, patch = (*given, 0, 0, 0)[:3]
    return Version((major, minor, patch), prerelease)


def _next(given: list[int], place: int) -> Version:
    return _version([*given[:place], given[place] + 1], _LAST)


def _prerelease(text: str | None) -> tuple[tuple[int, int, str], ...]:
    if text is None:
        return _LAST
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in text.split("."))
