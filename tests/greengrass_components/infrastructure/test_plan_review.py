"""What a plan would lose."""

from __future__ import annotations

from typing import Any

import pytest

from greengrass_components.infrastructure.plan_review import (
    Loss,
    adopted_losses,
    planned_creations,
    review_losses,
)


def change(
    kind: str,
    *actions: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    name: str = "this",
) -> dict[str, Any]:
    return {
        "address": f"module.a.{kind}.{name}",
        "type": kind,
        "mode": "managed",
        "change": {"actions": list(actions), "before": before, "after": after},
    }


def losses(*changes: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (loss.action, loss.address) for loss in review_losses({"resource_changes": list(changes)})
    ]


def test_a_deleted_bucket_is_a_loss() -> None:
    assert losses(change("aws_s3_bucket", "delete")) == [("delete", "module.a.aws_s3_bucket.this")]


@pytest.mark.parametrize("actions", [("delete", "create"), ("create", "delete")])
def test_a_replaced_key_is_a_loss(actions: tuple[str, str]) -> None:
    assert losses(change("aws_kms_key", *actions)) == [("replace", "module.a.aws_kms_key.this")]


@pytest.mark.parametrize("kind", ["aws_iam_role", "aws_cloudwatch_dashboard"])
def test_what_holds_no_data_may_go(kind: str) -> None:
    assert losses(change(kind, "delete")) == []


@pytest.mark.parametrize("actions", [("create",), ("no-op",), ("read",)])
def test_what_stays_or_comes_is_no_loss(actions: tuple[str]) -> None:
    assert losses(change("aws_s3_bucket", *actions)) == []


def test_the_losses_are_sorted_and_say_what_goes() -> None:
    found = review_losses(
        {
            "resource_changes": [
                change("aws_s3_bucket", "delete", name="b"),
                change("aws_s3_bucket", "delete", name="a"),
            ]
        }
    )

    assert [loss.address[-1] for loss in found] == ["a", "b"]
    assert found[0] == Loss("module.a.aws_s3_bucket.a", "delete", "its objects are deleted")


@pytest.mark.parametrize(
    ("old", "new", "is_loss"),
    [(365, 30, True), (0, 30, True), (30, 365, False), (30, 0, False), (30, 30, False)],
)
def test_log_lines_that_are_kept_for_less_time_are_a_loss(
    old: int, new: int, is_loss: bool
) -> None:
    found = losses(
        change(
            "aws_cloudwatch_log_group",
            "update",
            before={"retention_in_days": old},
            after={"retention_in_days": new},
        )
    )

    assert bool(found) == is_loss


def versioning(status: str) -> dict[str, Any]:
    return {"versioning_configuration": [{"status": status}]}


def test_suspended_versions_are_a_loss() -> None:
    kind = "aws_s3_bucket_versioning"

    assert losses(
        change(kind, "update", before=versioning("Enabled"), after=versioning("Suspended"))
    )
    assert not losses(
        change(kind, "update", before=versioning("Suspended"), after=versioning("Enabled"))
    )


def expiring(days: int | None, *, status: str = "Enabled") -> dict[str, Any]:
    expiration = [{"days": days}] if days else []
    return {"rule": [{"id": "age", "status": status, "expiration": expiration}]}


@pytest.mark.parametrize(
    ("old", "new", "is_loss"),
    [
        (expiring(90), expiring(30), True),
        (expiring(None), expiring(30), True),
        (expiring(90), expiring(365), False),
        (expiring(90), expiring(None), False),
        (expiring(90), expiring(30, status="Disabled"), False),
        (expiring(30, status="Disabled"), expiring(30), True),
    ],
)
def test_objects_that_expire_earlier_are_a_loss(
    old: dict[str, Any], new: dict[str, Any], is_loss: bool
) -> None:
    kind = "aws_s3_bucket_lifecycle_configuration"

    assert bool(losses(change(kind, "update", before=old, after=new))) == is_loss


def lock(mode: str = "GOVERNANCE", **time: int) -> dict[str, Any]:
    return {"rule": [{"default_retention": [{"mode": mode, "days": 0, "years": 0, **time}]}]}


@pytest.mark.parametrize(
    ("old", "new", "action"),
    [
        (lock(days=365), lock(days=30), "shorten"),
        (lock(years=2), lock(days=365), "shorten"),
        (lock(days=365), {"rule": []}, "shorten"),
        (lock(days=7, mode="COMPLIANCE"), lock(days=7), "weaken"),
        (lock(days=365), lock(years=1), None),
        (lock(days=30), lock(days=365), None),
        ({"rule": []}, lock(days=1), None),
    ],
)
def test_a_lock_that_holds_less_is_a_loss(
    old: dict[str, Any], new: dict[str, Any], action: str | None
) -> None:
    kind = "aws_s3_bucket_object_lock_configuration"
    found = losses(change(kind, "update", before=old, after=new))

    assert found == ([(action, f"module.a.{kind}.this")] if action else [])


TRAIL = {
    "enable_logging": True,
    "is_multi_region_trail": True,
    "enable_log_file_validation": True,
    "include_global_service_events": True,
    "event_selector": [],
    "advanced_event_selector": [],
}
KEY = {"is_enabled": True, "enable_key_rotation": True, "deletion_window_in_days": 30}


