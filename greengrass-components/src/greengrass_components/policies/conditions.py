"""The conditions of a policy statement: every operator that AWS defines but ``BinaryEquals``.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/
reference_policies_elements_condition_operators.html and
reference_policies_condition-single-vs-multi-valued-context-keys.html.
"""

from __future__ import annotations

import datetime as dt
import decimal
import ipaddress
import re
from collections.abc import Callable
from typing import Any

import msgspec

from greengrass_components.errors import PolicyError
from greengrass_components.policies.patterns import (
    Token,
    Values,
    check_variables,
    literal,
    matches_arn,
    matches_tokens,
    tokenize,
)

__all__ = ["Clause", "holds", "parse_conditions"]

_KEY = re.compile(r"^[A-Za-z0-9][\w.-]*:[^\s$]+$")
_ARN_COLONS = 5


class _Operator(msgspec.Struct, frozen=True):
    """One operator, without its quantifier and ``IfExists``."""

    compare: Callable[[Any, Any], bool]
    """Whether a value of the policy and one of the request fit."""
    read: Callable[[str], Any] = str
    """Reads a value of either side; raises ``ValueError``."""
    negated: bool = False
    """Whether it asks that nothing fits."""
    text: bool = False
    """Whether the policy's values may hold variables: then ``compare`` gets tokens."""
    wildcards: bool = False
    """Whether they may hold wildcards."""


class Clause(msgspec.Struct, frozen=True):
    """One key of a condition with what it is held against."""

    operator: str
    """Such as ``StringEquals``, without quantifier and ``IfExists``."""
    quantifier: str
    """``ForAnyValue``, ``ForAllValues`` or nothing."""
    if_exists: bool
    """Whether it holds where the request does not have the key."""
    key: str
    """Key in lower case."""
    values: tuple[str, ...]
    """Values of the policy, of which one must fit, or none where the operator is negated."""


def _arn(text: str) -> str:
    if not text.startswith("arn:") or text.count(":") < _ARN_COLONS:
        raise ValueError(text)
    return text


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _number(text: str) -> decimal.Decimal:
    number = decimal.Decimal(text)
    if not number.is_finite():
        raise ValueError(text)
    return number


def _moment(text: str) -> dt.datetime:
    if re.fullmatch(r"-?[0-9]+", text):
        return dt.datetime.fromtimestamp(int(text), tz=dt.UTC)
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _folded(tokens: tuple[Token, ...], actual: str) -> bool:
    return literal(tokens).casefold() == actual.casefold()


def _within(network: Any, address: Any) -> bool:
    return bool(network.version == address.version and address.subnet_of(network))


def _network(text: str) -> Any:
    return ipaddress.ip_network(text, strict=False)


def _both(name: str, negation: str, operator: _Operator) -> dict[str, _Operator]:
    return {name: operator, negation: msgspec.structs.replace(operator, negated=True)}


def _ordered(name: str, read: Callable[[str], Any]) -> dict[str, _Operator]:
    equals = _Operator(lambda wanted, actual: actual == wanted, read)
    return {
        **_both(f"{name}Equals", f"{name}NotEquals", equals),
        f"{name}LessThan": _Operator(lambda wanted, actual: actual < wanted, read),
        f"{name}LessThanEquals": _Operator(lambda wanted, actual: actual <= wanted, read),
        f"{name}GreaterThan": _Operator(lambda wanted, actual: actual > wanted, read),
        f"{name}GreaterThanEquals": _Operator(lambda wanted, actual: actual >= wanted, read),
    }


# ArnEquals and ArnLike do the same.
_ARN_OPERATOR = _Operator(matches_arn, _arn, text=True, wildcards=True)

_OPERATORS: dict[str, _Operator] = {
    **_both(
        "StringEquals",
        "StringNotEquals",
        _Operator(lambda wanted, actual: literal(wanted) == actual, text=True),
    ),
    **_both("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", _Operator(_folded, text=True)),
    **_both("StringLike", "StringNotLike", _Operator(matches_tokens, text=True, wildcards=True)),
    **_both("ArnEquals", "ArnNotEquals", _ARN_OPERATOR),
    **_both("ArnLike", "ArnNotLike", _ARN_OPERATOR),
    **_ordered("Numeric", _number),
    **_ordered("Date", _moment),
    "Bool": _Operator(lambda wanted, actual: wanted == actual, _boolean),
    **_both("IpAddress", "NotIpAddress", _Operator(_within, _network)),
    "Null": _Operator(lambda wanted, actual: wanted == actual, _boolean),
}
_UNREADABLE = (ValueError, KeyError, decimal.InvalidOperation, OverflowError)


