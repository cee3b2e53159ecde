"""The door to AWS: boto3 on an emulator and the fake keep the same promises."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from edge_runtime.errors import StorageError
from greengrass_components.cloud import AwsCloud, Cloud, InMemoryCloud, refusal, stored_sha256
from greengrass_components.emulator import start_emulator
from greengrass_components.errors import (
    AccessDeniedError,
    BucketMissingError,
    CloudBusyError,
    CloudCredentialsError,
    CloudError,
    CloudUnreachableError,
    ObjectExistsError,
)

NOBODY = """{
  "Version": "2012-10-17",
  "Statement": [{
    "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::vault/*"
  }]
}"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with start_emulator(tmp_path_factory.mktemp("emulator")) as emulator:
        s3 = boto3.client(
            "s3",
            endpoint_url=emulator.endpoint,
            region_name="eu-central-1",
            aws_access_key_id="emulator",
            aws_secret_access_key="emulator",
        )
        for bucket in ("shelf", "vault"):
            s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
            )
        s3.put_object(Bucket="vault", Key="a", Body=b"a")
        s3.put_bucket_policy(Bucket="vault", Policy=NOBODY)
        s3.close()
        yield emulator.environment


@pytest.fixture
def aws(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> AwsCloud:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return AwsCloud()


@pytest.fixture(params=["boto3", "memory"])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    if request.param == "memory":
        return InMemoryCloud(["shelf"])
    return request.getfixturevalue("aws")  # type: ignore[no-any-return]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file.bin"
    # Larger than one part of an upload in parts, and not a whole number of them.
    path.write_bytes(os.urandom(9_000_001))
    return path


class TestPromises:
    def test_what_was_uploaded_comes_back(self, cloud: Cloud, file: Path) -> None:
        cloud.upload_file(file, bucket="shelf", key="a/b c/ü.bin")

        read = b"".join(cloud.read_object(bucket="shelf", key="a/b c/ü.bin"))

        assert read == file.read_bytes()
        assert cloud.object_bytes(bucket="shelf", key="a/b c/ü.bin") == 9_000_001

    def test_the_hash_is_of_what_is_stored(self, cloud: Cloud, file: Path) -> None:
        cloud.upload_file(file, bucket="shelf", key="hashed")

        digest = stored_sha256(cloud, bucket="shelf", key="hashed")

        assert digest == hashlib.sha256(file.read_bytes()).hexdigest()

    def test_an_empty_file_is_an_object_too(self, cloud: Cloud, tmp_path: Path) -> None:
        (tmp_path / "empty").touch()

        cloud.upload_file(tmp_path / "empty", bucket="shelf", key="empty")

        assert cloud.object_bytes(bucket="shelf", key="empty") == 0
        assert b"".join(cloud.read_object(bucket="shelf", key="empty")) == b""

    def test_an_object_is_replaced(self, cloud: Cloud, file: Path) -> None:
        cloud.upload_file(file, bucket="shelf", key="again")
        file.write_bytes(b"new")

        cloud.upload_file(file, bucket="shelf", key="again")

        assert b"".join(cloud.read_object(bucket="shelf", key="again")) == b"new"

    def test_a_new_object_is_made_where_only_a_new_one_is_wanted(
        self, cloud: Cloud, file: Path
    ) -> None:
        cloud.upload_file(file, bucket="shelf", key="new", only_new=True)

        assert b"".join(cloud.read_object(bucket="shelf", key="new")) == file.read_bytes()

    def test_an_object_stays_as_it_is_where_only_a_new_one_is_wanted(
        self, cloud: Cloud, file: Path, tmp_path: Path
    ) -> None:
        old = tmp_path / "old"
        old.write_bytes(b"old")
        cloud.upload_file(old, bucket="shelf", key="kept")

        with pytest.raises(ObjectExistsError, match=r"an object s3://shelf/kept already"):
            cloud.upload_file(file, bucket="shelf", key="kept", only_new=True)

        assert b"".join(cloud.read_object(bucket="shelf", key="kept")) == b"old"

    def test_an_object_that_is_not_there_has_no_size(self, cloud: Cloud) -> None:
        assert cloud.object_bytes(bucket="shelf", key="nothing") is None

    def test_an_object_that_is_not_there_cannot_be_read(self, cloud: Cloud) -> None:
        with pytest.raises(CloudError, match="there is no object s3://shelf/nothing"):
            list(cloud.read_object(bucket="shelf", key="nothing"))

    def test_a_missing_bucket_is_named(self, cloud: Cloud, file: Path) -> None:
        with pytest.raises(BucketMissingError, match=r"no bucket 'attic'.*infra\.apply"):
            cloud.upload_file(file, bucket="attic", key="a")

    def test_a_missing_file_is_named(self, cloud: Cloud, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match=r"missing\.bin: No such file"):
            cloud.upload_file(tmp_path / "missing.bin", bucket="shelf", key="a")


class TestAwsErrors:
    def test_nobody_at_the_endpoint(self, aws: AwsCloud) -> None:
        nobody = AwsCloud(endpoint="http://127.0.0.1:9")

        with pytest.raises(CloudUnreachableError, match=r"127\.0\.0\.1:9.*AWS_ENDPOINT_URL"):
            nobody.object_bytes(bucket="shelf", key="a")

    def test_no_credentials(
        self, aws: AwsCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))

        with pytest.raises(CloudCredentialsError, match="no usable AWS credentials"):
            AwsCloud().object_bytes(bucket="shelf", key="a")

    def test_a_profile_that_does_not_exist(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_PROFILE", "nobody")

        with pytest.raises(CloudCredentialsError, match=r"nobody.*AWS_PROFILE"):
            AwsCloud()

    def test_an_endpoint_that_is_no_url(self) -> None:
        with pytest.raises(CloudCredentialsError, match="localhost"):
            AwsCloud(endpoint="localhost:5000")

    def test_a_refusal_is_told_with_its_place(self, aws: AwsCloud) -> None:
        with pytest.raises(
            AccessDeniedError,
            match=r"AWS refused HeadObject of s3://vault/a \(403\): the right "
            r"s3:GetObject or s3:ListBucket on s3://vault/a is missing",
        ):
            aws.object_bytes(bucket="vault", key="a")

    def test_a_region_of_ones_own_goes_before_the_settings(self, aws: AwsCloud) -> None:
        assert AwsCloud(region="us-west-2").object_bytes(bucket="shelf", key="nothing") is None


def refused(operation: str, code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class TestRefusal:
    def test_a_right_that_aws_names_is_told(self) -> None:
        told = refusal(
            refused(
                "PutObject",
                "AccessDenied",
                "User: arn:aws:sts::123456789012:assumed-role/ci/run is not authorized to "
                "perform: kms:GenerateDataKey on resource: "
                "arn:aws:kms:eu-central-1:123456789012:key/1 because no identity-based policy "
                "allows the kms:GenerateDataKey action",
            ),
            what="s3://shelf/a",
        )

        assert isinstance(told, AccessDeniedError)
        assert told.data["right"] == "kms:GenerateDataKey"
        assert told.data["resource"] == "arn:aws:kms:eu-central-1:123456789012:key/1"
        assert "role" in told.message

    @pytest.mark.parametrize(
        ("operation", "what", "right"),
        [
            ("PutObject", "s3://shelf/a", "s3:PutObject"),
            ("UploadPart", "s3://shelf/a", "s3:PutObject"),
            ("GetObject", "s3://shelf/a", "s3:GetObject"),
            ("DescribeComponent", "component a 1.0.0", "greengrass:DescribeComponent"),
        ],
    )
    def test_a_right_that_aws_does_not_name_follows_from_the_call(
        self, operation: str, what: str, right: str
    ) -> None:
        told = refusal(refused(operation, "AccessDenied", "Access Denied"), what=what)

        assert told is not None
        assert told.data["right"] == right

    @pytest.mark.parametrize("code", ["SlowDown", "ThrottlingException"])
    def test_too_many_calls_are_not_a_missing_right(self, code: str) -> None:
        told = refusal(refused("PutObject", code), what="s3://shelf/a")

        assert isinstance(told, CloudBusyError)
        assert "wait a minute and run again" in told.message

    def test_anything_else_is_left_to_others(self) -> None:
        assert refusal(refused("PutObject", "InternalError"), what="s3://shelf/a") is None