@pytest.mark.parametrize(
    ("kind", "values", "name"),
    [
        ("aws_cloudtrail", TRAIL, "enable_logging"),
        ("aws_cloudtrail", TRAIL, "is_multi_region_trail"),
        ("aws_cloudtrail", TRAIL, "enable_log_file_validation"),
        ("aws_cloudtrail", TRAIL, "include_global_service_events"),
        ("aws_kms_key", KEY, "is_enabled"),
        ("aws_kms_key", KEY, "enable_key_rotation"),
    ],
)
def test_a_protection_that_is_switched_off_is_a_loss(
    kind: str, values: dict[str, Any], name: str
) -> None:
    off = values | {name: False}

    assert losses(change(kind, "update", before=values, after=off)) == [
        ("weaken", f"module.a.{kind}.this")
    ]
    assert losses(change(kind, "update", before=off, after=values)) == []
    assert losses(change(kind, "update", before=off, after=off | {"tags": {}})) == []


@pytest.mark.parametrize(
    ("old", "new", "is_loss"), [(30, 7, True), (None, 7, True), (7, 30, False), (30, 30, False)]
)
def test_a_key_that_can_be_saved_for_less_time_is_a_loss(
    old: int | None, new: int, is_loss: bool
) -> None:
    before, after = KEY | {"deletion_window_in_days": old}, KEY | {"deletion_window_in_days": new}

    assert bool(losses(change("aws_kms_key", "update", before=before, after=after))) == is_loss


def events(kind: str = "All", *, management: bool = True, objects: list[str]) -> dict[str, Any]:
    resource = {"type": "AWS::S3::Object", "values": objects}
    return {
        "read_write_type": kind,
        "include_management_events": management,
        "data_resource": [resource] if objects else [],
    }


def advanced(**fields: dict[str, list[str]]) -> dict[str, Any]:
    return {"field_selector": [{"field": name, **given} for name, given in fields.items()]}


MANAGEMENT = advanced(eventCategory={"equals": ["Management"]})
OBJECTS = advanced(eventCategory={"equals": ["Data"]}, arn={"starts_with": ["a/", "b/"]})


@pytest.mark.parametrize(
    ("name", "old", "new", "is_loss"),
    [
        ("event_selector", [events(objects=["a/"])], [], True),
        ("event_selector", [events(objects=["a/", "b/"])], [events(objects=["a/"])], True),
        ("event_selector", [events(objects=[])], [events("WriteOnly", objects=[])], True),
        ("event_selector", [events(objects=[])], [events(management=False, objects=["a/"])], True),
        ("event_selector", [events(objects=["a/"])], [events(objects=["a/", "b/"])], False),
        ("event_selector", [events("ReadOnly", objects=[])], [events(objects=[])], False),
        ("advanced_event_selector", [MANAGEMENT, OBJECTS], [MANAGEMENT], True),
        ("advanced_event_selector", [OBJECTS], [MANAGEMENT], True),
        (
            "advanced_event_selector",
            [OBJECTS],
            [advanced(eventCategory={"equals": ["Data"]}, arn={"starts_with": ["a/"]})],
            True,
        ),
        (
            "advanced_event_selector",
            [MANAGEMENT],
            [advanced(eventCategory={"equals": ["Management"]}, source={"not_equals": ["kms"]})],
            True,
        ),
        ("advanced_event_selector", [MANAGEMENT], [OBJECTS, MANAGEMENT], False),
        (
            "advanced_event_selector",
            [OBJECTS],
            [advanced(eventCategory={"equals": ["Data"]}, arn={"starts_with": ["b/", "c/", "a/"]})],
            False,
        ),
        (
            "advanced_event_selector",
            [OBJECTS],
            [advanced(eventCategory={"equals": ["Data"]})],
            False,
        ),
    ],
)
def test_calls_that_are_recorded_no_longer_are_a_loss(
    name: str, old: list[dict[str, Any]], new: list[dict[str, Any]], is_loss: bool
) -> None:
    before, after = TRAIL | {name: old}, TRAIL | {name: new}

    assert bool(losses(change("aws_cloudtrail", "update", before=before, after=after))) == is_loss


def test_every_way_in_which_one_resource_loses_is_told() -> None:
    worse = {"is_enabled": False, "enable_key_rotation": False, "deletion_window_in_days": 7}

    assert [
        action for action, _ in losses(change("aws_kms_key", "update", before=KEY, after=worse))
    ] == ["shorten", "weaken", "weaken"]


def test_what_nobody_can_know_of_what_is_taken_over_is_no_loss() -> None:
    read = KEY | {"deletion_window_in_days": None}
    adopted = change(
        "aws_kms_key", "update", before=read, after=KEY | {"deletion_window_in_days": 7}
    )
    adopted["change"]["importing"] = {"id": "abc"}

    assert losses(adopted) == []


def test_what_is_taken_over_would_be_lost_when_it_is_deleted() -> None:
    adopted = change("aws_s3_bucket", "no-op", name="b")
    adopted["change"]["importing"] = {"id": "slm-b"}
    role = change("aws_iam_role", "update")
    role["change"]["importing"] = {"id": "edgewise-dev-ci"}
    plan = {"resource_changes": [change("aws_kms_key", "create"), adopted, role]}

    assert adopted_losses(plan) == (
        Loss("module.a.aws_s3_bucket.b", "delete", "its objects are deleted"),
    )


def test_creations_are_what_is_nowhere_yet() -> None:
    plan = {
        "resource_changes": [
            change("aws_s3_bucket", "create", after={"bucket": "slm-b"}, name="b"),
            change("aws_s3_bucket", "no-op", after={"bucket": "slm-a"}, name="a"),
            change("aws_s3_bucket", "delete", "create", after={"bucket": "slm-c"}, name="c"),
        ]
    }

    assert [(one.address[-1], one.values) for one in planned_creations(plan)] == [
        ("b", {"bucket": "slm-b"})
    ]
