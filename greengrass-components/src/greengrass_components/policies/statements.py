"""Policy documents, read strictly: what is not understood is an error and never passed over.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html; for
what AWS IoT Core changes, https://docs.aws.amazon.com/iot/latest/developerguide/iot-policies.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from greengrass_components.errors import PolicyError
from greengrass_components.policies.conditions import Clause, parse_conditions
from greengrass_components.policies.patterns import check_variables

__all__ = ["Kind", "Policy", "Principals", "Statement", "parse_policy"]

Kind = Literal["identity", "resource", "trust", "iot"]
"""Where a policy is attached; a permissions boundary or session policy reads like ``identity``."""

_VERSIONS = {"2012-10-17": True, "2008-10-17": False}
_ELEMENTS = {
    "Sid",
    "Effect",
    "Principal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}
_ARN_COLONS = 5
_ACTION = re.compile(r"^(\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$")
_ACCOUNT = re.compile(r"^(?:arn:[a-z-]+:iam::)?([0-9]{12})(?::root)?$")
_IDENTITY = re.compile(r"^arn:[a-z-]+:iam::[0-9]{12}:(?:role|user)/[\w+=,.@/-]+$")
_SERVICE = re.compile(r"^[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?$")
_PROVIDER = re.compile(r"^(?:arn:[a-z-]+:iam::[0-9]{12}:(?:oidc|saml)-provider/\S+|[a-z0-9.-]+)$")


class Principals(msgspec.Struct, frozen=True):
    """Whom a statement of a resource speaks of."""

    everyone: bool = False
    """``*``: whoever calls, signed in or not."""
    identities: frozenset[str] = frozenset()
    """ARNs of roles and users."""
    accounts: frozenset[str] = frozenset()
    """Ids of accounts: their root user, and whom their own policies let."""
    services: frozenset[str] = frozenset()
    """Such as ``cloudtrail.amazonaws.com``."""
    providers: frozenset[str] = frozenset()
    """Identity providers that vouch for somebody."""


class Statement(msgspec.Struct, frozen=True):
    """One statement."""

    name: str
    """Its Sid, or ``statement 3``."""
    allows: bool
    """Whether it allows, or denies."""
    actions: tuple[str, ...]
    """Patterns in lower case."""
    all_but_actions: bool
    """Whether it covers all actions but these."""
    resources: tuple[str, ...]
    """Patterns; empty in a trust policy, which speaks of its role."""
    all_but_resources: bool
    """Whether it covers all resources but these."""
    principals: Principals | None
    """Whom it speaks of; None where it is attached to them."""
    clauses: tuple[Clause, ...]
    """What must hold, all of it."""


class Policy(msgspec.Struct, frozen=True):
    """One policy document."""

    name: str
    """For people, such as ``bucket.intents-raw``."""
    kind: Kind
    """Where it is attached."""
    variables: bool
    """Whether its version knows policy variables."""
    statements: tuple[Statement, ...]
    """In their order."""


def parse_policy(document: str | Mapping[str, Any], *, name: str, kind: Kind) -> Policy:
    """Read a policy document.

    Args:
        document: JSON, or what it says.
        name: for messages.
        kind: where it is attached.

    Raises:
        PolicyError: it is no JSON, or holds something that is not understood.
    """
    try:
        content: Any = json.loads(document) if isinstance(document, str) else document
    except json.JSONDecodeError as error:
        raise PolicyError(f"the policy {name} is not JSON: {error}", policy=name) from error
    try:
        return _read_policy(content, name, kind)
    except PolicyError as error:
        raise PolicyError(f"the policy {name}: {error.message}", policy=name) from error


def _read_policy(content: Any, name: str, kind: Kind) -> Policy:
    if not isinstance(content, dict):
        raise PolicyError("it must be an object")
    unknown = sorted(set(content) - {"Version", "Id", "Statement"})
    if unknown:
        raise PolicyError(f"the element {unknown[0]} is not known")
    version = content.get("Version", "2008-10-17")
    if version not in _VERSIONS:
        raise PolicyError(f"the version {version!r} is not known")
    statements = content.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise PolicyError("it must have statements")
    variables = _VERSIONS[version]
    return Policy(
        name=name,
        kind=kind,
        variables=variables,
        statements=tuple(
            _read_statement(statement, place, kind, variables=variables)
            for place, statement in enumerate(statements, start=1)
        ),
    )


def _read_statement(content: Any, place: int, kind: Kind, *, variables: bool) -> Statement:
    if not isinstance(content, dict):
        raise PolicyError(f"statement {place} must be an object")
    name = content.get("Sid") or f"statement {place}"
    try:
        unknown = sorted(set(content) - _ELEMENTS)
        if unknown:
            raise PolicyError(f"the element {unknown[0]} is not known")
        if content.get("Effect") not in {"Allow", "Deny"}:
            raise PolicyError(f"the effect {content.get('Effect')!r} is not Allow or Deny")
        actions, all_but_actions = _either(content, "Action")
        for action in actions:
            if not _ACTION.match(action):
                raise PolicyError(f"{action!r} is not an action")
        resources, all_but_resources = _read_resources(content, kind, variables=variables)
        return Statement(
            name=name,
            allows=content["Effect"] == "Allow",
            actions=tuple(action.lower() for action in actions),
            all_but_actions=all_but_actions,
            resources=resources,
            all_but_resources=all_but_resources,
            principals=_read_principals(content, kind),
            clauses=parse_conditions(content.get("Condition", {})),
        )
    except PolicyError as error:
        raise PolicyError(f"{name}: {error.message}") from error


def _either(content: dict[str, Any], element: str) -> tuple[tuple[str, ...], bool]:
    """Read ``Action`` or ``NotAction``, ``Resource`` or ``NotResource``."""
    given = [one for one in (element, f"Not{element}") if one in content]
    if len(given) != 1:
        raise PolicyError(f"it must have either {element} or Not{element}")
    return _texts(content[given[0]], given[0]), given[0] != element


def _texts(value: Any, element: str) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, str) for one in values):
        raise PolicyError(f"{element} must be a text or a list of texts")
    return tuple(values)


def _read_resources(
    content: dict[str, Any], kind: Kind, *, variables: bool
) -> tuple[tuple[str, ...], bool]:
    if kind == "trust":
        if "Resource" in content or "NotResource" in content:
            raise PolicyError("a trust policy names no resource: it is about its role")
        return (), False
    resources, all_but = _either(content, "Resource")
    for resource in resources:
        incomplete = resource.count(":") < _ARN_COLONS and not resource.endswith("*")
        if resource != "*" and (not resource.startswith("arn:") or incomplete):
            raise PolicyError(f"{resource!r} is not an ARN")
        if variables:
            check_variables(resource)
    return resources, all_but


def _read_principals(content: dict[str, Any], kind: Kind) -> Principals | None:
    if kind in {"identity", "iot"}:
        if "Principal" in content:
            raise PolicyError("it names a principal, but is attached to one")
        return None
    given = content.get("Principal")
    if given == "*":
        return Principals(everyone=True)
    if not isinstance(given, dict) or not given:
        raise PolicyError("it must name a principal")
    if unknown := sorted(set(given) - {"AWS", "Service", "Federated"}):
        raise PolicyError(f"principals of the kind {unknown[0]} are not known")
    named = _texts(given["AWS"], "AWS") if "AWS" in given else ()
    accounts = {found[1] for one in named if (found := _ACCOUNT.match(one))}
    identities = {one for one in named if one != "*" and not _ACCOUNT.match(one)}
    services = set(_texts(given["Service"], "Service")) if "Service" in given else set()
    providers = set(_texts(given["Federated"], "Federated")) if "Federated" in given else set()
    for what, pattern, found_here in (
        ("a role, user or account", _IDENTITY, identities),
        ("a service", _SERVICE, services),
        ("an identity provider", _PROVIDER, providers),
    ):
        for one in sorted(found_here):
            if not pattern.match(one):
                raise PolicyError(f"the principal {one!r} is not {what}")
    return Principals(
        everyone="*" in named,
        identities=frozenset(identities),
        accounts=frozenset(accounts),
        services=frozenset(services),
        providers=frozenset(providers),
    )
