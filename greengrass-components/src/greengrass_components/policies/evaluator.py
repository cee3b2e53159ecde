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

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from greengrass_components.errors import PolicyError
from greengrass_components.policies.callers import IDENTITIES, classify_caller, derive_values
from greengrass_components.policies.conditions import holds
from greengrass_components.policies.patterns import (
    Values,
    matches_resource,
    matches_tokens,
    tokenize,
)
from greengrass_components.policies.statements import Policy, Principals, Statement

__all__ = ["Decision", "Request", "Verdict", "apply_policy", "decide"]

_ARN_PARTS = 6


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
        owner: account of the resource; None takes it from the ARN, which buckets do not say.

    Raises:
        PolicyError: the request is not understood, does not fit a condition, is about a key or
            a role whose policy is not given, or about a resource of nobody knows whom.
    """
    values = _values(request)
    caller, account = classify_caller(request.principal)
    granted = [match for policy in identity for match in _matches(policy, request, values)]
    bounds = [_matches(policy, request, values) for policy in ceilings]
    opened = _matches(resource, request, values) if resource else []
    every = [*granted, *(match for bound in bounds for match in bound), *opened]
    denied = next((match for match in every if not match.statement.allows), None)
    if denied is not None:
        grounds = _Grounds(False, f"denied by {denied}", denied)
    elif caller in {"service", "provider", "anonymous"}:
        # Nothing is attached to them: only the resource can let them in.
        grounds = _allow(opened[0]) if opened else _Grounds(False, "the resource does not allow it")
    else:
        strict = _is_strict(request)
        if strict and resource is None:
            raise PolicyError(f"{request.action} on {request.resource} needs the policy of that")
        own = _allow(granted[0]) if granted else None
        if caller == "root":
            own = _Grounds(True, "the root user may do everything in its account")
        named = next((match for match in opened if not match.by_account), None)
        delegated = next((match for match in opened if match.by_account), None)
        if account == _owner(request, owner):
            grounds = _weigh_within(own, named, delegated, strict=strict)
        else:
            grounds = _weigh_across(own, named or delegated)
        # What names a user itself stands beside the boundary; all else is below it.
        beside = caller == "user" and named is not None and named.by_name
        for policy, bound in zip(ceilings, bounds, strict=True):
            if grounds.allowed and not bound and not beside:
                grounds = _Grounds(False, f"the ceiling {policy.name} does not allow it")
    match = grounds.match
    return Decision(
        allowed=grounds.allowed,
        reason=grounds.reason,
        policy=match.policy.name if match else None,
        statement=match.statement.name if match else None,
        applied=frozenset((match.policy.name, match.statement.name) for match in every),
    )


class _Grounds(msgspec.Struct, frozen=True):
    allowed: bool
    reason: str
    match: _Match | None = None


def _allow(match: _Match) -> _Grounds:
    return _Grounds(True, f"allowed by {match}", match)


def _weigh_within(
    own: _Grounds | None, named: _Match | None, delegated: _Match | None, *, strict: bool
) -> _Grounds:
    if named is not None:
        return _allow(named)
    if own is None:
        return _Grounds(False, "no statement allows it")
    if strict and delegated is None:
        return _Grounds(
            False, f"{own.reason}, but the policy of the resource leaves it to none of them"
        )
    return own


def _weigh_across(own: _Grounds | None, opened: _Match | None) -> _Grounds:
    if opened is None:
        return _Grounds(False, "the resource of another account does not allow it")
    if own is None:
        return _Grounds(False, "the caller's own account does not allow it")
    return _allow(opened)


def _owner(request: Request, owner: str | None) -> str | None:
    """Return the account that owns the resource; without a resource it is the caller's."""
    parts = request.resource.split(":", 5)
    found = owner or (parts[4] if len(parts) == _ARN_PARTS else None)
    if not found and request.resource != "*":
        raise PolicyError(f"whose account {request.resource} is in must be said")
    return found or classify_caller(request.principal)[1]


def _is_strict(request: Request) -> bool:
    on_key = request.action.lower().startswith("kms:") and ":key/" in request.resource
    return on_key or request.action.lower().startswith("sts:assumerole")


def _values(request: Request) -> Values:
    given = {key.lower(): value for key, value in request.context.items()}
    return {**derive_values(request.principal), **given}


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
    caller, account = classify_caller(principal)
    by_name = (
        principal in principals.identities
        or principal in principals.services
        or principal in principals.providers
    )
    by_account = caller in IDENTITIES and account in principals.accounts
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
