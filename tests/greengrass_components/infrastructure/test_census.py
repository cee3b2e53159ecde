"""The census, in an emulator where one thing of each kind is made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from greengrass_components.emulator import start_emulator
from greengrass_components.infrastructure.account import Caller, find_caller
from greengrass_components.infrastructure.census import take_census

NOBODY = json.dumps({"Version": "2012-10-17", "Statement": []})


@pytest.fixture
def caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caller]:
    with start_emulator(tmp_path / "emulator") as emulator:
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        yield find_caller()


def test_what_comes_is_counted_and_what_goes_is_not(caller: Caller) -> None:
    before = take_census(caller)
    s3, iam, iot = boto3.client("s3"), boto3.client("iam"), boto3.client("iot")
    s3.create_bucket(
        Bucket="slm-a", CreateBucketConfiguration={"LocationConstraint": caller.region}
    )
    iam.create_role(RoleName="device", AssumeRolePolicyDocument=NOBODY)
    iot.create_thing_group(thingGroupName="canary")
    boto3.client("logs").create_log_group(logGroupName="/edgewise/a")
    topic = boto3.client("sns").create_topic(Name="alarms")["TopicArn"]
    boto3.client("cloudwatch").put_metric_alarm(
        AlarmName="errors",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="Errors",
        Namespace="edgewise",
        Period=60,
        Statistic="Sum",
        Threshold=1,
    )

    made = take_census(caller) - before

    assert {entry.split()[0] for entry in made} == {"cloudwatch", "iam", "iot", "logs", "s3", "sns"}
    assert f"sns {topic}" in made
    assert len(made) == 6

    s3.delete_bucket(Bucket="slm-a")
    iam.delete_role(RoleName="device")
    assert take_census(caller) - before == {
        entry for entry in made if not entry.startswith(("iam", "s3"))
    }


def test_a_key_that_waits_for_its_deletion_is_gone(caller: Caller) -> None:
    before = take_census(caller)
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]
    assert take_census(caller) - before == {f"kms {key['Arn']}"}

    kms.schedule_key_deletion(KeyId=key["KeyId"])

    assert take_census(caller) == before
