"""What an interrupted apply left: found, checked, taken over."""

from __future__ import annotations

from typing import Any

import pytest

from greengrass_components.errors import TerraformFailedError
from greengrass_components.infrastructure.account import Caller
from greengrass_components.infrastructure.adoption import (
    check_adoptions,
    find_conflicts,
    import_blocks,
    import_id,
    is_name_conflict,
    strangers,
)
from greengrass_components.infrastructure.plan_review import PlannedResource

CALLER = Caller(
    account_id="123456789012",
    arn="arn:aws:iam::123456789012:role/platform",
    partition="aws",
    region="eu-central-1",
)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("aws_s3_bucket", {"bucket": "slm-a"}, "slm-a"),
        ("aws_iam_role", {"name": "edgewise-dev-signer", "path": "/"}, "edgewise-dev-signer"),
        (
            "aws_iam_policy",
            {"name": "edgewise-dev-guardrails", "path": "/"},
            "arn:aws:iam::123456789012:policy/edgewise-dev-guardrails",
        ),
        (
            "aws_iam_openid_connect_provider",
            {"url": "https://token.actions.githubusercontent.com"},
            "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com",
        ),
        ("aws_budgets_budget", {"name": "edgewise-dev"}, "123456789012:edgewise-dev"),
        (
            "aws_cloudtrail",
            {"name": "edgewise-dev-trail"},
            "arn:aws:cloudtrail:eu-central-1:123456789012:trail/edgewise-dev-trail",
        ),
        ("aws_lambda_permission", {"function_name": "f", "statement_id": "iot"}, "f/iot"),
    ],
)
def test_a_name_of_our_choice_is_its_import_id(
    kind: str, values: dict[str, Any], expected: str
) -> None:
    assert import_id(PlannedResource("a.b", kind, values), CALLER) == expected


def test_a_name_that_is_known_later_has_no_import_id_yet() -> None:
    assert import_id(PlannedResource("a.b", "aws_s3_bucket", {"bucket": None}), CALLER) is None


def test_a_kind_without_a_name_has_no_import_id() -> None:
    assert import_id(PlannedResource("a.b", "aws_kms_key", {"description": "x"}), CALLER) is None


@pytest.mark.parametrize(
    "text",
    [
        "creating S3 Bucket (slm-a): StatusCode: 409, BucketAlreadyOwnedByYou: ",
        "creating IAM Role: EntityAlreadyExists: Role with name x already exists.",
        "creating IoT Policy: ResourceAlreadyExistsException: Policy cannot be created",
        "creating Budget: DuplicateRecordException: Error creating budget",
    ],
)
def test_a_taken_name_is_told_from_other_errors(text: str) -> None:
    assert is_name_conflict(text)


@pytest.mark.parametrize("text", ["AccessDenied: no", "connection refused", "LimitExceeded"])
def test_other_errors_are_no_taken_names(text: str) -> None:
    assert not is_name_conflict(text)


def test_imports_are_sorted_by_address() -> None:
    assert import_blocks({"b.c": "2", 'module.a["x"].r.this': "1"}) == {
        "import": [{"to": "b.c", "id": "2"}, {"to": 'module.a["x"].r.this', "id": "1"}]
    }


def plan_with(before: dict[str, Any]) -> dict[str, Any]:
    change = {"actions": ["no-op"], "importing": {"id": "slm-a"}, "before": before}
    return {
        "resource_changes": [
            {"address": "aws_s3_bucket.this", "type": "aws_s3_bucket", "change": change},
            {"address": "x.y", "type": "x", "change": {"actions": ["create"], "before": None}},
        ]
    }


@pytest.mark.parametrize(
    "before",
    [
        pytest.param({"tags_all": {"Stack": "edgewise-dev"}}, id="by its tag"),
        pytest.param({}, id="by its name, as it has no tags"),
    ],
)
def test_what_is_the_stacks_is_taken_over(before: dict[str, Any]) -> None:
    plan = plan_with(before)

    check_adoptions(plan, stack="edgewise-dev")
    assert strangers(plan, stack="edgewise-dev") == {}


@pytest.mark.parametrize("tags", [None, {}, {"Stack": "edgewise-prod"}])
def test_what_is_somebody_elses_is_refused(tags: dict[str, str] | None) -> None:
    plan = plan_with({"tags_all": tags})

    assert strangers(plan, stack="edgewise-dev") == {"aws_s3_bucket.this": "slm-a"}
    with pytest.raises(TerraformFailedError, match="slm-a is there already and does not belong"):
        check_adoptions(plan, stack="edgewise-dev")


def test_conflicts_are_the_planned_resources_whose_name_is_taken() -> None:
    planned = {
        name: {
            "address": f"aws_iam_role.{name}",
            "type": "aws_iam_role",
            "mode": "managed",
            "change": {"actions": ["create"], "after": {"name": name}},
        }
        for name in ("a", "b")
    }
    failures = [
        ("aws_iam_role.a", "EntityAlreadyExists: Role with name a already exists."),
        ("aws_iam_role.b", "AccessDenied: no"),
        ("aws_iam_role.c", "EntityAlreadyExists: Role with name c already exists."),
        ("", "EntityAlreadyExists"),
    ]

    plan = {"resource_changes": list(planned.values())}
    assert find_conflicts(failures, plan, CALLER) == {"aws_iam_role.a": "a"}
