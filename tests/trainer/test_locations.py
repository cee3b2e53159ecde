"""Errors of paths and URIs, in one line each."""

from __future__ import annotations

import errno
import os

import pytest
from botocore.exceptions import NoCredentialsError

from trainer.errors import SourceNotFoundError
from trainer.locations import (
    resolve,
    translating_cloud_errors,
    translating_read_errors,
    write_location,
)

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("error", [NoCredentialsError(), ConnectionResetError("reset by peer")])
def test_what_the_cloud_refuses_names_the_address(error: Exception) -> None:
    with (
        pytest.raises(SourceNotFoundError, match="cannot open s3://a/b: .*check the address and"),
        translating_cloud_errors("s3://a/b"),
    ):
        raise error


def test_what_this_machines_disk_refuses_is_not_said_of_the_cloud() -> None:
    with (
        pytest.raises(OSError, match="No space left") as caught,
        translating_cloud_errors("s3://a"),
    ):
        raise FULL
    assert caught.value is FULL


def test_what_cannot_be_read_names_the_place() -> None:
    with (
        pytest.raises(
            SourceNotFoundError, match="^cannot open a.csv: Permission denied; check the path"
        ),
        translating_read_errors("a.csv"),
    ):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def test_a_cloud_whose_library_is_not_installed_is_one_line() -> None:
    with pytest.raises(SourceNotFoundError, match="^cannot open gs://a/b: ") as caught:
        resolve("gs://a/b")
    assert "\n" not in str(caught.value)


def test_an_endpoint_without_a_scheme_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:5000")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with pytest.raises(SourceNotFoundError, match="Invalid endpoint: localhost:5000; check the"):
        write_location("s3://a/b", b"")
