"""Who calls, and what follows from that."""

from __future__ import annotations

import pytest

from greengrass_components.errors import PolicyError
from greengrass_components.policies.callers import classify_caller, derive_values

ACCOUNT = "111122223333"


@pytest.mark.parametrize(
    ("principal", "caller", "account"),
    [
        (f"arn:aws:iam::{ACCOUNT}:role/path/name", "role", ACCOUNT),
        (f"arn:aws:iam::{ACCOUNT}:user/name", "user", ACCOUNT),
        (f"arn:aws:iam::{ACCOUNT}:root", "root", ACCOUNT),
        (f"arn:aws:iam::{ACCOUNT}:oidc-provider/example.com", "provider", ACCOUNT),
        (f"arn:aws:iot:eu-central-1:{ACCOUNT}:cert/0f", "device", ACCOUNT),
        ("logs.eu-central-1.amazonaws.com", "service", None),
        ("*", "anonymous", None),
    ],
)
def test_callers_are_told_apart(principal: str, caller: str, account: str | None) -> None:
    assert classify_caller(principal) == (caller, account)


@pytest.mark.parametrize(
    "principal",
    [
        "",
        ACCOUNT,
        "example.com",
        f"arn:aws:iam::{ACCOUNT}:role/*",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/name/session",
        f"arn:aws:iam::{ACCOUNT}:group/name",
    ],
)
def test_a_caller_that_is_not_understood_is_refused(principal: str) -> None:
    with pytest.raises(PolicyError, match="is not understood"):
        classify_caller(principal)


def test_a_role_tells_its_arn_and_account() -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/name"
    assert derive_values(role) == {
        "aws:principalarn": role,
        "aws:principalaccount": ACCOUNT,
        "aws:principaltype": "AssumedRole",
        "aws:principalisawsservice": "false",
    }


def test_a_service_says_so_and_has_no_arn() -> None:
    values = derive_values("cloudtrail.amazonaws.com")
    assert values["aws:principalisawsservice"] == "true"
    assert "aws:principalarn" not in values


def test_somebody_without_credentials_has_no_arn() -> None:
    assert derive_values("*")["aws:principalaccount"] == "anonymous"
    assert "aws:principalarn" not in derive_values("*")
