"""Trails of the emulated CloudTrail, by name and by ARN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from greengrass_components.emulator import start_emulator


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("emulator")
    with pytest.MonkeyPatch.context() as patch, start_emulator(folder) as running:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        session = boto3.session.Session()
        s3, client = session.client("s3"), session.client("cloudtrail")
        s3.create_bucket(
            Bucket="audit", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        s3.close()
        yield client
        client.close()


@pytest.fixture
def trails(client: Any) -> Iterator[dict[str, str]]:
    """Name -> ARN of trails that are there."""
    made = {
        name: client.create_trail(Name=name, S3BucketName="audit")["TrailARN"]
        for name in ("first-trail", "second-trail")
    }
    yield made
    for trail in client.describe_trails()["trailList"]:
        client.delete_trail(Name=trail["Name"])


def names(client: Any, *wanted: str) -> list[str]:
    told = client.describe_trails(trailNameList=list(wanted))["trailList"]
    return sorted(trail["Name"] for trail in told)


class TestDeletion:
    def test_a_trail_is_deleted_by_its_name(self, client: Any, trails: dict[str, str]) -> None:
        client.delete_trail(Name="first-trail")

        assert names(client, *trails) == ["second-trail"]

    def test_a_trail_is_deleted_by_its_arn(self, client: Any, trails: dict[str, str]) -> None:
        client.delete_trail(Name=trails["first-trail"])

        assert names(client, *trails) == ["second-trail"]

    @pytest.mark.parametrize(
        "name",
        ["other-trail", "arn:aws:cloudtrail:eu-central-1:123456789012:trail/other-trail"],
    )
    def test_a_trail_that_is_not_there_is_an_error(
        self, client: Any, trails: dict[str, str], name: str
    ) -> None:
        with pytest.raises(client.exceptions.TrailNotFoundException):
            client.delete_trail(Name=name)

        assert names(client) == sorted(trails)

    def test_a_second_deletion_is_an_error(self, client: Any, trails: dict[str, str]) -> None:
        client.delete_trail(Name=trails["first-trail"])

        with pytest.raises(client.exceptions.TrailNotFoundException):
            client.delete_trail(Name=trails["first-trail"])


class TestDescription:
    def test_all_trails_are_told_where_none_is_named(
        self, client: Any, trails: dict[str, str]
    ) -> None:
        assert names(client) == sorted(trails)

    def test_a_trail_that_is_named_is_told_alone(self, client: Any, trails: dict[str, str]) -> None:
        assert names(client, "second-trail") == ["second-trail"]
        assert names(client, trails["second-trail"]) == ["second-trail"]

    def test_a_trail_that_is_not_there_is_left_out(
        self, client: Any, trails: dict[str, str]
    ) -> None:
        assert trails
        assert names(client, "other-trail") == []
