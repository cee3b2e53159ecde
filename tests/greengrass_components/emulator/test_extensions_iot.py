"""Tags and provisioning templates of the emulated AWS IoT."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from greengrass_components.emulator import start_emulator

ROLE = "arn:aws:iam::123456789012:role/iot"
TAGS = [{"Key": "Team", "Value": "devices"}]
RULE = {"sql": "SELECT * FROM 'a'", "actions": []}
numbers = itertools.count(1)

# Makes something with tags, and tells its ARN.
MAKERS: dict[str, Callable[[Any, str], str]] = {
    "billing group": lambda iot, name: iot.create_billing_group(billingGroupName=name, tags=TAGS)[
        "billingGroupArn"
    ],
    "job": lambda iot, name: iot.create_job(
        jobId=name,
        targets=[iot.create_thing(thingName=name)["thingArn"]],
        document="{}",
        tags=TAGS,
    )["jobArn"],
    "policy": lambda iot, name: iot.create_policy(policyName=name, policyDocument="{}", tags=TAGS)[
        "policyArn"
    ],
    "role alias": lambda iot, name: iot.create_role_alias(
        roleAlias=name, roleArn=ROLE, tags=TAGS
    )["roleAliasArn"],
    "thing group": lambda iot, name: iot.create_thing_group(thingGroupName=name, tags=TAGS)[
        "thingGroupArn"
    ],
    "thing type": lambda iot, name: iot.create_thing_type(thingTypeName=name, tags=TAGS)[
        "thingTypeArn"
    ],
    "template": lambda iot, name: iot.create_provisioning_template(
        templateName=name, templateBody="{}", provisioningRoleArn=ROLE, tags=TAGS
    )["templateArn"],
}


@pytest.fixture(scope="module")
def iot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("emulator")
    with pytest.MonkeyPatch.context() as patch, start_emulator(folder) as running:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        client = boto3.session.Session().client("iot")
        yield client
        client.close()


@pytest.fixture
def name() -> str:
    """One that nothing has yet."""
    return f"name-{next(numbers)}"


def tags_of(iot: Any, arn: str) -> dict[str, str]:
    told = iot.list_tags_for_resource(resourceArn=arn)["tags"]
    return {tag["Key"]: tag["Value"] for tag in told}


class TestTags:
    @pytest.mark.parametrize("kind", MAKERS)
    def test_everything_keeps_the_tags_that_it_is_made_with(
        self, iot: Any, name: str, kind: str
    ) -> None:
        assert tags_of(iot, MAKERS[kind](iot, name)) == {"Team": "devices"}

    def test_a_topic_rule_keeps_its_tags_that_come_in_a_header(self, iot: Any) -> None:
        name = f"rule_{next(numbers)}"
        iot.create_topic_rule(ruleName=name, topicRulePayload=RULE, tags="Team=a%20b&Stage=")

        arn = iot.get_topic_rule(ruleName=name)["ruleArn"]

        assert tags_of(iot, arn) == {"Team": "a b", "Stage": ""}

    def test_tags_can_be_added_changed_and_removed(self, iot: Any, name: str) -> None:
        arn = MAKERS["thing group"](iot, name)

        iot.tag_resource(resourceArn=arn, tags=[{"Key": "Stage", "Value": "canary"}])
        iot.tag_resource(resourceArn=arn, tags=[{"Key": "Stage", "Value": "early"}])
        iot.untag_resource(resourceArn=arn, tagKeys=["Team", "never"])

        assert tags_of(iot, arn) == {"Stage": "early"}

    def test_a_new_thing_does_not_inherit_the_tags_of_an_old_one_of_its_name(
        self, iot: Any, name: str
    ) -> None:
        MAKERS["thing group"](iot, name)
        iot.delete_thing_group(thingGroupName=name)

        arn = iot.create_thing_group(thingGroupName=name)["thingGroupArn"]

        assert tags_of(iot, arn) == {}


@pytest.fixture
def template(iot: Any) -> Iterator[str]:
    """The name of a provisioning template."""
    name = f"template-{next(numbers)}"
    iot.create_provisioning_template(
        templateName=name,
        description="devices by claim",
        templateBody=json.dumps({"version": 1}),
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


class TestProvisioningTemplates:
    def test_a_template_is_told_as_it_was_made(self, iot: Any, template: str) -> None:
        found = told(iot, template)

        assert found["templateBody"] == '{"version": 1}'
        assert (found["provisioningRoleArn"], found["enabled"]) == (ROLE, True)
        assert found["preProvisioningHook"]["targetArn"].endswith(":hook")
        assert (found["defaultVersionId"], found["type"]) == (1, "FLEET_PROVISIONING")
        assert found["templateArn"].endswith(f":123456789012:provisioningtemplate/{template}")

    def test_a_template_is_listed(self, iot: Any, template: str) -> None:
        assert template in {one["templateName"] for one in listed(iot)}

    def test_a_second_one_of_its_name_is_refused(self, iot: Any, template: str) -> None:
        with pytest.raises(ClientError, match="ResourceAlreadyExistsException"):
            iot.create_provisioning_template(
                templateName=template, templateBody="{}", provisioningRoleArn=ROLE
            )

    def test_it_can_be_changed(self, iot: Any, template: str) -> None:
        iot.update_provisioning_template(
            templateName=template, enabled=False, removePreProvisioningHook=True
        )

        found = told(iot, template)
        assert not found["enabled"]
        assert "preProvisioningHook" not in found
        assert found["description"] == "devices by claim"

    def test_a_new_version_is_used_when_asked_for(self, iot: Any, template: str) -> None:
        iot.create_provisioning_template_version(templateName=template, templateBody="two")
        assert told(iot, template)["templateBody"] == '{"version": 1}'

        made = iot.create_provisioning_template_version(
            templateName=template, templateBody="three", setAsDefault=True
        )

        assert (made["versionId"], made["isDefaultVersion"]) == (3, True)
        assert told(iot, template)["templateBody"] == "three"

    def test_an_older_version_can_be_made_the_default(self, iot: Any, template: str) -> None:
        iot.create_provisioning_template_version(
            templateName=template, templateBody="two", setAsDefault=True
        )

        iot.update_provisioning_template(templateName=template, defaultVersionId=1)

        assert told(iot, template)["templateBody"] == '{"version": 1}'

    def test_versions_are_listed_and_told(self, iot: Any, template: str) -> None:
        iot.create_provisioning_template_version(templateName=template, templateBody="two")

        found = iot.list_provisioning_template_versions(templateName=template)["versions"]
        second = iot.describe_provisioning_template_version(templateName=template, versionId=2)

        assert [(one["versionId"], one["isDefaultVersion"]) for one in found] == [
            (1, True),
            (2, False),
        ]
        assert (second["templateBody"], second["isDefaultVersion"]) == ("two", False)

    def test_the_default_version_stays(self, iot: Any, template: str) -> None:
        with pytest.raises(ClientError, match="DeleteConflictException"):
            iot.delete_provisioning_template_version(templateName=template, versionId=1)

    def test_the_number_of_a_deleted_version_is_not_used_again(
        self, iot: Any, template: str
    ) -> None:
        iot.create_provisioning_template_version(templateName=template, templateBody="two")
        iot.delete_provisioning_template_version(templateName=template, versionId=2)

        made = iot.create_provisioning_template_version(templateName=template, templateBody="3")

        assert made["versionId"] == 3

    @pytest.mark.parametrize("version", [0, 7])
    def test_a_version_that_is_not_there(self, iot: Any, template: str, version: int) -> None:
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            iot.update_provisioning_template(templateName=template, defaultVersionId=version)
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            iot.describe_provisioning_template_version(templateName=template, versionId=version)

    def test_a_deleted_template_is_gone(self, iot: Any, template: str) -> None:
        iot.delete_provisioning_template(templateName=template)

        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            told(iot, template)
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            iot.delete_provisioning_template(templateName=template)
