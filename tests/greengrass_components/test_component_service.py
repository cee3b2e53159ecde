"""The door to Greengrass: boto3 on an emulator and the fake keep the same promises."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import boto3
import pytest

from greengrass_components.cloud import AwsCloud, Cloud, InMemoryCloud
from greengrass_components.component_service import (
    AwsComponentService,
    ComponentService,
    ComponentVersion,
    DeploymentContent,
)
from greengrass_components.component_service_in_memory import InMemoryComponentService
from greengrass_components.emulator import start_emulator
from greengrass_components.errors import (
    CloudError,
    DeployError,
    DeploymentConflictError,
)

REGION: Final = "eu-central-1"
GROUPS = f"arn:aws:iot:{REGION}:123456789012:thinggroup"
numbers = itertools.count(1)


class Place(NamedTuple):
    """A service with the bucket that it reads artifacts from."""

    service: ComponentService
    cloud: Cloud
    target: str
    """ARN of a thing group that nothing was deployed to."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with start_emulator(tmp_path_factory.mktemp("emulator")) as emulator:
        s3 = boto3.client(
            "s3",
            endpoint_url=emulator.endpoint,
            region_name=REGION,
            aws_access_key_id="emulator",
            aws_secret_access_key="emulator",
        )
        s3.create_bucket(Bucket="shelf", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.close()
        yield emulator.environment


@pytest.fixture(params=["boto3", "memory"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    group = f"edgewise-dev-stage-{next(numbers)}"
    target = f"{GROUPS}/{group}"
    if request.param == "memory":
        cloud = InMemoryCloud(["shelf"])
        service = InMemoryComponentService(cloud=cloud, thing_groups=[target])
        return Place(service, cloud, target)
    for name, value in request.getfixturevalue("environment").items():
        monkeypatch.setenv(name, value)
    iot = boto3.client("iot")
    iot.create_thing_group(thingGroupName=group)
    iot.close()
    return Place(AwsComponentService(region=REGION), AwsCloud(region=REGION), target)


@pytest.fixture
def version(place: Place, tmp_path: Path) -> tuple[str, str]:
    """A name and version that are new, with its artifact in the bucket."""
    name = f"com.example.lamps-{next(numbers)}"
    (tmp_path / "model.zip").write_bytes(b"model")
    place.cloud.upload_file(
        tmp_path / "model.zip", bucket="shelf", key=f"artifacts/{name}/1.2.0/model.zip"
    )
    return name, "1.2.0"


def recipe(name: str, version: str) -> dict[str, Any]:
    return {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": version,
        "ComponentConfiguration": {"DefaultConfiguration": {"port": 8765, "share": 0.5}},
        "ComponentDependencies": {
            "com.example.runtime": {"VersionRequirement": "^0.1.0", "DependencyType": "HARD"}
        },
        "Manifests": [
            {
                "Platform": {"os": "linux", "runtime": "*"},
                "Artifacts": [
                    {"Uri": f"s3://shelf/artifacts/{name}/{version}/model.zip", "Unarchive": "ZIP"}
                ],
                "Lifecycle": {"run": {"Script": "python3 {artifacts:path}/a.py", "Timeout": 60}},
            }
        ],
    }


LAMPS = "com.example.lamps"
PLAIN = {"Platform": {"os": "linux", "runtime": "*"}, "Lifecycle": {"run": {"Script": "true"}}}


def content(version: str = "1.2.0") -> DeploymentContent:
    return DeploymentContent(
        components={
            LAMPS: {
                "componentVersion": version,
                "configurationUpdate": {"merge": '{"threshold": 0.6}', "reset": ["/old"]},
                "runWith": {"posixUser": "lamps", "systemResourceLimits": {"cpus": 1.5}},
            }
        },
        policies={
            "failureHandlingPolicy": "ROLLBACK",
            "componentUpdatePolicy": {"action": "NOTIFY_COMPONENTS", "timeoutInSeconds": 60},
            "configurationValidationPolicy": {"timeoutInSeconds": 30},
        },
        job_configuration={
            "jobExecutionsRolloutConfig": {
                "maximumPerMinute": 50,
                "exponentialRate": {
                    "baseRatePerMinute": 5,
                    "incrementFactor": 1.5,
                    "rateIncreaseCriteria": {"numberOfSucceededThings": 10},
                },
            },
            "abortConfig": {
                "criteriaList": [
                    {
                        "failureType": "ALL",
                        "action": "CANCEL",
                        "thresholdPercentage": 12.5,
                        "minNumberOfExecutedThings": 3,
                    }
                ]
            },
            "timeoutConfig": {"inProgressTimeoutInMinutes": 30},
        },
        name="lamps",
        tags={"team": "lamps"},
    )


class TestComponents:
    def test_a_version_that_is_not_there(self, place: Place) -> None:
        assert place.service.find_component("com.example.nothing", "1.0.0") is None

    def test_a_created_version_becomes_deployable(
        self, place: Place, version: tuple[str, str]
    ) -> None:
        assert place.service.create_component(json.dumps(recipe(*version)).encode())

        looks = (place.service.find_component(*version) for _ in range(100))
        found = next(look for look in looks if look is not None and look.state == "DEPLOYABLE")

        assert found == ComponentVersion(name=version[0], version=version[1], state="DEPLOYABLE")

    def test_a_version_is_created_once(self, place: Place, version: tuple[str, str]) -> None:
        place.service.create_component(json.dumps(recipe(*version)).encode())
        other = {**recipe(*version), "ComponentDescription": "another"}

        assert not place.service.create_component(json.dumps(other).encode())
        assert "another" not in place.service.read_recipe(*version).values()

    def test_the_recipe_comes_back_with_the_digests_of_the_artifacts(
        self, place: Place, version: tuple[str, str]
    ) -> None:
        place.service.create_component(json.dumps(recipe(*version)).encode())

        held = place.service.read_recipe(*version)

        artifact = held["Manifests"][0]["Artifacts"][0]
        assert artifact.pop("Algorithm") == "SHA-256"
        assert base64.b64decode(artifact.pop("Digest")) == hashlib.sha256(b"model").digest()
        for key, value in recipe(*version).items():
            assert held[key] == value

    def test_the_recipe_of_a_version_that_is_not_there(self, place: Place) -> None:
        with pytest.raises(CloudError, match=r"no component com\.example\.nothing 1\.0\.0"):
            place.service.read_recipe("com.example.nothing", "1.0.0")

    def test_an_artifact_must_be_in_place(self, place: Place) -> None:
        with pytest.raises(CloudError, match="artifacts/com.example.bare/1.0.0/model.zip"):
            place.service.create_component(json.dumps(recipe("com.example.bare", "1.0.0")).encode())


class TestDeployments:
    @pytest.fixture(autouse=True)
    def components(self, place: Place) -> None:
        """Publish the versions that are deployed; one emulator may have them already."""
        for version in ("1.2.0", "1.3.0"):
            bare = {**recipe(LAMPS, version), "Manifests": [PLAIN]}
            place.service.create_component(json.dumps(bare).encode())

    def test_a_version_that_is_not_there_cannot_be_deployed(self, place: Place) -> None:
        with pytest.raises(CloudError, match=rf"{LAMPS}[ :]9\.9\.9"):
            place.service.create_deployment(place.target, content("9.9.9"))

        assert place.service.list_deployments(place.target) == ()

    def test_components_of_aws_are_always_there(self, place: Place) -> None:
        public = {"aws.greengrass.Cli": {"componentVersion": "2.14.0"}}
        wanted = DeploymentContent(components=public, policies={}, job_configuration={})

        deployment_id = place.service.create_deployment(place.target, wanted)

        assert place.service.get_deployment(deployment_id).content.components == public

    def test_a_target_begins_without_any(self, place: Place) -> None:
        assert place.service.list_deployments(place.target, latest_only=True) == ()

    def test_a_deployment_comes_back_as_it_was_made(self, place: Place) -> None:
        deployment_id = place.service.create_deployment(place.target, content())

        found = place.service.get_deployment(deployment_id)

        assert found.content == content()
        assert (found.deployment_id, found.target_arn) == (deployment_id, place.target)
        assert (found.revision, found.status) == ("1", "ACTIVE")
        assert found.job_id

    @pytest.mark.parametrize("place", ["boto3"], indirect=True)
    def test_tags_of_aws_itself_are_not_given_back_to_it(self, place: Place) -> None:
        greengrass = boto3.client("greengrassv2")
        made = greengrass.create_deployment(
            targetArn=place.target,
            components={LAMPS: {"componentVersion": "1.2.0"}},
            tags={"aws:cloudformation:stack-name": "lamps", "team": "lamps"},
        )
        greengrass.close()

        found = place.service.get_deployment(made["deploymentId"])

        assert found.content.tags == {"team": "lamps"}

    def test_a_deployment_needs_no_more_than_components(self, place: Place) -> None:
        bare = DeploymentContent(
            components={LAMPS: {"componentVersion": "1.2.0"}},
            policies={},
            job_configuration={},
        )

        deployment_id = place.service.create_deployment(place.target, bare)

        assert place.service.get_deployment(deployment_id).content.components == bare.components

    def test_the_latest_comes_first_and_alone_when_asked_for(self, place: Place) -> None:
        first = place.service.create_deployment(place.target, content())
        second = place.service.create_deployment(place.target, content("1.3.0"))

        listed = place.service.list_deployments(place.target)
        latest = place.service.list_deployments(place.target, latest_only=True)

        assert [item.deployment_id for item in listed] == [second, first]
        assert [item.revision for item in listed] == ["2", "1"]
        assert [item.is_latest for item in listed] == [True, False]
        assert latest == listed[:1]
        assert (latest[0].name, latest[0].target_arn) == ("lamps", place.target)

    def test_a_new_revision_takes_the_place_of_the_old_one(self, place: Place) -> None:
        first = place.service.create_deployment(place.target, content())
        place.service.create_deployment(place.target, content("1.3.0"))

        assert place.service.get_deployment(first).status == "INACTIVE"

    def test_a_deployment_under_way_can_be_canceled_once(self, place: Place) -> None:
        deployment_id = place.service.create_deployment(place.target, content())

        place.service.cancel_deployment(deployment_id)

        assert place.service.get_deployment(deployment_id).status == "CANCELED"
        with pytest.raises(DeploymentConflictError, match=deployment_id):
            place.service.cancel_deployment(deployment_id)

    def test_a_deployment_that_is_not_there(self, place: Place) -> None:
        nobody = str(uuid.uuid4())

        with pytest.raises(DeployError, match=f"no deployment {nobody}"):
            place.service.get_deployment(nobody)
        with pytest.raises(DeployError, match=f"no deployment {nobody}"):
            place.service.cancel_deployment(nobody)

    def test_a_thing_group_that_is_not_there(self, place: Place) -> None:
        with pytest.raises(DeployError, match=r"no thing group .*/nowhere; .*infra\.apply"):
            place.service.create_deployment(f"{GROUPS}/nowhere", content())
