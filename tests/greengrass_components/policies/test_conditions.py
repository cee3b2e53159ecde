"""Condition operators: what AWS documents of each."""

from __future__ import annotations

from typing import Any

import pytest

from greengrass_components.errors import PolicyError
from greengrass_components.policies.conditions import holds, parse_conditions
from greengrass_components.policies.patterns import Values

ROLE = "arn:aws:iam::111122223333:role/signer"


def condition(conditions: dict[str, Any], values: Values) -> bool:
    """Whether a Condition holds."""
    lower = {key.lower(): value for key, value in values.items()}
    return all(holds(clause, lower, variables=True) for clause in parse_conditions(conditions))


@pytest.mark.parametrize(
    ("operator", "wanted", "actual", "held"),
    [
        ("StringEquals", "prod", "prod", True),
        ("StringEquals", "prod", "Prod", False),
        ("StringEquals", "pr*", "prod", False),
        ("StringEquals", "pr*", "pr*", True),
        ("StringEquals", ["dev", "prod"], "prod", True),
        ("StringEquals", 5, "5", True),
        ("StringNotEquals", "prod", "dev", True),
        ("StringNotEquals", ["dev", "prod"], "prod", False),
        ("StringNotEquals", ["dev", "prod"], "staging", True),
        ("StringEqualsIgnoreCase", "prod", "PROD", True),
        ("StringNotEqualsIgnoreCase", "prod", "PROD", False),
        ("StringLike", "repo:me/*:ref", "repo:me/house:ref", True),
        ("StringLike", "repo:me/house", "repo:me/houses", False),
        ("StringLike", "hub-?", "hub-1", True),
        ("StringLike", "hub-?", "hub-", False),
        ("StringLike", "${*}", "anything", False),
        ("StringNotLike", "repo:me/*", "repo:you/house", True),
        ("StringNotLike", "repo:me/*", "repo:me/house", False),
        ("NumericEquals", "3", "3.0", True),
        ("NumericNotEquals", "3", "4", True),
        ("NumericLessThan", "1.2", "1.1", True),
        ("NumericLessThan", "1.2", "1.2", False),
        ("NumericLessThan", 10, "9", True),
        ("NumericLessThanEquals", "1.2", "1.2", True),
        ("NumericGreaterThan", "1.2", "1.3", True),
        ("NumericGreaterThan", "1.2", "1.2", False),
        ("NumericGreaterThanEquals", "1.2", "1.2", True),
        ("DateLessThan", "2026-11-21T00:00:00Z", "2026-11-20T23:59:59Z", True),
        ("DateLessThan", "2026-11-21T00:00:00Z", "2026-11-21T01:30:00+02:00", True),
        ("DateLessThanEquals", "2026-11-21", "2026-11-21T00:00:00Z", True),
        ("DateGreaterThan", "1970-01-02T00:00:00Z", "86401", True),
        ("DateGreaterThanEquals", "1970-01-02T00:00:00Z", "86400", True),
        ("DateEquals", "2026-11-21T00:00:00Z", "2026-11-21T00:00:00+00:00", True),
        ("DateNotEquals", "2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z", False),
        ("Bool", "true", "true", True),
        ("Bool", True, "true", True),
        ("Bool", False, "true", False),
        ("Bool", "false", "False", True),
        ("IpAddress", "203.0.113.0/24", "203.0.113.9", True),
        ("IpAddress", "203.0.113.0/24", "203.0.114.9", False),
        ("IpAddress", "203.0.113.9", "203.0.113.9", True),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
        ("IpAddress", "0.0.0.0/0", "2001:db8::1", False),
        ("NotIpAddress", "203.0.113.0/24", "203.0.114.9", True),
        ("NotIpAddress", "203.0.113.0/24", "203.0.113.9", False),
        ("ArnEquals", "arn:aws:iam::111122223333:role/*", ROLE, True),
        ("ArnLike", "arn:aws:iam::111122223333:role/*", ROLE, True),
        ("ArnLike", "arn:aws:iam::*:role/signer", ROLE, True),
        ("ArnLike", "arn:aws:iam::111122223333:role/sign", ROLE, False),
        ("ArnNotLike", "arn:aws:iam::111122223333:role/*", ROLE, False),
        ("ArnNotEquals", ["arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b"], ROLE, True),
        ("ArnLike", "arn:aws:iam::*:role/*", "no ARN", False),
        ("ArnNotLike", "arn:aws:iam::*:role/*", "no ARN", True),
    ],
)
def test_an_operator_compares_the_value_of_the_request(
    operator: str, wanted: Any, actual: str, held: bool
) -> None:
    assert condition({operator: {"aws:key": wanted}}, {"aws:key": actual}) is held


