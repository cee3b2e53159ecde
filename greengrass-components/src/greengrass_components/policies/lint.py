"""Lints every policy of a stack with parliament, and refuses what must not exist at all.

What is accepted stands in ``lint.toml`` beside this module, with the reason.
"""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from greengrass_components.errors import PolicyError
from greengrass_components.policies.documents import Rendered, collect_documents
from greengrass_components.policies.names import managed_resources

__all__ = ["REVIEW", "Finding", "Review", "lint_policies", "read_review"]

REVIEW = Path(__file__).with_name("lint.toml")
"""What was reviewed and is accepted."""

_SECONDS = 120.0
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_FORBIDDEN = {
    "aws_iam_access_key": "credentials that never end",
    "aws_iam_group": "people come through IAM Identity Center",
    "aws_iam_user": "people come through IAM Identity Center, and programs through roles",
    "aws_iam_user_login_profile": "people come through IAM Identity Center",
    "aws_iam_user_policy": "people come through IAM Identity Center, and programs through roles",
    "aws_kms_grant": "it gives rights past the policies that are checked here",
    "aws_s3_bucket_acl": "it gives rights past the policies that are checked here",
}


class Finding(msgspec.Struct, frozen=True):
    """Something that is wrong with a policy."""

    policy: str
    """Such as ``bucket.intents-raw``; the address of a resource that must not be."""
    statement: str | None
    """Sid or number of the statement; None is the whole policy."""
    issue: str
    """parliament's name for it, such as ``RESOURCE_STAR``, or our own."""
    detail: str
    """More about it."""

    def __str__(self) -> str:
        where = f"{self.statement} of {self.policy}" if self.statement else self.policy
        return f"{where}: {self.issue}: {self.detail}"


class Waiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finding that is accepted."""

    issue: str
    """parliament's name for it; ``*`` stands for any characters."""
    policy: str
    """Name of the policy; ``*`` stands for any characters."""
    why: str
    """Why it is right as it is."""
    statement: str = "*"
    """Name of the statement; ``*`` stands for any characters."""
    detail: str = "*"
    """Text of the finding; ``*`` stands for any characters."""

    def covers(self, finding: Finding) -> bool:
        """Say whether it is about a finding."""
        return (
            fnmatch.fnmatchcase(finding.issue, self.issue)
            and fnmatch.fnmatchcase(finding.policy, self.policy)
            and fnmatch.fnmatchcase(finding.statement or "", self.statement)
            and fnmatch.fnmatchcase(finding.detail, self.detail)
        )


class NewAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An action that AWS has and parliament's table lacks."""

    action: str
    """Such as ``greengrass:GetDeploymentConfiguration``."""
    why: str
    """What it is for, as reviewed."""
    operation: str | None = None
    """``SERVICE.OPERATION`` in botocore's models, where it has the operation."""
    documentation: str | None = None
    """Where AWS describes it, otherwise."""


