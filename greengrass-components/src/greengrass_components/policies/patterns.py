"""Texts of a policy that stand for many: wildcards and policy variables.

``*`` stands for any characters, ``?`` for one. ``${key}`` stands for a value of the request,
``${key, 'default'}`` for the default where the request has none, and ``${*}``, ``${?}`` and
``${$}`` for the character itself
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html).
Variables are replaced once, and what replaces them is taken literally.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Mapping

from greengrass_components.errors import PolicyError

__all__ = [
    "Token",
    "Values",
    "Wildcard",
    "check_variables",
    "literal",
    "matches_arn",
    "matches_resource",
    "matches_tokens",
    "tokenize",
]

Values = Mapping[str, str | tuple[str, ...]]
"""What is known of a request: key in lower case -> value, or values of a key that has several."""

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_NAME = re.compile(r"^\s*([A-Za-z0-9][\w:/.=+@-]*)\s*(?:,\s*'((?:[^']|'')*)'\s*)?$")
_ARN_PARTS = 6


class Wildcard(enum.Enum):
    """What stands for characters that the policy does not name."""

    ONE = "?"
    ANY = "*"
    ANY_BUT_COLON = "*:"


Token = str | Wildcard
"""One literal character, or a wildcard."""


def check_variables(text: str) -> None:
    """Refuse policy variables that are badly written.

    Raises:
        PolicyError: a variable has no name, or is not closed.
    """
    for found in _VARIABLE.finditer(text):
        if found[1] not in {"*", "?", "$"} and not _NAME.match(found[1]):
            raise PolicyError(f"the policy variable {found[0]} is not understood in {text!r}")
    if "${" in _VARIABLE.sub("", text):
        raise PolicyError(f"a policy variable is not closed in {text!r}")


def tokenize(
    text: str, values: Values, *, variables: bool, wildcards: bool
) -> tuple[Token, ...] | None:
    """Read a text of a policy for one request.

    Args:
        text: as it stands in the policy.
        values: what is known of the request.
        variables: whether the version of the policy knows variables.
        wildcards: whether ``*`` and ``?`` are more than characters here.

    Returns:
        The characters and wildcards; None when a variable has no value, which matches nothing.

    Raises:
        PolicyError: a variable names a key with several values.
    """
    tokens: list[Token] = []
    end = 0
    for found in _VARIABLE.finditer(text) if variables else ():
        tokens += _read(text[end : found.start()], wildcards=wildcards)
        value = _value(found[1], values)
        if value is None:
            return None
        tokens += value
        end = found.end()
    tokens += _read(text[end:], wildcards=wildcards)
    return tuple(tokens)


def _read(text: str, *, wildcards: bool) -> Iterator[Token]:
    for character in text:
        if wildcards and character == "*":
            yield Wildcard.ANY
        elif wildcards and character == "?":
            yield Wildcard.ONE
        else:
            yield character


def _value(variable: str, values: Values) -> str | None:
    if variable in {"*", "?", "$"}:
        return variable
    name = _NAME.match(variable)
    if name is None:
        raise PolicyError(f"the policy variable ${{{variable}}} is not understood")
    value = values.get(name[1].lower())
    if isinstance(value, tuple):
        raise PolicyError(f"{name[1]} has several values, so it cannot be a policy variable")
    if value is None and name[2] is not None:
        return name[2].replace("''", "'")
    return value


def literal(tokens: Iterable[Token]) -> str:
    """Return the text of tokens that were read without wildcards."""
    return "".join(token for token in tokens if isinstance(token, str))


def matches_tokens(tokens: tuple[Token, ...], text: str) -> bool:
    """Say whether a text is one of those that tokens stand for, as a whole.

    Every way through the tokens is followed at once, so the time is bounded by the product of
    the two lengths.
    """
    places = _past_stars(tokens, {0})
    for character in text:
        ahead: set[int] = set()
        for place in places:
            if place == len(tokens):
                continue
            token = tokens[place]
            if token is Wildcard.ANY or (token is Wildcard.ANY_BUT_COLON and character != ":"):
                ahead.add(place)
            elif token is Wildcard.ONE or token == character:
                ahead.add(place + 1)
        places = _past_stars(tokens, ahead)
        if not places:
            return False
    return len(tokens) in places


def _past_stars(tokens: tuple[Token, ...], places: set[int]) -> set[int]:
    reached = set(places)
    for place in places:
        ahead = place
        while ahead < len(tokens) and tokens[ahead] in {Wildcard.ANY, Wildcard.ANY_BUT_COLON}:
            ahead += 1
            reached.add(ahead)
    return reached


def matches_resource(tokens: tuple[Token, ...], resource: str) -> bool:
    """Say whether the ``Resource`` of a statement covers a resource.

    A ``*`` that ends a part of the ARN may stand for the following parts too; inside one of
    the first five parts it stands for characters of that part alone
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html).
    """
    bounded: list[Token] = []
    colons = 0
    for place, piece in enumerate(tokens):
        colons += piece == ":"
        ends_part = place + 1 == len(tokens) or tokens[place + 1] == ":"
        inside = colons < _ARN_PARTS - 1 and not ends_part
        bounded.append(Wildcard.ANY_BUT_COLON if piece is Wildcard.ANY and inside else piece)
    return matches_tokens(tuple(bounded), resource)


def matches_arn(tokens: tuple[Token, ...], arn: str) -> bool:
    """Say whether an ARN operator's value covers an ARN: each of the six parts by itself.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/
    reference_policies_elements_condition_operators.html#Conditions_ARN
    """
    wanted: list[list[Token]] = [[]]
    for piece in tokens:
        if piece == ":" and len(wanted) < _ARN_PARTS:
            wanted.append([])
        else:
            wanted[-1].append(piece)
    actual = arn.split(":", _ARN_PARTS - 1)
    return len(wanted) == len(actual) == _ARN_PARTS and all(
        matches_tokens(tuple(want), have) for want, have in zip(wanted, actual, strict=True)
    )
