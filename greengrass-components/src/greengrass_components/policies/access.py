"""Holds the policies of a stack against a table of who may do what.

The table is TOML. Each row says who (``principal``), what (``action``) with what
(``resource``), how (``context``), whether that is allowed (``expect``), and why it must be so.
``{role.signer}`` and the like stand for what the stack has under that name. Besides the rows,
every identity must have rows of both kinds, and every statement must apply in some row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from greengrass_components.errors import PolicyError
from greengrass_components.policies.documents import Documents, Identity, collect_documents
from greengrass_components.policies.evaluator import Decision, Request, decide
from greengrass_components.policies.statements import parse_policy

__all__ = ["AccessReport", "Outcome", "check_access"]

_GROUPS = {"*each": "", "*people": "permission_set.", "*roles": "role."}
"""What stands for every identity of the stack whose name begins so."""

_PLACE = re.compile(r"\{([^{}]*)\}")
_OTHER_ACCOUNT = "999999999999"
_EVERYTHING = parse_policy(
    {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}],
    },
    name="every right in IAM",
    kind="identity",
)


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of the table; a list stands for a row of each."""

    principal: str | list[str]
    """Name of an identity (``role.signer``, ``permission_set.auditor``,
    ``certificate.device``); ``*roles``, ``*people`` or ``*each`` for all of them; any of these
    with a ``+``: as if somebody had given it every right too; a service; ``administrator`` (a
    role of the account with every right and no boundary) or ``stranger`` (the same of another
    account); ``root``; ``provider.HOST``; or ``anonymous``."""
    action: str | list[str]
    """Such as ``s3:GetObject``."""
    resource: str | list[str]
    """ARN, or ``*`` for an action without a resource."""
    expect: Literal["allow", "deny"]
    """What must come out."""
    why: str
    """The reason, for people."""
    context: dict[str, str | list[str]] = {}
    """Condition keys of the call, besides those of the table; ``[]`` takes one of those away."""
    environments: list[str] = []
    """Environments that the row is about; empty means all."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    row: list[Row]
    context: dict[str, str | list[str]] = {}
    """Condition keys of every call."""
    context_of: dict[str, dict[str, str | list[str]]] = {}
    """Condition keys of every call of one principal."""


class Outcome(msgspec.Struct, frozen=True):
    """What came out of one row for one call."""

    row: int
    """Number of the row in the table, from 1."""
    principal: str
    """Who, as in the table."""
    request: Request
    """The call."""
    expect: Literal["allow", "deny"]
    """What must come out."""
    why: str
    """The reason that the table gives."""
    decision: Decision
    """What came out, and the statement that decided."""

    @property
    def holds(self) -> bool:
        """Whether the row is true."""
        return self.decision.allowed == (self.expect == "allow")

    def __str__(self) -> str:
        return (
            f"row {self.row}: {self.principal} {self.request.action} {self.request.resource}: "
            f"expected {self.expect}, but {self.decision.reason} ({self.why})"
        )


class AccessReport(msgspec.Struct, frozen=True):
    """What the table found."""

    rows: int
    """Rows of the table that were evaluated."""
    calls: int
    """Calls that they stand for: one for each principal, action and resource of a row."""
    failures: tuple[str, ...]
    """One line for each row that is not true, and for each gap of the table."""
    outcomes: tuple[Outcome, ...]
    """Every row, in the table's order."""


def check_access(state: Mapping[str, Any], table: Path) -> AccessReport:
    """Hold the policies of a stack against the table.

    Args:
        state: what ``terraform show -json`` says of the state after an apply.
        table: path of the table.

    Raises:
        PolicyError: a policy or the table is not understood: an unknown element, operator,
            principal, placeholder or key.
    """
    documents = collect_documents(state)
    content = _read_table(table)
    outcomes = tuple(_evaluate(documents, content))
    failures = [str(outcome) for outcome in outcomes if not outcome.holds]
    return AccessReport(
        rows=len({outcome.row for outcome in outcomes}),
        calls=len(outcomes),
        failures=(*failures, *_gaps(documents, content, outcomes)),
        outcomes=outcomes,
    )


