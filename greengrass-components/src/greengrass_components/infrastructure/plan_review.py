"""Reads a plan before it is applied, above all for data that it would lose.

The format is that of ``terraform show -json``
(https://developer.hashicorp.com/terraform/internals/json-format#plan-representation).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

__all__ = ["Loss", "PlannedResource", "planned_creations", "review_losses", "tags_of"]

_HOLDS = {
    "aws_cloudtrail": "the record of who did what goes on no longer",
    "aws_cloudwatch_log_group": "its log lines are deleted",
    "aws_iot_thing_group": "which devices are in it is forgotten",
    "aws_kms_key": "what it encrypted can never be read again, what it signed never verified",
    "aws_s3_bucket": "its objects are deleted",
    "aws_s3_bucket_versioning": "replaced and deleted objects are kept no longer",
    "aws_s3_bucket_object_lock_configuration": "releases can be deleted",
    "aws_sagemaker_model_package_group": "its models are forgotten",
}
"""What is lost when a resource of this type is deleted or replaced."""


class Loss(msgspec.Struct, frozen=True):
    """One resource whose data a plan would lose."""

    address: str
    """Where it stands in the configuration."""
    action: str
    """``delete``, ``replace`` or ``shorten``."""
    what: str
    """What is lost."""


class PlannedResource(msgspec.Struct, frozen=True):
    """One resource that a plan would create."""

    address: str
    """Where it stands in the configuration."""
    type: str
    """Such as ``aws_s3_bucket``."""
    values: dict[str, Any]
    """Its attributes, as far as they are known before it is there."""


def review_losses(plan: dict[str, Any]) -> tuple[Loss, ...]:
    """Find the data that a plan would lose, by address.

    Deleting or replacing what holds data counts, and so does keeping it for a shorter time.
    """
    return tuple(sorted(_losses(plan), key=lambda loss: loss.address))


def planned_creations(plan: dict[str, Any]) -> tuple[PlannedResource, ...]:
    """Return the resources that a plan would create and that are nowhere yet, by address."""
    return tuple(
        PlannedResource(change["address"], change["type"], change["change"]["after"] or {})
        for change in sorted(_changes(plan), key=lambda change: str(change["address"]))
        if change["change"]["actions"] == ["create"] and change["mode"] == "managed"
    )


def tags_of(change: dict[str, Any]) -> dict[str, str] | None:
    """Return the tags that a resource has now; None when its type has no tags."""
    before = change["change"].get("before") or {}
    if "tags_all" not in before:
        return None
    return before["tags_all"] or {}


def _changes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    changes: list[dict[str, Any]] = plan.get("resource_changes", [])
    return changes


def _losses(plan: dict[str, Any]) -> Iterator[Loss]:
    for change in _changes(plan):
        kind, actions = change["type"], change["change"]["actions"]
        if kind in _HOLDS and "delete" in actions:
            action = "replace" if "create" in actions else "delete"
            yield Loss(change["address"], action, _HOLDS[kind])
        elif actions == ["update"]:
            before, after = change["change"]["before"], change["change"]["after"]
            if (what := _shortened(kind, before, after)) is not None:
                yield Loss(change["address"], "shorten", what)


def _shortened(kind: str, before: dict[str, Any], after: dict[str, Any]) -> str | None:
    if kind == "aws_cloudwatch_log_group":
        # 0 means for ever.
        old, new = before["retention_in_days"] or 0, after["retention_in_days"] or 0
        if new and (old == 0 or new < old):
            return f"log lines older than {new} days are deleted"
    if kind == "aws_s3_bucket_versioning":
        status = after["versioning_configuration"][0]["status"]
        if status != "Enabled" and before["versioning_configuration"][0]["status"] == "Enabled":
            return _HOLDS[kind]
    if kind == "aws_s3_bucket_lifecycle_configuration":
        earlier, later = _expiry_days(before), _expiry_days(after)
        if any(days < earlier.get(rule, _NEVER) for rule, days in later.items()):
            return "objects expire earlier"
    return None


_NEVER = 1 << 31


def _expiry_days(values: dict[str, Any]) -> dict[str, int]:
    found = {}
    for rule in values["rule"]:
        if rule["status"] != "Enabled":
            continue
        for block, field in (
            ("expiration", "days"),
            ("noncurrent_version_expiration", "noncurrent_days"),
        ):
            for entry in rule.get(block) or []:
                if entry.get(field):
                    found[f"{rule['id']} {block}"] = entry[field]
    return found