POSITIVE = [
    ("StringEquals", "x"),
    ("StringEqualsIgnoreCase", "x"),
    ("StringLike", "*"),
    ("NumericEquals", "1"),
    ("NumericLessThan", "1"),
    ("NumericGreaterThanEquals", "1"),
    ("DateLessThan", "2026-11-21"),
    ("Bool", "false"),
    ("IpAddress", "0.0.0.0/0"),
    ("ArnLike", "arn:*:*:*:*:*"),
    ("ArnEquals", "arn:*:*:*:*:*"),
]
NEGATED = [
    ("StringNotEquals", "x"),
    ("StringNotEqualsIgnoreCase", "x"),
    ("StringNotLike", "*"),
    ("NumericNotEquals", "1"),
    ("DateNotEquals", "2026-11-21"),
    ("NotIpAddress", "0.0.0.0/0"),
    ("ArnNotLike", "arn:*:*:*:*:*"),
    ("ArnNotEquals", "arn:*:*:*:*:*"),
]


@pytest.mark.parametrize(("operator", "wanted"), POSITIVE)
def test_without_the_key_an_operator_does_not_hold(operator: str, wanted: str) -> None:
    assert not condition({operator: {"aws:key": wanted}}, {})


@pytest.mark.parametrize(("operator", "wanted"), NEGATED)
def test_without_the_key_a_negated_operator_holds(operator: str, wanted: str) -> None:
    assert condition({operator: {"aws:key": wanted}}, {})


@pytest.mark.parametrize(("operator", "wanted"), [*POSITIVE, *NEGATED])
def test_without_the_key_if_exists_holds(operator: str, wanted: str) -> None:
    assert condition({f"{operator}IfExists": {"aws:key": wanted}}, {})


def test_with_the_key_if_exists_changes_nothing() -> None:
    wanted = {"StringEqualsIfExists": {"aws:key": "a"}}
    assert condition(wanted, {"aws:key": "a"})
    assert not condition(wanted, {"aws:key": "b"})


@pytest.mark.parametrize(
    ("wanted", "values", "held"),
    [
        ("true", {}, True),
        ("true", {"aws:key": ""}, False),
        ("false", {"aws:key": "anything"}, True),
        ("false", {}, False),
        (True, {}, True),
        ("true", {"aws:key": ()}, True),
        ("false", {"aws:key": ("a", "b")}, True),
    ],
)
def test_null_asks_whether_the_key_is_there(wanted: Any, values: Values, held: bool) -> None:
    assert condition({"Null": {"aws:key": wanted}}, values) is held


@pytest.mark.parametrize(
    ("operator", "actual", "held"),
    [
        ("ForAnyValue:StringEquals", ("a", "z"), True),
        ("ForAnyValue:StringEquals", ("y", "z"), False),
        ("ForAnyValue:StringEquals", (), False),
        ("ForAnyValue:StringEquals", "", False),
        ("ForAnyValue:StringEquals", "a", True),
        ("ForAnyValue:StringNotEquals", ("a", "z"), True),
        ("ForAnyValue:StringNotEquals", ("a", "b"), False),
        ("ForAnyValue:StringNotEquals", (), False),
        ("ForAnyValue:StringEqualsIfExists", (), True),
        ("ForAllValues:StringEquals", ("a", "b"), True),
        ("ForAllValues:StringEquals", ("a", "z"), False),
        ("ForAllValues:StringEquals", (), True),
        ("ForAllValues:StringEquals", "", True),
        ("ForAllValues:StringNotEquals", ("y", "z"), True),
        ("ForAllValues:StringNotEquals", ("a", "z"), False),
        ("ForAllValues:StringLike", ("a", "b"), True),
    ],
)
def test_a_quantifier_looks_at_every_value(
    operator: str, actual: str | tuple[str, ...], held: bool
) -> None:
    assert condition({operator: {"aws:TagKeys": ["a", "b"]}}, {"aws:TagKeys": actual}) is held


@pytest.mark.parametrize(("quantifier", "held"), [("ForAnyValue", False), ("ForAllValues", True)])
def test_a_quantifier_knows_what_holds_without_the_key(quantifier: str, held: bool) -> None:
    assert condition({f"{quantifier}:StringLike": {"aws:TagKeys": "*"}}, {}) is held