def _read_table(path: Path) -> _Table:
    try:
        return msgspec.toml.decode(path.read_bytes(), type=_Table)
    except OSError as error:
        raise PolicyError(f"cannot read the table {path.name}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise PolicyError(f"the table {path.name}: {error}") from error


def _evaluate(documents: Documents, table: _Table) -> Iterator[Outcome]:
    callers = _callers(documents)
    for name in table.context_of:
        _find_caller(callers, name)
    for number, row in enumerate(table.row, start=1):
        if row.environments and documents.names["environment"] not in row.environments:
            continue
        try:
            for principal in _each(row.principal, documents):
                caller = _find_caller(callers, _fill(principal, documents))
                context = (
                    table.context
                    | table.context_of.get(principal.removesuffix("+"), {})
                    | row.context
                )
                for action in _several(row.action):
                    for resource in _several(row.resource):
                        request = Request(
                            principal=caller.arn,
                            action=action,
                            resource=_fill(resource, documents),
                            context={
                                key: _fill(value, documents)
                                if isinstance(value, str)
                                else tuple(_fill(one, documents) for one in value)
                                for key, value in context.items()
                                if value != []
                            },
                        )
                        decision = _decide(documents, caller, request)
                        yield Outcome(number, principal, request, row.expect, row.why, decision)
        except PolicyError as error:
            raise PolicyError(f"row {number} of the table: {error.message}", row=number) from error


def _several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _each(principal: str | list[str], documents: Documents) -> Iterator[str]:
    for name in _several(principal):
        group = name.removesuffix("+")
        if group in _GROUPS:
            everybody = sorted(identity.name for identity in documents.identities.values())
            more = name.removeprefix(group)
            yield from (one + more for one in everybody if one.startswith(_GROUPS[group]))
        else:
            yield name


def _fill(text: str, documents: Documents) -> str:
    """Put what the stack has in the places of a text."""

    def find(place: re.Match[str]) -> str:
        if place[1] not in documents.names:
            raise PolicyError(f"the stack has nothing called {place[1]}", name=place[1])
        return documents.names[place[1]]

    return _PLACE.sub(find, text)


def _callers(documents: Documents) -> dict[str, Identity]:
    """Everybody whom a row may name, besides services."""
    role = "arn:{partition}:iam::{account}:role/administrator"
    here = _fill(role, documents)
    there = here.replace(documents.names["account"], _OTHER_ACCOUNT)
    return {
        **{identity.name: identity for identity in documents.identities.values()},
        **{
            name: Identity(name, arn, ())
            for name, arn in documents.names.items()
            if name.startswith("provider.")
        },
        "administrator": Identity("administrator", here, (_EVERYTHING,)),
        "stranger": Identity("stranger", there, (_EVERYTHING,)),
        "root": Identity("root", _fill("arn:{partition}:iam::{account}:root", documents), ()),
        "anonymous": Identity("anonymous", "*", ()),
    }


def _find_caller(callers: Mapping[str, Identity], name: str) -> Identity:
    if name.endswith(".amazonaws.com"):
        return Identity(name, name, ())
    own = name.removesuffix("+")
    if own not in callers:
        raise PolicyError(f"nobody is called {own}", name=own)
    if own == name:
        return callers[own]
    return msgspec.structs.replace(callers[own], policies=(*callers[own].policies, _EVERYTHING))


def _decide(documents: Documents, caller: Identity, request: Request) -> Decision:
    if request.action.lower().startswith("sts:assumerole"):
        guard = documents.trusts.get(request.resource)
    else:
        # What lies in a bucket is guarded by the policy of the bucket.
        guard = documents.guards.get(request.resource.partition("/")[0]) or documents.guards.get(
            request.resource
        )
    # The ARNs of some things, such as buckets, do not say whose they are: ours, in the table.
    nameless = request.resource.split(":")[4:5] == [""]
    return decide(
        request,
        identity=caller.policies,
        ceilings=(caller.boundary,) if caller.boundary else (),
        resource=guard,
        owner=documents.names["account"] if nameless else None,
    )


def _gaps(documents: Documents, table: _Table, outcomes: tuple[Outcome, ...]) -> Iterator[str]:
    """Say what the table does not speak of."""
    named = {(principal, row.expect) for row in table.row for principal in _several(row.principal)}
    for identity in documents.identities.values():
        for expect, what in (("allow", "may"), ("deny", "must not")):
            if (identity.name, expect) not in named:
                yield f"no row says what {identity.name} {what} do"
    reached = {one for outcome in outcomes for one in outcome.decision.applied}
    for rendered in documents.rendered:
        for statement in rendered.read().statements:
            if (rendered.name, statement.name) not in reached:
                yield f"no row reaches {statement.name} of {rendered.name}"
