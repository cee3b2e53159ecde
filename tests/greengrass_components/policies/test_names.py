"""What the things of a stack are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from greengrass_components.errors import PolicyError
from greengrass_components.policies.names import Names, managed_resources, name_things

State = dict[str, Any]
Resources = list[dict[str, Any]]
Make = Callable[[], State]

ACCOUNT = "111122223333"
READER = f"arn:aws:iam::{ACCOUNT}:role/edgewise-dev-reader"


def name_state(state: State) -> Names:
    return name_things(list(managed_resources(state)))


def find(resources: Resources, kind: str, name: str = "this") -> dict[str, Any]:
    values: dict[str, Any] = next(
        one["values"] for one in resources if one["address"] == f"{kind}.{name}"
    )
    return values


def test_resources_of_all_modules_are_found_and_data_sources_are_not(
    state: Make, resources: Resources
) -> None:
    resources[-1]["mode"] = "data"
    found = [resource.address for resource in managed_resources(state())]
    assert found == [one["address"] for one in resources[:-1]]


def test_an_empty_state_is_no_stack() -> None:
    with pytest.raises(PolicyError, match="no key with the tags"):
        name_state({"format_version": "1.0"})


def test_things_are_named_without_the_name_of_the_stack(state: Make) -> None:
    names = name_state(state())
    assert names["stack"] == "edgewise-dev"
    assert names["environment"] == "dev"
    assert names["account"] == ACCOUNT
    assert names["region"] == "eu-central-1"
    assert names["bucket.intents-raw"] == "arn:aws:s3:::slm-intents-raw-dev"
    assert names["bucket.model-artifacts"] == "arn:aws:s3:::slm-model-artifacts-dev"
    assert names["bucket.terraform-state"] == "arn:aws:s3:::slm-terraform-state-dev"
    assert names["key.data"].endswith(":key/0b8c")
    assert names["role.reader"] == READER
    assert names["managed_policy.guardrails"].endswith(":policy/edgewise-dev-guardrails")
    assert names["role.elsewhere"] == f"arn:aws:iam::{ACCOUNT}:role/elsewhere"
    assert names["key.terraform-state"].startswith(f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/")


def test_two_things_of_one_name_are_refused(state: Make, resources: Resources) -> None:
    alias = find(resources, "aws_kms_alias")
    second = {
        **find(resources, "aws_kms_key"),
        "arn": "arn:aws:kms:eu-central-1:1:key/2",
        "key_id": "2",
    }
    for kind, values in (
        ("aws_kms_key", second),
        ("aws_kms_alias", {**alias, "target_key_id": "2"}),
    ):
        resources.append(
            {"address": f"{kind}.x", "mode": "managed", "type": kind, "values": values}
        )
    with pytest.raises(PolicyError, match=r"two things of the state are called key\.data"):
        name_state(state())


def test_a_thing_that_an_apply_did_not_finish_is_refused(state: Make, resources: Resources) -> None:
    find(resources, "aws_iot_policy", "device")["arn"] = ""
    with pytest.raises(PolicyError, match=r"iot_policy\.device has no ARN"):
        name_state(state())


def test_a_stack_without_a_bucket_for_raw_intents_is_none(
    state: Make, resources: Resources
) -> None:
    resources[:] = [one for one in resources if "intents-raw" not in one["address"]]
    with pytest.raises(PolicyError, match="no bucket for raw intents"):
        name_state(state())


@pytest.mark.parametrize(
    "name",
    ["/edgewise/edgewise-dev/devices", "edgewise-dev-devices", "edgewise_dev_devices", "devices"],
)
def test_the_name_of_the_stack_is_taken_out_of_names(state: Make, name: str) -> None:
    assert name_state(state()).shorten(name) == "devices"
