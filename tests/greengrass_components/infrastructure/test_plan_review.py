"""What a plan would lose."""

from __future__ import annotations

from typing import Any

import pytest

from greengrass_components.infrastructure.plan_review import (
    Loss,
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