def parse_conditions(conditions: Any) -> tuple[Clause, ...]:
    """Read the ``Condition`` of a statement, all of which must hold.

    Raises:
        PolicyError: an operator is unknown, or a value does not fit its operator.
    """
    if not isinstance(conditions, dict):
        raise PolicyError("a Condition must be an object of operators")
    clauses = []
    for name, keys in conditions.items():
        quantifier, _, rest = name.rpartition(":")
        operator = rest.removesuffix("IfExists")
        if operator not in _OPERATORS or quantifier not in {"", "ForAnyValue", "ForAllValues"}:
            raise PolicyError(f"the condition operator {name} is not known", operator=name)
        if operator == "Null" and name != "Null":
            raise PolicyError(f"{name}: Null takes neither a quantifier nor IfExists")
        if not isinstance(keys, dict) or not keys:
            raise PolicyError(f"the condition {name} must be an object of keys")
        for key, given in keys.items():
            if not _KEY.match(key):
                raise PolicyError(f"{key!r} is not a condition key, in {name}")
            values = tuple(
                _text(value) for value in (given if isinstance(given, list) else [given])
            )
            for value in values:
                _check(name, operator, value)
            clauses.append(
                Clause(
                    operator=operator,
                    quantifier=quantifier,
                    if_exists=rest != operator,
                    key=key.lower(),
                    values=values,
                )
            )
    return tuple(clauses)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value)
    raise PolicyError(f"{value!r} cannot be a value of a condition")


def _check(name: str, operator: str, value: str) -> None:
    rules = _OPERATORS[operator]
    if rules.text:
        check_variables(value)
    elif "${" in value:
        raise PolicyError(f"{name} takes no policy variable: {value}")
    # A variable may stand for a part of an ARN.
    _read(name, rules, re.sub(r"\$\{[^}]*\}", "x", value) if rules.text else value)


def _read(name: str, rules: _Operator, value: str) -> Any:
    try:
        return rules.read(value)
    except _UNREADABLE as error:
        raise PolicyError(f"{name} cannot take the value {value!r}") from error


def holds(clause: Clause, values: Values, *, variables: bool) -> bool:
    """Say whether one clause of a condition holds for a request.

    Args:
        clause: from ``parse_conditions``.
        values: what is known of the request.
        variables: whether the version of the policy knows variables.

    Raises:
        PolicyError: the request has several values where the clause takes one, or a value that
            does not fit the operator.
    """
    rules = _OPERATORS[clause.operator]
    actual = values.get(clause.key)
    if clause.operator == "Null":
        return any(_boolean(value) == (actual in {None, ()}) for value in clause.values)
    # An empty text counts as no value for a quantifier.
    if actual in {None, ()} or (actual == "" and clause.quantifier):
        return _holds_without(clause, negated=rules.negated)
    if isinstance(actual, tuple) and not clause.quantifier:
        raise PolicyError(
            f"{clause.key} has several values, so {clause.operator} needs ForAnyValue or "
            "ForAllValues"
        )
    several = actual if isinstance(actual, tuple) else (actual,)
    found = [
        _fits(clause, rules, str(one), values, variables=variables) != rules.negated
        for one in several
    ]
    return any(found) if clause.quantifier == "ForAnyValue" else all(found)


def _holds_without(clause: Clause, *, negated: bool) -> bool:
    if clause.if_exists or clause.quantifier == "ForAllValues":
        return True
    return negated and not clause.quantifier


def _fits(
    clause: Clause, rules: _Operator, actual: str, values: Values, *, variables: bool
) -> bool:
    """Say whether one of the clause's values fits."""
    if rules.text:
        read = [
            tokenize(value, values, variables=variables, wildcards=rules.wildcards)
            for value in clause.values
        ]
        return any(tokens is not None and rules.compare(tokens, actual) for tokens in read)
    have = _read(f"the key {clause.key}, compared by {clause.operator},", rules, actual)
    return any(rules.compare(rules.read(value), have) for value in clause.values)
