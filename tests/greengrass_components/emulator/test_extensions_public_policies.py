"""Policies that a bucket of the emulated S3 takes, and those that it does not."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from greengrass_components.emulator import start_emulator

ROLE = "arn:aws:iam::123456789012:role/reader"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("emulator")
    with pytest.MonkeyPatch.context() as patch, start_emulator(folder) as running:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        s3 = boto3.session.Session().client("s3")
        yield s3
        s3.close()


@pytest.fixture
def bucket(s3: Any) -> str:
    """A bucket that blocks public policies."""
    name = f"bucket-{next(numbers)}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_public_access_block(
        Bucket=name, PublicAccessBlockConfiguration={"BlockPublicPolicy": True}
    )
    return name


def put(s3: Any, bucket: str, *statements: dict[str, Any]) -> None:
    common = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    resource = {"Resource": f"arn:aws:s3:::{bucket}/*"}
    document = {
        "Version": "2012-10-17",
        "Statement": [{**common, **resource, **statement} for statement in statements],
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))


@pytest.mark.parametrize(
    "statement",
    [
        {},
        {"Principal": {"AWS": "*"}},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Condition": {"StringNotEquals": {"aws:SourceAccount": "123456789012"}}},
        {"Condition": {"StringEqualsIfExists": {"aws:SourceAccount": "123456789012"}}},
        {"Condition": {"StringLike": {"aws:SourceAccount": "1234*"}}},
        {"Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/reader"}}},
        {"Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}},
    ],
    ids=str,
)
def test_a_policy_for_everybody_is_refused_where_those_are_blocked(
    s3: Any, bucket: str, statement: dict[str, Any]
) -> None:
    with pytest.raises(ClientError, match="AccessDenied.*BlockPublicPolicy"):
        put(s3, bucket, statement)

    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket=bucket)


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Deny"},
        {"Principal": {"AWS": ROLE}},
        {"Principal": {"Service": "logging.s3.amazonaws.com"}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}},
        {"Condition": {"ArnLike": {"aws:PrincipalArn": ROLE}}},
        {"Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}},
    ],
    ids=str,
)
def test_a_policy_for_somebody_is_taken(s3: Any, bucket: str, statement: dict[str, Any]) -> None:
    put(s3, bucket, statement)

    assert s3.get_bucket_policy(Bucket=bucket)["Policy"]


def test_one_statement_for_everybody_is_enough(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError, match="BlockPublicPolicy"):
        put(s3, bucket, {"Principal": {"AWS": ROLE}}, {})


@pytest.mark.parametrize("block", [None, {"BlockPublicPolicy": False, "BlockPublicAcls": True}])
def test_a_policy_for_everybody_is_taken_where_nothing_blocks_it(
    s3: Any, bucket: str, block: dict[str, bool] | None
) -> None:
    s3.delete_public_access_block(Bucket=bucket)
    if block is not None:
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)

    put(s3, bucket, {})

    assert s3.get_bucket_policy(Bucket=bucket)["Policy"]


@pytest.mark.parametrize(
    "document",
    [
        "no JSON",
        "{}",
        '{"Version": "2012-10-17", "Statement": []}',
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Permit"}]}',
    ],
)
def test_a_policy_that_cannot_be_read_is_refused(s3: Any, bucket: str, document: str) -> None:
    with pytest.raises(ClientError, match="MalformedPolicy"):
        s3.put_bucket_policy(Bucket=bucket, Policy=document)


def test_a_policy_for_a_bucket_that_is_not_there(s3: Any) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        put(s3, "no-such-bucket", {})
