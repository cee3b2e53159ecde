"""Wildcards and policy variables."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from greengrass_components.errors import PolicyError
from greengrass_components.policies.patterns import (
    Token,
    Values,
    check_variables,
    literal,
    matches_arn,
    matches_resource,
    matches_tokens,
    tokenize,
)

FEW_LETTERS = st.text(alphabet="ab*?:/", max_size=12)


def read(text: str, values: Values | None = None, *, variables: bool = True) -> tuple[Token, ...]:
    tokens = tokenize(text, values or {}, variables=variables, wildcards=True)
    assert tokens is not None
    return tokens


@given(pattern=FEW_LETTERS, text=st.text(alphabet="ab:/", max_size=12))
@example(pattern="*a*b*", text="ab")
@example(pattern="", text="")
def test_wildcards_match_like_a_regular_expression(pattern: str, text: str) -> None:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    assert matches_tokens(read(pattern), text) == bool(re.fullmatch(expression, text))


def test_many_wildcards_take_no_long_time() -> None:
    assert not matches_tokens(read("*a" * 40 + "b"), "a" * 2000)


@pytest.mark.parametrize(
    ("pattern", "resource", "covered"),
    [
        ("*", "arn:aws:s3:::bucket/key", True),
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/a/b:c", True),
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket", False),
        ("arn:aws:s3:::bucket", "arn:aws:s3:::Bucket", False),
        ("arn:aws:s3:::buc?et", "arn:aws:s3:::bucket", True),
        (
            "arn:aws:iot:*:111122223333:thing/x",
            "arn:aws:iot:eu-central-1:111122223333:thing/x",
            True,
        ),
        # At the end of a part the star goes on into the next ones, inside it does not.
        ("arn:aws:iot*", "arn:aws:iot:eu-central-1:111122223333:thing/x", True),
        ("arn:aws:iot:eu-*-1:1:thing/x", "arn:aws:iot:eu-west-1:1:thing/x", True),
        ("arn:aws:iot:eu-*-1:1:thing/x", "arn:aws:iot:eu:2-1:1:thing/x", False),
        # The last part may hold colons, and a star stands for them too.
        ("arn:aws:logs:r:1:log-group:/a*z:*", "arn:aws:logs:r:1:log-group:/a:b:z:log", True),
    ],
)
def test_a_resource_is_covered(pattern: str, resource: str, covered: bool) -> None:
    assert matches_resource(read(pattern), resource) is covered


@pytest.mark.parametrize(
    ("pattern", "arn", "covered"),
    [
        ("arn:aws:iam::111122223333:role/*", "arn:aws:iam::111122223333:role/path/name", True),
        ("arn:aws:iam::*:role/name", "arn:aws:iam::111122223333:role/name", True),
        ("arn:*:iam::111122223333:role/name", "arn:aws-cn:iam::111122223333:role/name", True),
        # A star never stands for a colon between two parts.
        ("arn:aws:*:role/name", "arn:aws:iam::111122223333:role/name", False),
        ("arn:aws:iam::111122223333:role/name", "arn:aws:iam::111122223333:role/names", False),
        ("arn:aws:s3:::b*", "no ARN at all", False),
    ],
)
def test_an_arn_is_compared_part_by_part(pattern: str, arn: str, covered: bool) -> None:
    assert matches_arn(read(pattern), arn) is covered


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("devices/${credentials-iot:ThingName}/log", "devices/hub-1/log"),
        ("${CREDENTIALS-IOT:thingname}", "hub-1"),
        ("${aws:PrincipalTag/team, 'nobody'}", "nobody"),
        ("${aws:PrincipalTag/team, 'it''s'}", "it's"),
        ("${credentials-iot:ThingName, 'nobody'}", "hub-1"),
        ("${ aws:PrincipalTag/team , 'x' }", "x"),
        ("${*}${?}${$}", "*?$"),
        ("plain", "plain"),
    ],
)
def test_a_variable_stands_for_a_value_of_the_request(text: str, meant: str) -> None:
    tokens = tokenize(text, {"credentials-iot:thingname": "hub-1"}, variables=True, wildcards=False)
    assert tokens is not None
    assert literal(tokens) == meant


def test_wildcards_in_a_value_of_the_request_are_taken_literally() -> None:
    tokens = read("devices/${credentials-iot:ThingName}/*", {"credentials-iot:thingname": "*"})
    assert matches_tokens(tokens, "devices/*/log")
    assert not matches_tokens(tokens, "devices/hub-2/log")


def test_variables_in_a_value_of_the_request_are_not_replaced_again() -> None:
    tokens = read("${aws:a}", {"aws:a": "${aws:b}", "aws:b": "secret"})
    assert matches_tokens(tokens, "${aws:b}")


def test_a_variable_without_a_value_matches_nothing() -> None:
    assert tokenize("x/${aws:username}", {}, variables=True, wildcards=True) is None


def test_an_old_version_of_a_policy_has_no_variables() -> None:
    assert matches_tokens(read("${aws:a}", {"aws:a": "b"}, variables=False), "${aws:a}")


def test_a_key_with_several_values_is_no_variable() -> None:
    with pytest.raises(PolicyError, match="several values"):
        tokenize("${aws:TagKeys}", {"aws:tagkeys": ("a", "b")}, variables=True, wildcards=True)


@pytest.mark.parametrize("text", ["${}", "${aws:username", "${a b}", "${aws:a, b}", "x${"])
def test_a_badly_written_variable_is_refused(text: str) -> None:
    with pytest.raises(PolicyError, match="variable"):
        check_variables(text)
