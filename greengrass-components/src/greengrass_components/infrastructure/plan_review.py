"""Reads a plan before it is applied, above all for data that it would lose.

The format is that of ``terraform show -json``
(https://developer.hashicorp.com/terraform/internals/json-format#plan-representation).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import msgspec

__all__ = [
    "Loss",
    "PlannedResource",
    "adopted_losses",
    "planned_creations",
    "review_losses",
    "tags_of",
]

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
    """``delete``, ``replace``, ``shorten`` or ``weaken``."""
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
    """Find the data, or the protection of data, that a plan would lose, by address.

    Deleting or replacing what holds data counts, and so does keeping it for a shorter time,
    locking it less, recording less of who did what, and switching a key off.
    """
    return tuple(sorted(_losses(plan), key=lambda loss: loss.address))


def adopted_losses(plan: dict[str, Any]) -> tuple[Loss, ...]:
    """Find what would be lost if everything that a plan takes over were deleted, by address."""
    return tuple(
        Loss(change["address"], "delete", _HOLDS[change["type"]])
        for change in sorted(_changes(plan), key=lambda change: str(change["address"]))
        if change["change"].get("importing") is not None and change["type"] in _HOLDS
    )


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
            if change["change"].get("importing") is not None:
                # What AWS does not tell of a resource, as the window of a key, is not known to
                # have been more.
                before = {
                    name: after.get(name) if value is None else value
                    for name, value in before.items()
                }
            if (what := _shortened(kind, before, after)) is not None:
                yield Loss(change["address"], "shorten", what)
            for what in _weakened(kind, before, after):
                yield Loss(change["address"], "weaken", what)


def _shortened(kind: str, before: dict[str, Any], after: dict[str, Any]) -> str | None:
    """Say what is kept for a shorter time; None when nothing is."""
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
    if kind == "aws_s3_bucket_object_lock_configuration":
        days = _lock_days(after)
        if days < _lock_days(before):
            return f"releases can be deleted after {days} days" if days else _HOLDS[kind]
    if kind == "aws_kms_key":
        days = after["deletion_window_in_days"]
        # Null is what AWS takes by itself, its longest.
        if days and days < (before["deletion_window_in_days"] or _LONGEST_WINDOW_DAYS):
            return f"a deleted key can be saved for {days} days only"
    return None


def _weakened(kind: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Say which protections go."""
    for name, what in _SWITCHES.get(kind, {}).items():
        if before.get(name) and after.get(name) is False:
            yield what
    if kind == "aws_cloudtrail":
        # Fewer conditions record more.
        later = _recorded(after)
        if any(all(not one <= earlier for one in later) for earlier in _recorded(before)):
            yield "some calls are recorded no longer"
    if kind == "aws_s3_bucket_object_lock_configuration":
        modes = [_lock(values).get("mode") for values in (before, after)]
        if modes == ["COMPLIANCE", "GOVERNANCE"]:
            yield "whoever may bypass the lock can delete releases"


_SWITCHES = {
    "aws_cloudtrail": {
        "enable_logging": "who did what is recorded no longer",
        "is_multi_region_trail": "who did what in other regions is recorded no longer",
        "enable_log_file_validation": "changes of the record can no longer be seen",
        "include_global_service_events": "who changed rights is recorded no longer",
    },
    "aws_kms_key": {
        "is_enabled": "what it encrypted cannot be read, what it signed not verified",
        "enable_key_rotation": "it gets no new key material",
    },
}
"""What is lost when an attribute goes from true to false, by type."""

_LONGEST_WINDOW_DAYS = 30
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


def _lock(values: dict[str, Any]) -> dict[str, Any]:
    for rule in values["rule"] or []:
        for retention in rule["default_retention"] or []:
            return dict(retention)
    return {}


def _lock_days(values: dict[str, Any]) -> int:
    retention = _lock(values)
    return int(retention.get("days") or _DAYS_OF_A_YEAR * (retention.get("years") or 0))


_DAYS_OF_A_YEAR = 365


def _recorded(trail: dict[str, Any]) -> set[frozenset[tuple[str, str]]]:
    """Return what a trail records: sets of conditions that a call must meet all of."""
    found = set()
    for selector in trail.get("event_selector") or []:
        kinds = [selector["read_write_type"]]
        for kind in ["ReadOnly", "WriteOnly"] if kinds == ["All"] else kinds:
            if selector["include_management_events"]:
                found.add(frozenset({("kind", kind), ("management", "")}))
            found |= {
                frozenset({("kind", kind), (resource["type"], value)})
                for resource in selector["data_resource"] or []
                for value in resource["values"] or []
            }
    for selector in trail.get("advanced_event_selector") or []:
        conditions = [
            (f"{field['field']} {operator}", field[operator])
            for field in selector["field_selector"]
            for operator in _OPERATORS
            if field.get(operator)
        ]
        # One of the values that are asked for, and none of those that are not.
        choices = [
            [(name, value) for value in values] for name, values in conditions if "not_" not in name
        ]
        always = {
            (name, value) for name, values in conditions if "not_" in name for value in values
        }
        found |= {frozenset({*choice, *always}) for choice in itertools.product(*choices)}
    return found


_OPERATORS = (
    "equals",
    "starts_with",
    "ends_with",
    "not_equals",
    "not_starts_with",
    "not_ends_with",
)
