"""Which boxes and arrows a stack has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from greengrass_components.errors import TerraformError
from greengrass_components.infrastructure.architecture import (
    Arrow,
    read_architecture,
)

ACCOUNT = "123456789012"


def resource(address: str, index: str | None = None, **values: Any) -> dict[str, Any]:
    kind, name = address.split(".")[-2:]
    found = {"mode": "managed", "type": kind, "name": name, "values": values}
    found["address"] = address if index is None else f'{address}["{index}"]'
    return found if index is None else {**found, "index": index}


def shown(**modules: list[dict[str, Any]]) -> dict[str, Any]:
    """A plan in which every value is known: module -> its resources, addressed from there."""
    children = [
        {
            "address": f"module.{name}",
            "resources": [
                {**one, "address": f"module.{name}.{one['address']}"} for one in resources
            ],
        }
        for name, resources in modules.items()
    ]
    return {"planned_values": {"root_module": {"child_modules": children}}}


def bucket(name: str, resource_name: str = "this") -> dict[str, Any]:
    return resource(f"aws_s3_bucket.{resource_name}", bucket=name, arn=f"arn:aws:s3:::{name}")


def role(name: str, **trusted: str) -> dict[str, Any]:
    return resource(
        f"aws_iam_role.{name}",
        name=f"dev-{name}",
        arn=f"arn:aws:iam::{ACCOUNT}:role/dev-{name}",
        assume_role_policy=policy(Action="sts:AssumeRole", Principal=trusted),
    )


def policy(effect: str = "Allow", **parts: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": effect, **parts}]})


def arrows(plan: dict[str, Any]) -> set[tuple[str, str]]:
    return {(arrow.source, arrow.target) for arrow in read_architecture(plan).arrows}


def test_a_bucket_and_its_parts_are_one_box() -> None:
    found = read_architecture(
        shown(
            store=[
                bucket("raw"),
                resource("aws_s3_bucket_versioning.this", bucket="raw"),
                resource("aws_s3_bucket_policy.this", bucket="raw", policy=policy()),
            ]
        )
    )

    assert [(box.kind, box.names) for box in found.boxes] == [("bucket", ("store",))]


def test_the_alarms_of_a_module_are_one_box_with_their_names() -> None:
    found = read_architecture(
        shown(
            watch=[
                resource("aws_cloudwatch_metric_alarm.error_rate", alarm_name="dev-error-rate"),
                resource("aws_cloudwatch_metric_alarm.gauge", "drift", alarm_name="dev-drift"),
            ]
        )
    )

    (box,) = found.boxes
    assert (box.area, box.kind, box.names) == ("watch", "alarms", ("drift", "error rate"))
    assert box.addresses == (
        "module.watch.aws_cloudwatch_metric_alarm.error_rate",
        'module.watch.aws_cloudwatch_metric_alarm.gauge["drift"]',
    )


def test_each_role_is_a_box_of_its_own() -> None:
    found = read_architecture(
        shown(
            identity=[
                resource("aws_iam_role.this", "signer", name="dev-signer"),
                resource("aws_iam_role.this", "lambda", name="dev-lambda"),
            ]
        )
    )

    assert [box.names for box in found.boxes] == [("lambda",), ("signer",)]


def test_a_kind_that_is_not_known_is_drawn_all_the_same() -> None:
    found = read_architecture(shown(images=[resource("aws_ecr_repository.runtime", name="x")]))

    assert [(box.kind, box.names) for box in found.boxes] == [("ecr repository", ("runtime",))]


def test_a_value_that_is_an_arn_of_another_box_is_an_arrow() -> None:
    key = resource("aws_kms_key.data", arn="arn:aws:kms:eu-central-1:1:key/abc", key_id="abc")
    group = resource(
        "aws_cloudwatch_log_group.this", kms_key_id="arn:aws:kms:eu-central-1:1:key/abc"
    )

    assert arrows(shown(keys=[key], watch=[group])) == {
        ("module.watch.aws_cloudwatch_log_group", "module.keys.aws_kms_key.data")
    }


@pytest.mark.parametrize("of", ["arn:aws:s3:::raw", "arn:aws:s3:::raw/*", "arn:aws:s3:::raw/a/b"])
def test_a_role_that_may_use_a_bucket_or_objects_in_it_has_an_arrow_to_it(of: str) -> None:
    plan = shown(
        store=[bucket("raw")],
        identity=[
            role("reader"),
            resource("aws_iam_role_policy.reader", role="dev-reader", policy=policy(Resource=[of])),
        ],
    )

    assert arrows(plan) == {
        ("module.identity.aws_iam_role.reader", "module.store.aws_s3_bucket.this")
    }


@pytest.mark.parametrize("of", ["arn:aws:s3:::raw-2", "arn:aws:s3:::ra", "*", "raw-2"])
def test_a_name_that_only_resembles_is_no_arrow(of: str) -> None:
    plan = shown(
        store=[bucket("raw")],
        identity=[
            role("reader"),
            resource("aws_iam_role_policy.reader", role="dev-reader", policy=policy(Resource=of)),
        ],
    )

    assert arrows(plan) == set()


def test_what_a_policy_denies_is_no_arrow() -> None:
    denied = policy("Deny", Resource="arn:aws:s3:::raw")
    plan = shown(
        store=[bucket("raw")],
        identity=[
            role("reader"),
            resource("aws_iam_role_policy.reader", role="dev-reader", policy=denied),
        ],
    )

    assert arrows(plan) == set()


def test_whom_the_policy_of_a_key_lets_in_uses_the_key() -> None:
    signer = f"arn:aws:iam::{ACCOUNT}:role/dev-signer"
    allowed = policy(
        Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        Condition={"ArnEquals": {"aws:PrincipalArn": [signer]}},
        Resource="*",
    )
    # The ARN of the role is not known yet; its name is.
    plan = shown(
        keys=[resource("aws_kms_key.signing", policy=allowed)],
        identity=[resource("aws_iam_role.signer", name="dev-signer")],
    )

    assert arrows(plan) == {
        ("module.identity.aws_iam_role.signer", "module.keys.aws_kms_key.signing")
    }


@pytest.mark.parametrize(
    ("principal", "who"),
    [
        ({"Service": "credentials.iot.amazonaws.com"}, "devices"),
        ({"Service": ["sagemaker.amazonaws.com"]}, "SageMaker"),
        (
            {
                "Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/"
                "token.actions.githubusercontent.com"
            },
            "GitHub Actions",
        ),
    ],
)
def test_who_may_assume_a_role_comes_from_outside(principal: dict[str, Any], who: str) -> None:
    found = read_architecture(shown(identity=[role("entry", **principal)]))

    assert found.arrows == (Arrow(who, "module.identity.aws_iam_role.entry"),)
    assert [(box.area, box.names) for box in found.boxes if not box.addresses] == [
        ("outside", (who,))
    ]


def test_a_service_that_acts_for_a_box_is_nobody_from_outside() -> None:
    assert arrows(shown(identity=[role("hook", Service="lambda.amazonaws.com")])) == set()


def test_the_names_of_alarms_in_a_rule_are_arrows() -> None:
    plan = shown(
        watch=[
            resource("aws_cloudwatch_metric_alarm.drift", alarm_name="dev-drift"),
            resource(
                "aws_cloudwatch_composite_alarm.unhealthy",
                alarm_name="dev-unhealthy",
                alarm_rule='ALARM("dev-drift") OR ALARM("dev-other")',
            ),
        ]
    )

    assert arrows(plan) == {
        (
            "module.watch.aws_cloudwatch_composite_alarm.unhealthy",
            "module.watch.aws_cloudwatch_metric_alarm",
        )
    }


def test_tags_and_own_names_are_no_arrows() -> None:
    plan = shown(
        fleet=[resource("aws_iot_thing_group.fleet", name="dev-fleet", tags={"Stack": "raw"})],
        store=[bucket("raw")],
        watch=[resource("aws_cloudwatch_dashboard.fleet", dashboard_name="dev-fleet")],
    )

    assert arrows(plan) == {("people", "module.watch.aws_cloudwatch_dashboard.fleet")}


def fresh_plan() -> dict[str, Any]:
    """A plan of two buckets and what uses one of them, before there is anything."""
    configuration = {
        "module_calls": {
            "store": {
                "module": {
                    "outputs": {
                        "arn": {"expression": {"references": ["aws_s3_bucket.this.arn"]}},
                    },
                    "resources": [{"address": "aws_s3_bucket.this", "expressions": {}}],
                }
            },
            "audit": {
                "expressions": {
                    "bucket_arn": {
                        "references": [
                            'module.store["raw"].arn',
                            'module.store["raw"]',
                            "module.store",
                        ]
                    }
                },
                "module": {
                    "resources": [
                        {
                            "address": "aws_cloudtrail.this",
                            "expressions": {
                                "name": {"constant_value": "trail"},
                                "s3_bucket_name": {"references": ["var.bucket_arn"]},
                            },
                        }
                    ]
                },
            },
        }
    }
    children = [
        {
            "address": f'module.store["{name}"]',
            "resources": [
                {
                    **resource("aws_s3_bucket.this", bucket=name),
                    "address": f'module.store["{name}"].aws_s3_bucket.this',
                }
            ],
        }
        for name in ("raw", "processed")
    ]
    trail = {
        **resource("aws_cloudtrail.this", name="trail"),
        "address": "module.audit.aws_cloudtrail.this",
    }
    children.append({"address": "module.audit", "resources": [trail]})
    return {
        "planned_values": {"root_module": {"child_modules": children}},
        "configuration": {"root_module": configuration},
        "resource_changes": [
            {
                "address": "module.audit.aws_cloudtrail.this",
                "change": {"after_unknown": {"s3_bucket_name": True, "arn": True}},
            }
        ],
    }


def test_what_is_not_known_yet_is_followed_through_variables_and_outputs() -> None:
    assert arrows(fresh_plan()) == {
        ("module.audit.aws_cloudtrail.this", 'module.store["raw"].aws_s3_bucket.this')
    }


def test_a_reference_that_leads_to_several_boxes_is_no_arrow() -> None:
    plan = fresh_plan()
    call = plan["configuration"]["root_module"]["module_calls"]["audit"]
    call["expressions"]["bucket_arn"]["references"] = ["module.store"]

    assert arrows(plan) == set()


def test_how_much_is_not_known_is_told() -> None:
    assert read_architecture(fresh_plan()).unknown == 1


@pytest.mark.parametrize("wrong", [{}, {"values": {}}, {"planned_values": {"root_module": {}}}])
def test_nothing_to_draw_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(TerraformError, match="no resource to draw"):
        read_architecture(wrong)
