"""Buckets of the emulated S3: who is let in, what is deleted, what is locked."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

import boto3
import pytest
from botocore.exceptions import ClientError

from greengrass_components.emulator import Emulator, start_emulator

REGION: Final = "eu-central-1"
KEY = f"arn:aws:kms:{REGION}:123456789012:key/the-right-one"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with start_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


def client(
    emulator: Emulator,
    service: Literal["iam", "s3", "sts"],
    credentials: Mapping[str, str] | None = None,
) -> Any:
    given = credentials or {"AccessKeyId": "emulator", "SecretAccessKey": "emulator"}
    return boto3.client(
        service,
        endpoint_url=emulator.endpoint,
        region_name=REGION,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given.get("SessionToken"),
    )


@pytest.fixture(scope="module")
def s3(emulator: Emulator) -> Iterator[Any]:
    s3 = client(emulator, "s3")
    yield s3
    s3.close()


@pytest.fixture
def bucket(s3: Any) -> str:
    """A new bucket with the object ``one``."""
    name = f"bucket-{next(numbers)}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=name, Key="one", Body=b"1")
    return name


def refuse(s3: Any, bucket: str, *conditions: Any, action: Any = "s3:*", **element: Any) -> None:
    """Put a policy that refuses everybody, once for each condition."""
    statements = [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": action,
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            **({"Condition": condition} if condition else {}),
            **element,
        }
        for condition in conditions or [None]
    ]
    document = {"Version": "2012-10-17", "Statement": statements}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))


class TestConditions:
    @pytest.mark.parametrize(
        "condition",
        [
            {"Bool": {"aws:SecureTransport": "false"}},
            {"Bool": {"aws:SecureTransport": ["false"]}},
            {"Bool": {"aws:SecureTransport": False}},
            {"NumericLessThan": {"s3:TlsVersion": "1.3"}},
        ],
    )
    def test_a_call_counts_as_made_over_the_newest_tls(
        self, s3: Any, bucket: str, condition: Any
    ) -> None:
        refuse(s3, bucket, condition)

        s3.put_object(Bucket=bucket, Key="one", Body=b"2")

        assert s3.get_object(Bucket=bucket, Key="one")["Body"].read() == b"2"

    @pytest.mark.parametrize(
        "condition",
        [
            None,
            {"Bool": {"aws:SecureTransport": "true"}},
            {"NumericLessThan": {"s3:TlsVersion": "1.4"}},
        ],
    )
    def test_a_refusal_that_holds_refuses(self, s3: Any, bucket: str, condition: Any) -> None:
        refuse(s3, bucket, condition)

        with pytest.raises(ClientError, match="AccessDenied"):
            s3.get_object(Bucket=bucket, Key="one")
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Bucket=bucket, Key="new", Body=b"2")
        with pytest.raises(ClientError, match="403"):
            s3.head_object(Bucket=bucket, Key="one")

    def test_every_statement_is_looked_at(self, s3: Any, bucket: str) -> None:
        refuse(s3, bucket, {"Bool": {"aws:SecureTransport": "false"}}, None)

        with pytest.raises(ClientError, match="AccessDenied"):
            s3.get_object(Bucket=bucket, Key="one")

    def test_a_foreign_key_is_told_from_the_right_one(self, s3: Any, bucket: str) -> None:
        header = "s3:x-amz-server-side-encryption-aws-kms-key-id"
        refuse(
            s3,
            bucket,
            {"Null": {header: "false"}, "StringNotEquals": {header: KEY}},
            action="s3:PutObject",
        )
        encrypted = {"Bucket": bucket, "Body": b"2", "ServerSideEncryption": "aws:kms"}

        s3.put_object(Key="plain", Bucket=bucket, Body=b"2")
        s3.put_object(Key="right", SSEKMSKeyId=KEY, **encrypted)

        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Key="wrong", SSEKMSKeyId=KEY.replace("right", "wrong"), **encrypted)

    def test_a_policy_on_one_prefix_leaves_the_others(self, s3: Any, bucket: str) -> None:
        refuse(s3, bucket, Resource=f"arn:aws:s3:::{bucket}/secret/*")

        s3.put_object(Bucket=bucket, Key="open/a", Body=b"")

        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Bucket=bucket, Key="secret/a", Body=b"")


class TestCallers:
    @pytest.fixture
    def role(self, emulator: Emulator) -> Iterator[tuple[str, Any]]:
        """ARN of a role, and an S3 client of somebody who took it."""
        iam, sts = client(emulator, "iam"), client(emulator, "sts")
        name = f"role-{next(numbers)}"
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        got = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        s3 = client(emulator, "s3", got)
        yield arn, s3
        for one in (iam, sts, s3):
            one.close()

    def test_a_policy_knows_the_role_of_its_caller(
        self, s3: Any, bucket: str, role: tuple[str, Any]
    ) -> None:
        arn, as_role = role
        refuse(s3, bucket, {"ArnNotLike": {"aws:PrincipalArn": arn}})

        assert as_role.get_object(Bucket=bucket, Key="one")["Body"].read() == b"1"
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.get_object(Bucket=bucket, Key="one")

    def test_the_ordinary_caller_is_who_sts_says(
        self, emulator: Emulator, s3: Any, bucket: str, role: tuple[str, Any]
    ) -> None:
        sts = client(emulator, "sts")
        refuse(s3, bucket, {"ArnNotLike": {"aws:PrincipalArn": sts.get_caller_identity()["Arn"]}})
        sts.close()

        assert s3.get_object(Bucket=bucket, Key="one")["Body"].read() == b"1"
        with pytest.raises(ClientError, match="AccessDenied"):
            role[1].get_object(Bucket=bucket, Key="one")

    def test_a_presigned_address_is_its_signers(
        self, s3: Any, bucket: str, status_of: Callable[[str], int]
    ) -> None:
        refuse(s3, bucket, {"StringEquals": {"aws:PrincipalAccount": "anonymous"}})
        address = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "one"})

        assert status_of(address) == 200

    def test_somebody_without_credentials_is_let_in_by_the_policy_alone(
        self, emulator: Emulator, s3: Any, bucket: str, status_of: Callable[[str], int]
    ) -> None:
        address = f"{emulator.endpoint}/{bucket}/one"
        assert status_of(address) == 403

        refuse(s3, bucket, Effect="Allow", action="s3:GetObject")

        assert status_of(address) == 200


class TestDeletions:
    @pytest.fixture
    def version(self, s3: Any, bucket: str) -> str:
        """The version of ``one`` in a bucket with versions."""
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        version: str = s3.put_object(Bucket=bucket, Key="one", Body=b"2")["VersionId"]
        return version

    def test_versions_and_markers_of_a_deleted_object_can_be_deleted(
        self, s3: Any, bucket: str, version: str
    ) -> None:
        marker = s3.delete_object(Bucket=bucket, Key="one")["VersionId"]
        ids = ("null", version, marker)
        objects = [{"Key": "one", "VersionId": one} for one in ids]

        told = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})

        assert "Errors" not in told
        s3.delete_bucket(Bucket=bucket)

    def test_the_deletion_of_a_version_is_a_right_of_its_own(
        self, s3: Any, bucket: str, version: str
    ) -> None:
        refuse(s3, bucket, action="s3:DeleteObjectVersion")
        objects = [{"Key": "one", "VersionId": version}, {"Key": "one"}]

        told = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})

        assert [entry["Code"] for entry in told["Errors"]] == ["AccessDenied"]
        assert [entry["DeleteMarker"] for entry in told["Deleted"]] == [True]
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.delete_object(Bucket=bucket, Key="one", VersionId=version)

    def test_reading_a_version_is_a_right_of_its_own(
        self, s3: Any, bucket: str, version: str
    ) -> None:
        refuse(s3, bucket, action="s3:GetObjectVersion")

        assert s3.get_object(Bucket=bucket, Key="one")["Body"].read() == b"2"
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.get_object(Bucket=bucket, Key="one", VersionId=version)


def rule(days: int) -> dict[str, Any]:
    return {
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": days}},
    }


class TestLocks:
    def test_a_bucket_in_use_takes_a_lock_and_a_change_of_it(self, s3: Any, bucket: str) -> None:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=rule(3))
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=rule(5))

        told = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
        assert told["Rule"]["DefaultRetention"]["Days"] == 5
        assert s3.get_object(Bucket=bucket, Key="one")["Body"].read() == b"1"

    def test_a_locked_version_stays(self, s3: Any, bucket: str) -> None:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=rule(3))
        version = s3.put_object(Bucket=bucket, Key="release", Body=b"r")["VersionId"]

        with pytest.raises(ClientError, match="AccessDenied"):
            s3.delete_object(Bucket=bucket, Key="release", VersionId=version)
        s3.delete_object(
            Bucket=bucket, Key="release", VersionId=version, BypassGovernanceRetention=True
        )

    def test_a_bucket_without_versions_takes_no_lock(self, s3: Any, bucket: str) -> None:
        with pytest.raises(ClientError, match="InvalidBucketState"):
            s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=rule(3))
        assert s3.get_object(Bucket=bucket, Key="one")["Body"].read() == b"1"
