"""Decides whether a call is allowed, as AWS documents it.

An explicit deny wins. Otherwise, within one account, an allow by the caller's own policies or
by the resource's is enough, as long as every ceiling (permissions boundary, session policy)
allows it too; from another account both are needed. KMS keys and roles are stricter: their own
policy must name the caller, or hand the decision to the caller's account.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html.
Not here: organization policies, VPC endpoint policies, KMS grants, S3 access control lists and
public access blocks. None of them allows anything by itself but grants and lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from greengrass_components.errors import PolicyError
from greengrass_components.policies.conditions import holds
from greengrass_components.policies.patterns import (
    Values,
    matches_resource,
    matches_tokens,
    tokenize,
)
from greengrass_components.policies.statements import Policy, Principals, Statement

__all__ = ["Decision", "Request", "Verdict", "apply_policy", "decide"]

Caller = Literal["role", "user", "root", "service", "provider", "device", "anonymous"]

_CALLERS: dict[Caller, re.Pattern[str]] = {
    "role": re.compile(r"^arn:[a-z-]+:iam::([0-9]{12}):role/[^*?\s]+$"),
    "user": re.compile(r"^arn:[a-z-]+:iam::([0-9]{12}):user/[^*?\s]+$"),
    "root": re.compile(r"^arn:[a-z-]+:iam::([0-9]{12}):root$"),
    "provider": re.compile(r"^arn:[a-z-]+:iam::([0-9]{12}):(?:oidc|saml)-provider/\S+$"),
    "device": re.compile(r"^arn:[a-z-]+:iot:[a-z0-9-]+:([0-9]{12}):cert/[^*?\s]+$"),
    "service": re.compile(r"^[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?$"),
    "anonymous": re.compile(r"^\*$"),
}
_TYPES = {"role": "AssumedRole", "user": "User", "root": "Account"}


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One call: who wants to do what, with what, and how."""

    principal: str
    """ARN of a role, user, account root, identity provider or device certificate; a service
    such as ``cloudtrail.amazonaws.com``; or ``*`` for somebody without credentials."""
    action: str
    """Such as ``s3:GetObject``."""
    resource: str
    """ARN, or ``*`` where the action has no resource."""
    context: Mapping[str, str | tuple[str, ...]] = {}
    """What else is known: condition key -> value, or values. What follows from the principal
    (``aws:PrincipalArn`` and the like) is added where it is not given."""


class Verdict(msgspec.Struct, frozen=True):
    """What one policy says to a call."""

    effect: Literal["allow", "deny", "none"]
    """``none`` where no statement applies."""
    statement: str | None
    """The statement that says so."""


class Decision(msgspec.Struct, frozen=True):
    """Whether a call is allowed, and why."""

    allowed: bool
    """Whether it is."""
    reason: str
    """One line for people."""
    policy: str | None = None
    """The policy that decided; None where no statement did."""
    statement: str | None = None
    """The statement that decided: its Sid, or ``statement 3``."""
    applied: frozenset[tuple[str, str]] = frozenset()
    """Every statement that applies, as (policy, statement)."""


class _Match(msgspec.Struct, frozen=True):
    policy: Policy
    statement: Statement
    by_account: bool = False
    """Whether the caller is named through the account alone."""
    by_name: bool = False
    """Whether the caller is named itself."""

    def __str__(self) -> str:
        return f"{self.statement.name} of {self.policy.name}"


def apply_policy(policy: Policy, request: Request) -> Verdict:
    """Say what one policy alone says to a call: a deny before an allow.

    Raises:
        PolicyError: the request is not understood, or does not fit a condition.
    """
    found = _matches(policy, request, _values(request))
    for match in sorted(found, key=lambda match: match.statement.allows):
        return Verdict("allow" if match.statement.allows else "deny", match.statement.name)
    return Verdict("none", None)