def test_several_values_need_a_quantifier() -> None:
    with pytest.raises(PolicyError, match="needs ForAnyValue or ForAllValues"):
        condition({"StringEquals": {"aws:TagKeys": "a"}}, {"aws:TagKeys": ("a",)})


def test_all_keys_and_operators_must_hold() -> None:
    wanted = {"StringEquals": {"aws:a": "1", "aws:b": "2"}, "Bool": {"aws:c": "true"}}
    values: dict[str, str] = {"aws:a": "1", "aws:b": "2", "aws:c": "true"}
    assert condition(wanted, values)
    for key in values:
        assert not condition(wanted, values | {key: "false"})


def test_names_of_keys_know_no_case() -> None:
    assert condition({"Bool": {"AWS:securetransport": "true"}}, {"aws:SecureTransport": "true"})


@pytest.mark.parametrize(
    ("operator", "actual", "held"),
    [
        ("StringEquals", "hub-1", True),
        ("StringEquals", "hub-2", False),
        ("StringNotEquals", "hub-2", True),
        ("StringLike", "hub-1", True),
    ],
)
def test_a_value_may_be_a_variable(operator: str, actual: str, held: bool) -> None:
    wanted = {operator: {"aws:key": "${iot:Connection.Thing.ThingName}"}}
    values: Values = {"aws:key": actual, "iot:Connection.Thing.ThingName": "hub-1"}
    assert condition(wanted, values) is held


def test_a_variable_may_stand_in_an_arn() -> None:
    wanted = {"ArnLike": {"aws:key": "arn:aws:iam::${aws:PrincipalAccount}:role/*"}}
    assert condition(wanted, {"aws:key": ROLE, "aws:PrincipalAccount": "111122223333"})
    assert not condition(wanted, {"aws:key": ROLE, "aws:PrincipalAccount": "444455556666"})


def test_a_variable_without_a_value_equals_nothing() -> None:
    assert not condition({"StringEquals": {"aws:key": "${aws:none}"}}, {"aws:key": ""})
    assert condition({"StringNotEquals": {"aws:key": "${aws:none}"}}, {"aws:key": ""})


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"StringMatches": {"aws:key": "a"}}, "StringMatches is not known"),
        ({"BinaryEquals": {"aws:key": "YQ=="}}, "BinaryEquals is not known"),
        ({"stringequals": {"aws:key": "a"}}, "not known"),
        ({"ForSome:StringEquals": {"aws:key": "a"}}, "not known"),
        ({"NullIfExists": {"aws:key": "true"}}, "neither a quantifier nor IfExists"),
        ({"ForAnyValue:Null": {"aws:key": "true"}}, "neither a quantifier nor IfExists"),
        ({"StringEquals": {}}, "object of keys"),
        ({"StringEquals": "a"}, "object of keys"),
        (["StringEquals"], "object of operators"),
        ({"StringEquals": {"key": "a"}}, "not a condition key"),
        ({"StringEquals": {"aws:key": None}}, "None"),
        ({"StringEquals": {"aws:key": {"a": 1}}}, "cannot be a value"),
        ({"NumericEquals": {"aws:key": "many"}}, "'many'"),
        ({"NumericEquals": {"aws:key": "NaN"}}, "'NaN'"),
        ({"DateEquals": {"aws:key": "tomorrow"}}, "'tomorrow'"),
        ({"Bool": {"aws:key": "yes"}}, "'yes'"),
        ({"Null": {"aws:key": "maybe"}}, "'maybe'"),
        ({"IpAddress": {"aws:key": "everywhere"}}, "'everywhere'"),
        ({"ArnLike": {"aws:key": "*"}}, "ArnLike"),
        ({"ArnLike": {"aws:key": "arn:aws:iam:*"}}, "ArnLike"),
        ({"Bool": {"aws:key": "${aws:other}"}}, "takes no policy variable"),
        ({"NumericEquals": {"aws:key": "${aws:other}"}}, "takes no policy variable"),
        ({"StringEquals": {"aws:key": "${aws:other"}}, "not closed"),
    ],
)
def test_what_is_not_understood_is_refused(conditions: Any, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        parse_conditions(conditions)


def test_a_value_of_the_request_that_does_not_fit_is_refused() -> None:
    with pytest.raises(PolicyError, match="aws:key, compared by NumericLessThan"):
        condition({"NumericLessThan": {"aws:key": "1"}}, {"aws:key": "many"})
