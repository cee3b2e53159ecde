"""The table of who may do what, held against a small stack."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greengrass_components.errors import PolicyError
from greengrass_components.policies.access import AccessReport, check_access

State = dict[str, Any]
Resources = list[dict[str, Any]]
Make = Callable[[], State]
Write = Callable[[str], Path]

SECURE = '[context]\n"aws:SecureTransport" = "true"\n'


def row(
    principal: Any,
    action: Any,
    resource: Any,
    expect: str,
    *,
    context: str = "",
    environments: str = "",
) -> str:
    lines = [
        "[[row]]",
        f"principal = {principal!r}",
        f"action = {action!r}",
        f"resource = {resource!r}",
        f'expect = "{expect}"',
        'why = "because"',
    ]
    if context:
        lines.append(f"context = {{ {context} }}")
    if environments:
        lines.append(f"environments = {environments}")
    return "\n".join(lines) + "\n"


READ = row("role.reader", "s3:GetObject", "{bucket.intents-raw}/x", "allow")


@pytest.fixture
def check(state: Make, table: Write) -> Callable[..., AccessReport]:
    """A function that holds the stack against rows."""

    def check(*rows: str, head: str = SECURE) -> AccessReport:
        return check_access(state(), table(head + "\n".join(rows)))

    return check


Check = Callable[..., AccessReport]


def broken(report: AccessReport) -> list[str]:
    return [line for line in report.failures if line.startswith("row")]


def test_rows_that_are_true_do_not_fail(check: Check) -> None:
    report = check(
        READ,
        row("role.reader", "s3:PutObject", "{bucket.intents-raw}/x", "deny"),
        row("lambda.amazonaws.com", "sts:AssumeRole", "{role.reader}", "allow"),
    )
    assert report.rows == 3
    assert broken(report) == []


def test_a_row_that_is_not_true_tells_what_decided(check: Check) -> None:
    report = check(row("role.reader", "s3:GetObject", "{bucket.intents-raw}/x", "deny"))
    assert broken(report) == [
        (
            "row 1: role.reader s3:GetObject arn:aws:s3:::slm-intents-raw-dev/x: "
            "expected deny, but allowed by Read of role.reader/read (because)"
        )
    ]
    assert report.outcomes[0].decision.statement == "Read"


def test_the_policy_of_a_bucket_counts_for_what_lies_in_it(check: Check) -> None:
    plain = '"aws:SecureTransport" = "false"'
    report = check(
        row("role.reader", "s3:GetObject", "{bucket.intents-raw}/x", "deny", context=plain)
    )
    assert broken(report) == []
    assert report.outcomes[0].decision.statement == "DenyWithoutTls"


def test_a_list_stands_for_a_call_of_each(check: Check) -> None:
    objects = ["{bucket.intents-raw}/x", "{bucket.intents-raw}/y"]
    report = check(
        row(["role.reader", "role.signer"], ["s3:PutObject", "s3:DeleteObject"], objects, "deny")
    )
    assert (report.rows, report.calls) == (1, 8)


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("*roles", ["role.reader", "role.signer"]),
        ("*roles+", ["role.reader+", "role.signer+"]),
        ("*people", []),
        ("*each", ["certificate.device", "role.reader", "role.signer"]),
    ],
)
def test_a_group_stands_for_every_identity(check: Check, group: str, names: list[str]) -> None:
    report = check(row(group, "s3:DeleteBucket", "{bucket.intents-raw}", "deny"))
    assert [outcome.principal for outcome in report.outcomes] == names


def test_a_boundary_holds_a_role_that_was_given_every_right(check: Check) -> None:
    report = check(
        row("role.reader+", "iam:CreateUser", "*", "deny"),
        row("role.reader+", "s3:GetObject", "{bucket.intents-raw}/x", "allow"),
        row("administrator", "iam:CreateUser", "*", "allow"),
    )
    assert broken(report) == []
    assert report.outcomes[0].decision.statement == "NoUsers"


def test_no_boundary_no_bound(check: Check) -> None:
    report = check(
        row("role.signer+", "iam:CreateUser", "*", "allow"),
        row("role.reader+", "sts:AssumeRole", "{role.elsewhere}", "allow"),
        row("role.reader", "sts:AssumeRole", "{role.elsewhere}", "deny"),
    )
    assert broken(report) == []


def test_a_stranger_has_every_right_but_none_here(check: Check) -> None:
    report = check(
        row("stranger", "s3:GetObject", "{bucket.intents-raw}/x", "deny"),
        row("stranger", "kms:Decrypt", "{key.data}", "deny"),
        row("anonymous", "s3:GetObject", "{bucket.intents-raw}/x", "deny"),
        row("root", "kms:Decrypt", "{key.data}", "allow"),
    )
    assert broken(report) == []


def test_a_token_of_the_identity_provider_is_judged_by_what_it_says(check: Check) -> None:
    provider = "provider.token.actions.githubusercontent.com"
    subject = '"token.actions.githubusercontent.com:sub" = "repo:{repository}:%s"'
    call = (provider, "sts:AssumeRoleWithWebIdentity", "{role.signer}")
    report = check(
        row(*call, "allow", context=subject % "environment:{environment}"),
        row(*call, "deny", context=subject % "pull_request"),
    )
    assert broken(report) == []


def test_context_comes_from_the_table_the_principal_and_the_row(check: Check) -> None:
    name = '[context_of."certificate.device"]\n"iot:Connection.Thing.ThingName" = "hub-1"\n'
    topic = "arn:{partition}:iot:{region}:{account}:topic/edge/%s"
    other = '"iot:Connection.Thing.ThingName" = "hub-2"'
    nobody = '"iot:Connection.Thing.ThingName" = []'
    report = check(
        row("certificate.device", "iot:Publish", topic % "hub-1", "allow"),
        row("certificate.device", "iot:Publish", topic % "hub-2", "deny"),
        row("certificate.device", "iot:Publish", topic % "hub-2", "allow", context=other),
        row("certificate.device", "iot:Publish", topic % "hub-1", "deny", context=nobody),
        head=SECURE + name,
    )
    assert broken(report) == []


def test_a_row_of_another_environment_is_left_out(check: Check) -> None:
    call = ("role.reader", "s3:GetObject", "{bucket.intents-raw}/x")
    report = check(
        row(*call, "deny", environments='["prod"]'), row(*call, "allow", environments='["dev"]')
    )
    assert report.rows == 1
    assert broken(report) == []


def test_an_identity_needs_rows_of_both_kinds(check: Check) -> None:
    failures = check(READ).failures
    assert "no row says what role.reader must not do" in failures
    assert "no row says what role.reader may do" not in failures
    assert "no row says what certificate.device may do" in failures


def test_a_group_does_not_speak_for_each(check: Check) -> None:
    failures = check(row("*each", "s3:DeleteBucket", "{bucket.intents-raw}", "deny")).failures
    assert "no row says what role.reader must not do" in failures


def test_a_statement_that_no_row_reaches_is_told(check: Check) -> None:
    failures = check(READ).failures
    assert "no row reaches Jobs of role.signer/trust" in failures
    assert "no row reaches DenyWithoutTls of bucket.intents-raw" in failures
    assert "no row reaches Read of role.reader/read" not in failures


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (row("role.raeder", "s3:GetObject", "*", "deny"), "row 1 .*: nobody is called role.raeder"),
        (READ + row("role.reader", "s3:GetObject", "{bucket.raw}/x", "deny"), "row 2 .*bucket.raw"),
        (row("role.reader", "s3:GetObject", "{role}", "deny"), "nothing called role"),
        (READ + 'note = "x"\n', "unknown field `note`"),
        (row("role.reader", "s3:GetObject", "*", "maybe"), "maybe"),
        ('[[row]]\nprincipal = "role.reader"\n', "missing required field"),
        ('[context_of."role.raeder"]\n"aws:a" = "b"\n' + READ, "nobody is called role.raeder"),
        ("[[row]\n", "the table access.toml"),
        (row("role.reader", "kms:Decrypt", "arn:aws:kms:r:111122223333:key/x", "deny"), "row 1"),
    ],
)
def test_a_table_that_is_not_understood_is_refused(
    state: Make, table: Write, text: str, message: str
) -> None:
    with pytest.raises(PolicyError, match=message):
        check_access(state(), table(text))


def test_a_table_that_is_not_there_is_told(state: Make, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"cannot read the table none\.toml"):
        check_access(state(), tmp_path / "none.toml")