def decide(
    request: Request,
    *,
    identity: Sequence[Policy] = (),
    ceilings: Sequence[Policy] = (),
    resource: Policy | None = None,
    owner: str | None = None,
) -> Decision:
    """Decide whether a call is allowed.

    Args:
        request: the call.
        identity: policies attached to the caller; of a device, its IoT policies.
        ceilings: permissions boundary and session policy, of which each must allow.
        resource: policy of the bucket, key, topic or role that is called.
        owner: account of the resource; None takes it from its ARN, and the caller's where that
            has none.

    Raises:
        PolicyError: the request is not understood, does not fit a condition, or is about a key
            or a role whose policy is not given.
    """
    values = _values(request)
    caller, account = _classify(request.principal)
    granted = [match for policy in identity for match in _matches(policy, request, values)]
    bounds = [_matches(policy, request, values) for policy in ceilings]
    opened = _matches(resource, request, values) if resource else []
    every = [*granted, *(match for bound in bounds for match in bound), *opened]
    applied = frozenset((match.policy.name, match.statement.name) for match in every)

    def result(allowed: bool, reason: str, match: _Match | None = None) -> Decision:
        return Decision(
            allowed=allowed,
            reason=reason,
            policy=match.policy.name if match else None,
            statement=match.statement.name if match else None,
            applied=applied,
        )

    for match in every:
        if not match.statement.allows:
            return result(False, f"denied by {match}", match)
    if caller in {"service", "provider", "anonymous"}:
        # Nothing is attached to them: only the resource can let them in.
        for match in opened:
            return result(True, f"allowed by {match}", match)
        return result(False, "no statement of the resource allows it")
    strict = _is_strict(request)
    if strict and resource is None:
        raise PolicyError(f"{request.action} on {request.resource} needs the policy of that")
    same = account == (owner or _account(request.resource) or account)
    named = next((match for match in opened if not match.by_account), None)
    delegated = next((match for match in opened if match.by_account), None)
    allowing = _root(request, caller) or (f"allowed by {granted[0]}" if granted else None)
    own = granted[0] if granted else None
    if same:
        reason, decider = (
            (f"allowed by {named}", named)
            if named
            else (allowing, own)
            if allowing and (delegated or not strict)
            else (None, None)
        )
        if allowing and reason is None:
            return result(False, "the policy of the resource leaves it to nobody's own policies")
    else:
        decider = named or delegated
        reason = f"allowed by {decider}" if decider and allowing else None
        if reason is None and (decider or allowing):
            missing = "the resource's policy" if allowing else "the caller's own policies"
            return result(False, f"it crosses accounts, and {missing} do not allow it")
    if reason is None:
        return result(False, "no statement allows it")
    # A grant to a user by name stands beside the boundary, one to a role below it.
    exempt = caller == "user" and same and named is not None and named.by_name
    for policy, bound in zip(ceilings, bounds, strict=True):
        if not bound and not exempt:
            return result(False, f"the ceiling {policy.name} does not allow it")
    return result(True, reason, decider)


def _root(request: Request, caller: Caller) -> str | None:
    """An account's root user has every right in it without a policy."""
    return f"{request.principal} may do everything in its account" if caller == "root" else None


def _is_strict(request: Request) -> bool:
    on_key = request.action.lower().startswith("kms:") and ":key/" in request.resource
    return on_key or request.action.lower().startswith("sts:assumerole")


def _account(arn: str) -> str | None:
    parts = arn.split(":", 5)
    return parts[4] if len(parts) > 4 and parts[4] else None


def _classify(principal: str) -> tuple[Caller, str | None]:
    for caller, pattern in _CALLERS.items():
        if found := pattern.match(principal):
            return caller, found[1] if pattern.groups else None
    raise PolicyError(f"the caller {principal!r} is not understood", principal=principal)


def _values(request: Request) -> Values:
    """What is known of a request, with what follows from its principal.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    caller, account = _classify(request.principal)
    derived: dict[str, str | tuple[str, ...]] = {}
    if caller in _TYPES and account:
        derived = {
            "aws:principalarn": request.principal,
            "aws:principalaccount": account,
            "aws:principaltype": _TYPES[caller],
            "aws:principalisawsservice": "false",
        }
    elif caller == "service":
        derived = {
            "aws:principalisawsservice": "true",
            "aws:principalservicename": request.principal,
        }
    elif caller == "anonymous":
        derived = {"aws:principalaccount": "anonymous", "aws:principaltype": "Anonymous"}
    return derived | {key.lower(): value for key, value in request.context.items()}


def _matches(policy: Policy, request: Request, values: Values) -> list[_Match]:
    return [
        match
        for statement in policy.statements
        if (match := _match(policy, statement, request, values)) is not None
    ]


def _match(policy: Policy, statement: Statement, request: Request, values: Values) -> _Match | None:
    by_name, by_account = False, False
    if statement.principals is not None:
        by_name, by_account = _named(statement.principals, request.principal)
        if not (by_name or by_account or statement.principals.everyone):
            return None
    if not (
        _covers_action(statement, request) and _covers_resource(policy, statement, request, values)
    ):
        return None
    if not all(holds(clause, values, variables=policy.variables) for clause in statement.clauses):
        return None
    everyone = statement.principals is not None and statement.principals.everyone
    return _Match(
        policy, statement, by_account=by_account and not (by_name or everyone), by_name=by_name
    )


def _named(principals: Principals, principal: str) -> tuple[bool, bool]:
    """Say whether a caller is named itself, and whether through its account."""
    caller, account = _classify(principal)
    by_name = (
        principal in principals.identities
        or principal in principals.services
        or principal in principals.providers
    )
    by_account = caller in _TYPES and account in principals.accounts
    return by_name, by_account


def _covers_action(statement: Statement, request: Request) -> bool:
    action = request.action.lower()
    covered = any(
        matches_tokens(tokens, action)
        for pattern in statement.actions
        if (tokens := tokenize(pattern, {}, variables=False, wildcards=True)) is not None
    )
    return covered != statement.all_but_actions


def _covers_resource(
    policy: Policy, statement: Statement, request: Request, values: Values
) -> bool:
    if policy.kind == "trust":
        return True
    covered = any(
        matches_resource(tokens, request.resource)
        for pattern in statement.resources
        if (tokens := tokenize(pattern, values, variables=policy.variables, wildcards=True))
        is not None
    )
    return covered != statement.all_but_resources
