"""Provisioning templates of the emulated AWS IoT, and their versions."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/iot"
ONE, TWO, THREE = (json.dumps({"version": number}) for number in (1, 2, 3))
numbers = itertools.count(1)


@pytest.fixture
def template(iot: Any) -> Iterator[str]:
    """The name of a provisioning template."""
    name = f"template-{next(numbers)}"
    iot.create_provisioning_template(
        templateName=name,
        description="devices by claim",
        templateBody=ONE,
        provisioningRoleArn=ROLE,
        enabled=True,
        preProvisioningHook={"targetArn": "arn:aws:lambda:eu-central-1:1:function:hook"},
    )
    yield name
    if any(one["templateName"] == name for one in listed(iot)):
        iot.delete_provisioning_template(templateName=name)


def listed(iot: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = iot.list_provisioning_templates()["templates"]
    return found


def told(iot: Any, template: str) -> dict[str, Any]:
    found: dict[str, Any] = iot.describe_provisioning_template(templateName=template)
    return found


def test_a_template_is_told_as_it_was_made(iot: Any, template: str) -> None:
    found = told(iot, template)

    assert found["templateBody"] == ONE
    assert (found["provisioningRoleArn"], found["enabled"]) == (ROLE, True)
    assert found["preProvisioningHook"]["targetArn"].endswith(":hook")
    assert (found["defaultVersionId"], found["type"]) == (1, "FLEET_PROVISIONING")
    assert found["templateArn"].endswith(f":123456789012:provisioningtemplate/{template}")


def test_a_template_is_listed(iot: Any, template: str) -> None:
    assert template in {one["templateName"] for one in listed(iot)}


def test_a_second_one_of_its_name_is_refused(iot: Any, template: str) -> None:
    with pytest.raises(ClientError, match="ResourceAlreadyExistsException"):
        iot.create_provisioning_template(
            templateName=template, templateBody="{}", provisioningRoleArn=ROLE
        )


def test_it_can_be_changed(iot: Any, template: str) -> None:
    iot.update_provisioning_template(
        templateName=template, enabled=False, removePreProvisioningHook=True
    )

    found = told(iot, template)
    assert not found["enabled"]
    assert "preProvisioningHook" not in found
    assert found["description"] == "devices by claim"


def test_a_new_version_is_used_when_asked_for(iot: Any, template: str) -> None:
    iot.create_provisioning_template_version(templateName=template, templateBody=TWO)
    assert told(iot, template)["templateBody"] == ONE

    made = iot.create_provisioning_template_version(
        templateName=template, templateBody=THREE, setAsDefault=True
    )

    assert (made["versionId"], made["isDefaultVersion"]) == (3, True)
    assert told(iot, template)["templateBody"] == THREE


def test_an_older_version_can_be_made_the_default(iot: Any, template: str) -> None:
    iot.create_provisioning_template_version(
        templateName=template, templateBody=TWO, setAsDefault=True
    )

    iot.update_provisioning_template(templateName=template, defaultVersionId=1)

    assert told(iot, template)["templateBody"] == ONE


def test_versions_are_listed_and_told(iot: Any, template: str) -> None:
    iot.create_provisioning_template_version(templateName=template, templateBody=TWO)

    found = iot.list_provisioning_template_versions(templateName=template)["versions"]
    second = iot.describe_provisioning_template_version(templateName=template, versionId=2)

    assert [(one["versionId"], one["isDefaultVersion"]) for one in found] == [
        (1, True),
        (2, False),
    ]
    assert (second["templateBody"], second["isDefaultVersion"]) == (TWO, False)


def test_the_default_version_stays(iot: Any, template: str) -> None:
    with pytest.raises(ClientError, match="DeleteConflictException"):
        iot.delete_provisioning_template_version(templateName=template, versionId=1)


def test_the_number_of_a_deleted_version_is_not_used_again(iot: Any, template: str) -> None:
    iot.create_provisioning_template_version(templateName=template, templateBody=TWO)
    iot.delete_provisioning_template_version(templateName=template, versionId=2)

    made = iot.create_provisioning_template_version(templateName=template, templateBody=THREE)

    assert made["versionId"] == 3


@pytest.mark.parametrize("version", [0, 7])
def test_a_version_that_is_not_there(iot: Any, template: str, version: int) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        iot.update_provisioning_template(templateName=template, defaultVersionId=version)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        iot.describe_provisioning_template_version(templateName=template, versionId=version)


def test_a_deleted_template_is_gone(iot: Any, template: str) -> None:
    iot.delete_provisioning_template(templateName=template)

    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        told(iot, template)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        iot.delete_provisioning_template(templateName=template)


@pytest.mark.parametrize("body", ["no JSON", "[]", json.dumps({"long": "x" * 10_240})])
def test_a_body_that_aws_would_refuse_is_refused(iot: Any, body: str) -> None:
    with pytest.raises(ClientError, match="InvalidRequestException"):
        iot.create_provisioning_template(
            templateName="never", templateBody=body, provisioningRoleArn=ROLE
        )

    assert "never" not in {one["templateName"] for one in listed(iot)}


def test_there_are_five_versions_at_most(iot: Any, template: str) -> None:
    for _ in range(4):
        iot.create_provisioning_template_version(templateName=template, templateBody=TWO)

    with pytest.raises(ClientError, match="VersionsLimitExceededException"):
        iot.create_provisioning_template_version(templateName=template, templateBody=TWO)
