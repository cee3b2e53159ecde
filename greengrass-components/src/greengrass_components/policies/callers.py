"""Who calls, and what a call tells of them.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

import re
from typing import Literal

from greengrass_components.errors import PolicyError

__all__ = ["IDENTITIES", "Caller", "classify_caller", "derive_values"]

Caller = Literal["role", "user", "root", "service", "provider", "device", "anonymous"]
"""Kinds of callers."""

IDENTITIES = {"role": "AssumedRole", "user": "User", "root": "Account"}
"""Callers that belong to an account and may have policies -> their ``aws:PrincipalType``."""

_PATTERNS: dict[Caller, re.Pattern[str]] = {
    "role": re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):role/[^*?\s]+"),
    "user": re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):user/[^*?\s]+"),
    "root": re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):root"),
    "provider": re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):(?:oidc|saml)-provider/\S+"),
    "device": re.compile(r"arn:[a-z-]+:iot:[a-z0-9-]+:([0-9]{12}):cert/[^*?\s]+"),
    "service": re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?()"),
    "anonymous": re.compile(r"\*()"),
}


def classify_caller(principal: str) -> tuple[Caller, str | None]:
    """Say what kind of caller a principal is, and which account it belongs to.

    Raises:
        PolicyError: it is none that is known.
    """
    for caller, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(principal):
            return caller, found[1] or None
    raise PolicyError(f"the caller {principal!r} is not understood", principal=principal)


def derive_values(principal: str) -> dict[str, str]:
    """Return the condition keys that follow from the caller alone, in lower case.

    Raises:
        PolicyError: the caller is none that is known.
    """
    caller, account = classify_caller(principal)
    if caller in IDENTITIES and account:
        return {
            "aws:principalarn": principal,
            "aws:principalaccount": account,
            "aws:principaltype": IDENTITIES[caller],
            "aws:principalisawsservice": "false",
        }
    if caller == "service":
        return {"aws:principalisawsservice": "true", "aws:principalservicename": principal}
    if caller == "anonymous":
        return {"aws:principalaccount": "anonymous", "aws:principaltype": "Anonymous"}
    return {}
