"""The emulated S3 takes nothing that is not what its sender says."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from greengrass_components.emulator import start_emulator

ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]
SHA256 = base64.b64encode(hashlib.sha256(b"model").digest()).decode()
MD5 = base64.b64encode(hashlib.md5(b"model").digest()).decode()
keys = (f"key-{number}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("emulator")
    with pytest.MonkeyPatch.context() as patch, start_emulator(folder) as running:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        s3 = boto3.session.Session().client("s3")
        s3.create_bucket(
            Bucket="uploads", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        yield s3
        s3.close()


@pytest.fixture
def place() -> dict[str, str]:
    """Where a new object goes."""
    return {"Bucket": "uploads", "Key": next(keys)}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_right_checksum_of_each_kind_is_taken(
    s3: Any, place: dict[str, str], algorithm: str
) -> None:
    told = s3.put_object(**place, Body=b"model", ChecksumAlgorithm=algorithm)

    assert told[f"Checksum{algorithm}"]
    assert s3.get_object(**place)["Body"].read() == b"model"


@pytest.mark.parametrize("digest", [{"ChecksumSHA256": SHA256}, {"ContentMD5": MD5}])
def test_a_digest_that_the_sender_made_is_taken(
    s3: Any, place: dict[str, str], digest: dict[str, str]
) -> None:
    s3.put_object(**place, Body=b"model", **digest)

    assert s3.get_object(**place)["Body"].read() == b"model"


@pytest.mark.parametrize("digest", [{"ChecksumSHA256": SHA256}, {"ContentMD5": MD5}])
def test_another_content_than_the_digest_says_is_refused(
    s3: Any, place: dict[str, str], digest: dict[str, str]
) -> None:
    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(**place, Body=b"other", **digest)

    with pytest.raises(ClientError, match="404"):
        s3.head_object(**place)


def test_what_stands_there_stays_when_a_new_content_is_refused(
    s3: Any, place: dict[str, str]
) -> None:
    s3.put_object(**place, Body=b"model")

    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(**place, Body=b"other", ChecksumSHA256=SHA256)

    assert s3.get_object(**place)["Body"].read() == b"model"


@pytest.mark.parametrize(
    ("digest", "code"),
    [
        ({"ContentMD5": "no base64"}, "InvalidDigest"),
        ({"ContentMD5": "c2hvcnQ="}, "InvalidDigest"),
        ({"ChecksumSHA256": "c2hvcnQ="}, "InvalidRequest"),
        ({"ChecksumCRC32": "no base64"}, "InvalidRequest"),
    ],
)
def test_what_is_no_digest_at_all_is_refused(
    s3: Any, place: dict[str, str], digest: dict[str, str], code: str
) -> None:
    with pytest.raises(ClientError, match=code):
        s3.put_object(**place, Body=b"model", **digest)


def test_parts_of_a_large_object_are_checked_too(s3: Any, place: dict[str, str]) -> None:
    upload = s3.create_multipart_upload(**place)["UploadId"]
    part = {**place, "UploadId": upload, "PartNumber": 1}

    s3.upload_part(**part, Body=b"model", ContentMD5=MD5)

    with pytest.raises(ClientError, match="BadDigest"):
        s3.upload_part(**part, Body=b"other", ContentMD5=MD5)


def test_a_large_object_arrives_whole(s3: Any, place: dict[str, str]) -> None:
    content = bytes(range(256)) * (20 << 12)

    s3.upload_fileobj(io.BytesIO(content), place["Bucket"], place["Key"])

    assert s3.get_object(**place)["Body"].read() == content