class Review(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is accepted."""

    waiver: tuple[Waiver, ...] = ()
    """Findings that are accepted."""
    new_action: tuple[NewAction, ...] = ()
    """Actions that parliament does not know yet."""


def read_review(path: Path) -> Review:
    """Read what is accepted.

    Raises:
        PolicyError: the file cannot be read, or has unknown keys.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Review)
    except OSError as error:
        raise PolicyError(f"cannot read the review {path.name}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise PolicyError(f"the review {path.name}: {error}") from error


def lint_policies(state: Mapping[str, Any], *, review: Review | None = None) -> tuple[Finding, ...]:
    """Lint every policy of a stack.

    Args:
        state: what ``terraform show -json`` says of the state after an apply.
        review: what is accepted; None is what stands beside this module.

    Returns:
        What is wrong: findings that nobody accepted, and resources that must not exist.

    Raises:
        PolicyError: a policy or the review is not understood, or parliament does not work.
    """
    accepted = read_review(REVIEW) if review is None else review
    _check_new_actions(accepted.new_action)
    documents = collect_documents(state)
    rendered = documents.rendered
    # A boundary gives nothing, so there is no use in asking what its rights lead to.
    given = {one.name for identity in documents.identities.values() for one in identity.policies}
    findings = [
        *(
            Finding(resource.address, None, "FORBIDDEN", _FORBIDDEN[resource.type])
            for resource in managed_resources(state)
            if resource.type in _FORBIDDEN
        ),
        *_run_parliament(rendered, accepted.new_action, audited=given),
    ]
    names = [one.name for one in rendered]
    unused = (
        Finding(waiver.policy, waiver.statement, "UNUSED_WAIVER", f"of {waiver.issue}")
        for waiver in accepted.waiver
        if fnmatch.filter(names, waiver.policy)
        and not any(waiver.covers(finding) for finding in findings)
    )
    standing = (
        finding
        for finding in findings
        if not any(waiver.covers(finding) for waiver in accepted.waiver)
    )
    return (*standing, *unused)


def _check_new_actions(actions: Sequence[NewAction]) -> None:
    """Refuse an accepted action that AWS does not have."""
    import botocore.exceptions
    import botocore.session

    session = botocore.session.Session()
    for new in actions:
        if (new.operation is None) == (new.documentation is None):
            raise PolicyError(f"{new.action}: name its operation, or where it is documented")
        if new.operation is None:
            continue
        service, _, operation = new.operation.partition(".")
        try:
            model = session.get_service_model(service)
        except botocore.exceptions.UnknownServiceError as error:
            raise PolicyError(f"{new.action}: AWS has no service {service}") from error
        if operation not in model.operation_names:
            raise PolicyError(f"{new.action}: {service} has no operation {operation}")


def _run_parliament(
    rendered: Sequence[Rendered], new: Sequence[NewAction], *, audited: set[str]
) -> Iterator[Finding]:
    skipped = [one.action for one in new]
    documents = [
        *(_prepare(one, {action.lower() for action in skipped}) for one in rendered),
        # The last one asks whether parliament has learnt the new actions.
        {"Version": "2012-10-17", "Statement": [_statement(action) for action in skipped]},
    ]
    asked = [
        {
            "text": json.dumps(document),
            "audit": place < len(rendered) and rendered[place].name in audited,
        }
        for place, document in enumerate(documents)
    ]
    still_new = set()
    for finding in _call_parliament(asked):
        place, number = finding["document"], finding["statement"]
        if place == len(rendered):
            still_new.add(skipped[number])
            continue
        statement = None
        if number is not None:
            sid = documents[place]["Statement"][number].get("Sid")
            statement = sid or f"statement {number + 1}"
        yield Finding(rendered[place].name, statement, finding["issue"], finding["detail"])
    for action in skipped:
        if action not in still_new:
            yield Finding(action, None, "KNOWN_ACTION", "parliament knows it: it needs no review")


def _call_parliament(asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    done = subprocess.run(
        # Warnings of parliament's own code are nothing that we could mend.
        [sys.executable, "-I", "-W", "ignore", "-m", f"{__package__}.parliament_process"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise PolicyError(f"parliament does not work: {said}")
    findings: list[dict[str, Any]] = json.loads(done.stdout)
    return findings


def _statement(action: str) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": "*"}


def _prepare(rendered: Rendered, skipped: set[str]) -> dict[str, Any]:
    """Write a policy as parliament can read it.

    A trust policy names no resource, which parliament asks for. It takes the colon of a policy
    variable for one of the ARN. And actions that it does not know would end its work on the
    statement, so those that were reviewed are left out.
    """
    document: dict[str, Any] = json.loads(rendered.document)
    statements = document["Statement"]
    if isinstance(statements, dict):
        statements = [statements]
    for statement in statements:
        if rendered.kind == "trust":
            statement["Resource"] = "arn:aws:iam::123456789012:role/any"
        for element in ("Resource", "NotResource"):
            if element in statement:
                statement[element] = [
                    _VARIABLE.sub("any", one) for one in _several(statement[element])
                ]
        for element in ("Action", "NotAction"):
            if element in statement:
                actions = _several(statement[element])
                kept = [action for action in actions if action.lower() not in skipped]
                if not kept:
                    # Nothing is left to lint but what surrounds the actions.
                    kept, statement["Resource"] = ["sts:GetCallerIdentity"], ["*"]
                statement[element] = kept
    return {**document, "Statement": statements}


def _several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
