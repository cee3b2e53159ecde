"""Where the emulator differs from AWS: each row of the tables in docs/emulator.md.

A test that fails here is no loss: the emulator has come nearer, and the page can lose a row.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

import boto3
import pytest
from botocore.exceptions import ClientError

from greengrass_components.emulator import Emulator, start_emulator

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with (
        pytest.MonkeyPatch.context() as patch,
        start_emulator(tmp_path_factory.mktemp("emulator")) as running,
    ):
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


@pytest.fixture
def bucket(emulator: Emulator) -> str:
    """A new bucket with the object ``one``."""
    name = f"bucket-{next(numbers)}"
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket=name, Key="one", Body=b"1")
    return name


def put_policy(bucket: str, **element: Any) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        **element,
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    boto3.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))


class TestKinder:
    @pytest.mark.parametrize("service", ["iam", "iot", "kms", "sns"])
    def test_whoever_calls_may_call_and_no_signature_is_checked(
        self, emulator: Emulator, service: Literal["iam", "iot", "kms", "sns"]
    ) -> None:
        stranger = boto3.client(
            service, aws_access_key_id="anybody", aws_secret_access_key="anything"
        )
        ask = {
            "iam": "list_roles",
            "iot": "list_things",
            "kms": "list_keys",
            "sns": "list_topics",
        }

        assert getattr(stranger, ask[service])()["ResponseMetadata"]["HTTPStatusCode"] == 200

    def test_a_role_that_is_not_there_can_be_assumed(self, emulator: Emulator) -> None:
        got = boto3.client("sts").assume_role(
            RoleArn="arn:aws:iam::123456789012:role/nobody", RoleSessionName="test"
        )

        assert got["Credentials"]["AccessKeyId"]

    def test_a_policy_of_a_key_lets_everybody_in(self, emulator: Emulator) -> None:
        nobody = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
                    "Action": "kms:Describe*",
                    "Resource": "*",
                }
            ],
        }
        kms = boto3.client("kms")
        key = kms.create_key(
            Policy=json.dumps(nobody), KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"
        )["KeyMetadata"]["KeyId"]

        told = kms.sign(KeyId=key, Message=b"a", SigningAlgorithm="ECDSA_SHA_256")

        assert told["Signature"]

    def test_a_policy_of_a_bucket_speaks_of_objects_alone(self, bucket: str) -> None:
        put_policy(bucket)
        s3 = boto3.client("s3")

        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.delete_bucket_policy(Bucket=bucket)

    def test_a_bucket_that_restricts_the_public_lets_it_in(
        self, emulator: Emulator, bucket: str, status_of: Callable[[str], int]
    ) -> None:
        put_policy(bucket, Effect="Allow", Action="s3:GetObject")
        boto3.client("s3").put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True}
        )

        assert status_of(f"{emulator.endpoint}/{bucket}/one") == 200

    def test_a_presigned_address_holds_with_any_signature(
        self, bucket: str, status_of: Callable[[str], int]
    ) -> None:
        address = boto3.client("s3").generate_presigned_url(
            "get_object", {"Bucket": bucket, "Key": "one"}
        )

        assert status_of(address.replace("Signature=", "Signature=a")) == 200

    def test_an_action_that_does_not_exist_can_be_allowed(self, emulator: Emulator) -> None:
        fancy = {"Effect": "Allow", "Action": "s3:FlyAway", "Resource": "*"}
        document = {"Version": "2012-10-17", "Statement": [fancy]}

        made = boto3.client("iam").create_policy(
            PolicyName="fancy", PolicyDocument=json.dumps(document)
        )

        assert made["Policy"]["Arn"]

    def test_an_alarm_does_not_look_at_its_metric(self, emulator: Emulator) -> None:
        watch = boto3.client("cloudwatch")
        watch.put_metric_alarm(
            AlarmName="high",
            Namespace="lamps",
            MetricName="Heat",
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
        before = watch.describe_alarms(AlarmNames=["high"])["MetricAlarms"][0]["StateValue"]

        watch.put_metric_data(
            Namespace="lamps", MetricData=[{"MetricName": "Heat", "Value": 100.0}]
        )

        after = watch.describe_alarms(AlarmNames=["high"])["MetricAlarms"][0]["StateValue"]
        assert after == before != "ALARM"

    def test_a_trail_writes_nothing(self, bucket: str) -> None:
        trail = boto3.client("cloudtrail")
        trail.create_trail(Name="lamps-trail", S3BucketName=bucket)
        trail.start_logging(Name="lamps-trail")

        boto3.client("iam").create_user(UserName="somebody")

        assert boto3.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 1

    def test_a_message_sets_no_topic_rule_off(self, emulator: Emulator, bucket: str) -> None:
        action = {
            "roleArn": "arn:aws:iam::123456789012:role/iot",
            "bucketName": bucket,
            "key": "message",
        }
        boto3.client("iot").create_topic_rule(
            ruleName="store",
            topicRulePayload={"sql": "SELECT * FROM 'lamps'", "actions": [{"s3": action}]},
        )

        boto3.client("iot-data").publish(topic="lamps", payload=b"{}")

        assert boto3.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 1


class TestKinderGreengrass:
    @pytest.fixture
    def group(self, emulator: Emulator) -> str:
        made = boto3.client("iot").create_thing_group(thingGroupName=f"group-{next(numbers)}")
        return str(made["thingGroupArn"])

    def test_components_of_aws_are_there_in_any_version(self, group: str) -> None:
        made = boto3.client("greengrassv2").create_deployment(
            targetArn=group,
            components={"aws.greengrass.Nucleus": {"componentVersion": "99.0.0"}},
        )

        assert made["deploymentId"]

    def test_a_component_is_deployed_without_what_it_depends_on(self, group: str) -> None:
        greengrass = boto3.client("greengrassv2")
        recipe = {
            "RecipeFormatVersion": "2020-01-25",
            "ComponentName": "com.example.lonely",
            "ComponentVersion": "1.0.0",
            "ComponentDependencies": {"com.example.gone": {"VersionRequirement": "^1.0.0"}},
            "Manifests": [{"Platform": {"os": "linux"}}],
        }
        greengrass.create_component_version(inlineRecipe=json.dumps(recipe).encode())

        made = greengrass.create_deployment(
            targetArn=group, components={"com.example.lonely": {"componentVersion": "1.0.0"}}
        )

        assert made["deploymentId"]

    def test_the_job_of_a_deployment_is_a_name_only(self, group: str) -> None:
        made = boto3.client("greengrassv2").create_deployment(targetArn=group)

        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            boto3.client("iot").describe_job(jobId=made["iotJobId"])


class TestStricter:
    def test_a_policy_of_a_bucket_that_is_not_understood_is_refused(self, bucket: str) -> None:
        with pytest.raises(ClientError, match="MalformedPolicy"):
            put_policy(bucket, Condition={"BinaryEquals": {"s3:key": "AA=="}})

    def test_a_condition_on_what_the_emulator_does_not_know_of_a_call_has_no_value(
        self, bucket: str
    ) -> None:
        put_policy(bucket, Condition={"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}})

        with pytest.raises(ClientError, match="AccessDenied"):
            boto3.client("s3").get_object(Bucket=bucket, Key="one")

    def test_an_operation_that_is_not_emulated_is_an_error_of_the_server(
        self, emulator: Emulator
    ) -> None:
        with pytest.raises(ClientError) as raised:
            boto3.client("greengrassv2").list_installed_components(coreDeviceThingName="thing")

        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
