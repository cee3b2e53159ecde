"""The emulated Greengrass v2 answers and refuses as the service does."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import boto3
import pytest
from botocore.exceptions import ClientError

REGION: Final = "eu-central-1"
COMPONENTS = f"arn:aws:greengrass:{REGION}:123456789012:components"
MODEL = b"a model"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def iot(session: boto3.session.Session) -> Iterator[Any]:
    client = session.client("iot")
    yield client
    client.close()


@pytest.fixture
def name() -> str:
    """Name of a component that is not there."""
    return f"com.example.lamp-{next(numbers)}"


def recipe(name: str, version: str = "1.0.0", **more: Any) -> dict[str, Any]:
    return {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": version,
        "ComponentDescription": "lights up",
        "ComponentPublisher": "Lamps",
        "Manifests": [
            {
                "Name": "linux",
                "Platform": {"os": "linux", "architecture": "aarch64"},
                "Lifecycle": {"run": "true"},
                "Artifacts": [{"Uri": "s3://shelf/model.zip", "Unarchive": "ZIP"}],
            }
        ],
        **more,
    }


def create(greengrass: Any, content: Any, **more: Any) -> dict[str, Any]:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    made: dict[str, Any] = greengrass.create_component_version(inlineRecipe=text, **more)
    return made


class TestComponents:
    def test_a_new_version_is_asked_for_and_then_deployable(
        self, greengrass: Any, name: str
    ) -> None:
        made = create(greengrass, recipe(name), tags={"Team": "lamps"})

        assert made["arn"] == f"{COMPONENTS}:{name}:versions:1.0.0"
        assert made["status"]["componentState"] == "REQUESTED"
        found = greengrass.describe_component(arn=made["arn"])
        assert (found["componentName"], found["componentVersion"]) == (name, "1.0.0")
        assert (found["description"], found["publisher"]) == ("lights up", "Lamps")
        assert found["status"]["componentState"] == "DEPLOYABLE"
        assert found["tags"] == {"Team": "lamps"}
        assert found["platforms"] == [
            {"name": "linux", "attributes": {"os": "linux", "architecture": "aarch64"}}
        ]

    def test_the_service_adds_the_digests_of_the_artifacts(
        self, greengrass: Any, name: str
    ) -> None:
        arn = create(greengrass, recipe(name))["arn"]

        told = greengrass.get_component(arn=arn, recipeOutputFormat="JSON")

        assert told["recipeOutputFormat"] == "JSON"
        artifact = json.loads(told["recipe"])["Manifests"][0]["Artifacts"][0]
        assert artifact == {
            "Uri": "s3://shelf/model.zip",
            "Unarchive": "ZIP",
            "Digest": base64.b64encode(hashlib.sha256(MODEL).digest()).decode(),
            "Algorithm": "SHA-256",
        }

    def test_a_recipe_may_be_yaml_and_comes_back_in_either_form(
        self, greengrass: Any, name: str
    ) -> None:
        text = (
            f"RecipeFormatVersion: '2020-01-25'\nComponentName: {name}\n"
            "ComponentVersion: 1.0.0\nManifests:\n- Platform: {os: linux}\n"
        )
        arn = create(greengrass, text.encode())["arn"]

        as_json = greengrass.get_component(arn=arn, recipeOutputFormat="JSON")["recipe"]
        as_yaml = greengrass.get_component(arn=arn, recipeOutputFormat="YAML")["recipe"]

        assert json.loads(as_json)["Manifests"] == [{"Platform": {"os": "linux"}}]
        assert f"ComponentName: {name}\n".encode() in as_yaml

    def test_a_version_is_made_once(self, greengrass: Any, name: str) -> None:
        create(greengrass, recipe(name))

        with pytest.raises(greengrass.exceptions.ConflictException) as raised:
            create(greengrass, recipe(name))

        assert "already exists" in raised.value.response["Error"]["Message"]
        assert raised.value.response["resourceId"] == f"{COMPONENTS}:{name}:versions:1.0.0"

    def test_a_call_that_is_made_again_with_its_token_gets_the_same_answer(
        self, greengrass: Any, name: str
    ) -> None:
        first = create(greengrass, recipe(name), clientToken=f"token-{name}")
        again = create(greengrass, recipe(name), clientToken=f"token-{name}")

        assert again["arn"] == first["arn"]

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"RecipeFormatVersion": "2019-01-01"}, "RecipeFormatVersion"),
            ({"ComponentName": "a b"}, "ComponentName"),
            ({"ComponentName": "aws.greengrass.Mine"}, "ComponentName"),
            ({"ComponentName": 7}, "ComponentName"),
            ({"ComponentVersion": "1.0"}, "ComponentVersion"),
            ({"ComponentVersion": "01.0.0"}, "ComponentVersion"),
            ({"ComponentVersion": 1.0}, "ComponentVersion"),
            ({"Manifests": []}, "manifest"),
            ({"Manifests": "linux"}, "Manifests"),
            ({"Manifests": [{"Platform": "linux"}]}, "Platform"),
            ({"Manifests": [{"Artifacts": [{"Unarchive": "ZIP"}]}]}, "Uri"),
            ({"ComponentDependencies": {"a": "1.0.0"}}, "ComponentDependencies"),
            (
                {
                    "Manifests": [
                        {"Artifacts": [{"Uri": "s3://shelf/a/x"}, {"Uri": "s3://shelf/b/x"}]}
                    ]
                },
                "same name",
            ),
        ],
        ids=str,
    )
    def test_a_recipe_that_is_wrong_is_refused_with_the_reason(
        self, greengrass: Any, name: str, change: dict[str, Any], reason: str
    ) -> None:
        with pytest.raises(greengrass.exceptions.ValidationException, match=reason):
            create(greengrass, {**recipe(name), **change})

        with pytest.raises(greengrass.exceptions.ResourceNotFoundException):
            greengrass.list_component_versions(arn=f"{COMPONENTS}:{name}")

    @pytest.mark.parametrize("content", [b"a: [", b"[]", b"\xff\xfe", b"words", b" " * 16_001])
    def test_what_is_no_recipe_is_refused(self, greengrass: Any, content: bytes) -> None:
        with pytest.raises(greengrass.exceptions.ValidationException):
            create(greengrass, content)

    @pytest.mark.parametrize(
        "uri", ["s3://shelf/nothing.zip", "s3://nowhere/model.zip", "https://example.com/model.zip"]
    )
    def test_an_artifact_that_is_not_in_a_bucket_is_named(
        self, greengrass: Any, name: str, uri: str
    ) -> None:
        bare = recipe(name, Manifests=[{"Artifacts": [{"Uri": uri}]}])

        with pytest.raises(
            greengrass.exceptions.ValidationException,
            match=rf"\{{{uri} = Specified artifact resource cannot be accessed\}}",
        ):
            create(greengrass, bare)

    def test_an_artifact_that_was_deleted_is_not_there(
        self, session: boto3.session.Session, greengrass: Any, name: str
    ) -> None:
        s3 = session.client("s3")
        bucket = f"versions-{next(numbers)}"
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=bucket, Key="gone.zip", Body=b"")
        s3.delete_object(Bucket=bucket, Key="gone.zip")
        s3.close()
        bare = recipe(name, Manifests=[{"Artifacts": [{"Uri": f"s3://{bucket}/gone.zip"}]}])

        with pytest.raises(greengrass.exceptions.ValidationException, match="gone.zip"):
            create(greengrass, bare)

    def test_versions_are_listed_from_the_newest(self, greengrass: Any, name: str) -> None:
        for version in ("1.2.0", "1.10.0", "1.10.0-beta", "0.9.0"):
            create(greengrass, recipe(name, version))

        pages = greengrass.get_paginator("list_component_versions").paginate(
            arn=f"{COMPONENTS}:{name}", PaginationConfig={"PageSize": 3}
        )

        listed = [one["componentVersion"] for page in pages for one in page["componentVersions"]]
        assert listed == ["1.10.0", "1.10.0-beta", "1.2.0", "0.9.0"]

    def test_components_are_listed_with_their_newest_version(
        self, greengrass: Any, name: str
    ) -> None:
        for version in ("2.0.0", "1.0.0"):
            create(greengrass, recipe(name, version))

        listed = greengrass.list_components()["components"]

        found = next(one for one in listed if one["componentName"] == name)
        assert found["arn"] == f"{COMPONENTS}:{name}"
        assert found["latestVersion"]["componentVersion"] == "2.0.0"
        assert greengrass.list_components(scope="PUBLIC")["components"] == []

    def test_a_deleted_version_is_gone_and_can_be_made_again(
        self, greengrass: Any, name: str
    ) -> None:
        arn = create(greengrass, recipe(name))["arn"]

        greengrass.delete_component(arn=arn)

        for ask in (greengrass.describe_component, greengrass.get_component):
            with pytest.raises(greengrass.exceptions.ResourceNotFoundException) as raised:
                ask(arn=arn)
            assert raised.value.response["resourceId"] == arn
        with pytest.raises(greengrass.exceptions.ResourceNotFoundException):
            greengrass.delete_component(arn=arn)
        assert create(greengrass, recipe(name))["arn"] == arn

    def test_tags_of_a_version_can_be_changed(self, greengrass: Any, name: str) -> None:
        arn = create(greengrass, recipe(name), tags={"Team": "lamps"})["arn"]

        greengrass.tag_resource(resourceArn=arn, tags={"Stage": "canary"})
        greengrass.untag_resource(resourceArn=arn, tagKeys=["Team"])

        assert greengrass.list_tags_for_resource(resourceArn=arn)["tags"] == {"Stage": "canary"}

    def test_a_page_that_was_never_given_is_refused(self, greengrass: Any) -> None:
        with pytest.raises(greengrass.exceptions.ValidationException, match="nextToken"):
            greengrass.list_components(nextToken="tomorrow")


class TestDeployments:
    def test_a_deployment_is_told_as_it_was_made(
        self, greengrass: Any, group: str, lamp: str
    ) -> None:
        wanted = {
            "targetArn": group,
            "deploymentName": "lamps",
            "components": {
                lamp: {
                    "componentVersion": "1.0.0",
                    "configurationUpdate": {"merge": '{"colour": "red"}'},
                }
            },
            "iotJobConfiguration": {
                "jobExecutionsRolloutConfig": {"maximumPerMinute": 5},
                "timeoutConfig": {"inProgressTimeoutInMinutes": 30},
            },
            "deploymentPolicies": {"failureHandlingPolicy": "ROLLBACK"},
            "tags": {"Team": "lamps"},
        }

        made = greengrass.create_deployment(**wanted)

        found = greengrass.get_deployment(deploymentId=made["deploymentId"])
        assert {key: found[key] for key in wanted} == wanted
        assert (found["revisionId"], found["isLatestForTarget"]) == ("1", True)
        assert found["deploymentStatus"] == "ACTIVE"
        assert found["iotJobId"] == made["iotJobId"]
        assert made["iotJobArn"] == f"arn:aws:iot:{REGION}:123456789012:job/{made['iotJobId']}"

    def test_a_group_that_is_not_there_is_refused(
        self, greengrass: Any, group: str, lamp: str, deploy: Callable[..., str]
    ) -> None:
        with pytest.raises(greengrass.exceptions.ResourceNotFoundException, match="nowhere"):
            deploy(greengrass, f"{group}-nowhere", lamp)

    @pytest.mark.parametrize("target", ["group", "arn:aws:s3:::shelf"])
    def test_what_is_no_target_is_refused(
        self, greengrass: Any, lamp: str, target: str, deploy: Callable[..., str]
    ) -> None:
        with pytest.raises(greengrass.exceptions.ValidationException, match="target"):
            deploy(greengrass, target, lamp)

    @pytest.mark.parametrize("version", ["7.0.0", "1.0"])
    def test_a_version_that_is_not_there_is_refused(
        self, greengrass: Any, group: str, lamp: str, version: str
    ) -> None:
        with pytest.raises(greengrass.exceptions.ValidationException, match=lamp):
            greengrass.create_deployment(
                targetArn=group, components={lamp: {"componentVersion": version}}
            )

        assert greengrass.list_deployments(targetArn=group)["deployments"] == []

    def test_components_of_aws_are_there(self, greengrass: Any, group: str) -> None:
        public = {"aws.greengrass.Nucleus": {"componentVersion": "2.14.0"}}

        made = greengrass.create_deployment(targetArn=group, components=public)

        found = greengrass.get_deployment(deploymentId=made["deploymentId"])
        assert found["components"] == public

    def test_a_new_revision_takes_the_place_of_the_old_one(
        self, greengrass: Any, group: str, lamp: str, deploy: Callable[..., str]
    ) -> None:
        first, second = (deploy(greengrass, group, lamp) for _ in range(2))

        old = greengrass.get_deployment(deploymentId=first)
        new = greengrass.get_deployment(deploymentId=second)

        assert (old["deploymentStatus"], old["isLatestForTarget"]) == ("INACTIVE", False)
        assert (new["revisionId"], new["isLatestForTarget"]) == ("2", True)

    def test_only_the_latest_is_listed_unless_all_are_asked_for(
        self, greengrass: Any, group: str, lamp: str, deploy: Callable[..., str]
    ) -> None:
        made = [deploy(greengrass, group, lamp) for _ in range(5)]

        latest = greengrass.list_deployments(targetArn=group)["deployments"]
        pages = greengrass.get_paginator("list_deployments").paginate(
            targetArn=group, historyFilter="ALL", PaginationConfig={"PageSize": 2}
        )

        assert [one["deploymentId"] for one in latest] == made[-1:]
        assert [[one["deploymentId"] for one in page["deployments"]] for page in pages] == [
            [made[4], made[3]],
            [made[2], made[1]],
            [made[0]],
        ]

    def test_a_call_that_is_made_again_with_its_token_deploys_once(
        self, greengrass: Any, group: str, lamp: str, deploy: Callable[..., str]
    ) -> None:
        token = f"token-{next(numbers)}"
        ids = {deploy(greengrass, group, lamp, clientToken=token) for _ in range(2)}

        assert len(ids) == 1

    def test_a_deployment_under_way_can_be_canceled_and_then_deleted(
        self, greengrass: Any, group: str, lamp: str, deploy: Callable[..., str]
    ) -> None:
        made = deploy(greengrass, group, lamp)
        with pytest.raises(greengrass.exceptions.ConflictException):
            greengrass.delete_deployment(deploymentId=made)

        greengrass.cancel_deployment(deploymentId=made)

        found = greengrass.get_deployment(deploymentId=made)
        assert found["deploymentStatus"] == "CANCELED"
        with pytest.raises(greengrass.exceptions.ConflictException) as raised:
            greengrass.cancel_deployment(deploymentId=made)
        assert raised.value.response["resourceId"] == made
        greengrass.delete_deployment(deploymentId=made)
        with pytest.raises(greengrass.exceptions.ResourceNotFoundException):
            greengrass.get_deployment(deploymentId=made)

    def test_a_deleted_revision_does_not_give_its_number_away(
        self, greengrass: Any, group: str, lamp: str, deploy: Callable[..., str]
    ) -> None:
        first = deploy(greengrass, group, lamp)
        deploy(greengrass, group, lamp)
        greengrass.delete_deployment(deploymentId=first)

        third = greengrass.get_deployment(deploymentId=deploy(greengrass, group, lamp))

        assert third["revisionId"] == "3"

    @pytest.mark.parametrize("call", ["get", "cancel", "delete"])
    def test_a_deployment_that_is_not_there(self, greengrass: Any, call: str) -> None:
        with pytest.raises(greengrass.exceptions.ResourceNotFoundException) as raised:
            getattr(greengrass, f"{call}_deployment")(deploymentId="nobody")

        assert raised.value.response["resourceId"] == "nobody"

    def test_a_deployment_has_tags(
        self, greengrass: Any, group: str, lamp: str, deploy: Callable[..., str]
    ) -> None:
        made = deploy(greengrass, group, lamp)
        arn = f"arn:aws:greengrass:{REGION}:123456789012:deployments:{made}"

        greengrass.tag_resource(resourceArn=arn, tags={"Team": "lamps", "Stage": "canary"})
        greengrass.untag_resource(resourceArn=arn, tagKeys=["Team"])

        assert greengrass.list_tags_for_resource(resourceArn=arn)["tags"] == {"Stage": "canary"}

    def test_deployments_of_a_part_of_a_group_are_found_by_the_group(
        self, greengrass: Any, iot: Any, group: str, lamp: str, deploy: Callable[..., str]
    ) -> None:
        part = iot.create_thing_group(thingGroupName=f"part-{next(numbers)}")["thingGroupArn"]
        made = deploy(greengrass, part, lamp, parentTargetArn=group)

        listed = greengrass.list_deployments(parentTargetArn=group)["deployments"]

        assert [(one["deploymentId"], one["parentTargetArn"]) for one in listed] == [(made, group)]


def test_the_first_greengrass_still_answers(session: boto3.session.Session) -> None:
    first = session.client("greengrass")
    first.create_core_definition(Name="old", InitialVersion={"Cores": []})

    assert [one["Name"] for one in first.list_core_definitions()["Definitions"]] == ["old"]
    first.close()


def test_a_call_that_is_not_emulated_fails_at_once(greengrass: Any) -> None:
    with pytest.raises(ClientError):
        greengrass.list_installed_components(coreDeviceThingName="thing")
