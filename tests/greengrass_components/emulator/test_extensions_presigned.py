"""Presigned addresses of the emulated S3 hold for their time."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from greengrass_components.emulator import start_emulator

PLACE = {"Bucket": "presigned", "Key": "one"}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("emulator")
    with pytest.MonkeyPatch.context() as patch, start_emulator(folder) as running:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        s3 = boto3.session.Session().client("s3")
        s3.create_bucket(
            Bucket="presigned", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        s3.put_object(Bucket="presigned", Key="one", Body=b"1")
        yield s3
        s3.close()


@pytest.fixture
def address(s3: Any) -> str:
    """An address that holds for an hour."""
    return str(s3.generate_presigned_url("get_object", PLACE))


def answer(address: str, *, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    connection.request(method, f"{place.path}?{place.query}", body=body)
    response = connection.getresponse()
    try:
        return response.status, response.read()
    finally:
        connection.close()


def test_an_address_gives_what_it_is_for(address: str) -> None:
    assert answer(address) == (200, b"1")


def test_an_address_whose_time_is_over_gives_nothing(address: str) -> None:
    old = re.sub(r"X-Amz-Date=\d{8}", "X-Amz-Date=20200101", address)

    status, body = answer(old)

    assert status == 403
    assert b"<Code>AccessDenied</Code>" in body
    assert b"Request has expired" in body


def test_an_address_whose_time_is_over_takes_nothing(s3: Any) -> None:
    address = s3.generate_presigned_url("put_object", {**PLACE, "Key": "two"})
    assert answer(address, method="PUT", body=b"2")[0] == 200
    old = re.sub(r"X-Amz-Date=\d{8}", "X-Amz-Date=20200101", address)

    assert answer(old, method="PUT", body=b"3")[0] == 403

    assert s3.get_object(**PLACE | {"Key": "two"})["Body"].read() == b"2"


@pytest.mark.parametrize(("seconds", "status"), [(3600, 200), (-3600, 403)])
def test_an_address_of_the_old_kind_ends_as_well(s3: Any, seconds: int, status: int) -> None:
    end = int(time.time()) + seconds
    query = f"AWSAccessKeyId=emulator&Signature=a&Expires={end}"

    assert answer(f"{s3.meta.endpoint_url}/presigned/one?{query}")[0] == status


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        (r"X-Amz-Expires=\d+", "X-Amz-Expires=604801"),
        (r"X-Amz-Expires=\d+", "X-Amz-Expires=0"),
        (r"X-Amz-Expires=\d+", "X-Amz-Expires=soon"),
        (r"X-Amz-Date=\w+", "X-Amz-Date=today"),
    ],
)
def test_an_address_that_cannot_be_read_is_refused(address: str, found: str, instead: str) -> None:
    status, body = answer(re.sub(found, instead, address))

    assert status == 400
    assert b"AuthorizationQueryParametersError" in body
