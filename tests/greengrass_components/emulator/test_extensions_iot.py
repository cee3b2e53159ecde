"""Tags of everything in the emulated AWS IoT that has them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

ROLE = "arn:aws:iam::123456789012:role/iot"
TAGS = [{"Key": "Team", "Value": "devices"}]
RULE = {"sql": "SELECT * FROM 'a'", "actions": []}
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}],
    }
)
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
    "policy": lambda iot, name: iot.create_policy(
        policyName=name, policyDocument=POLICY, tags=TAGS
    )["policyArn"],
    "role alias": lambda iot, name: iot.create_role_alias(roleAlias=name, roleArn=ROLE, tags=TAGS)[
        "roleAliasArn"
    ],
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
