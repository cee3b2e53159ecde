"""Errors of paths and URIs, in one line each."""

from __future__ import annotations

import errno
import os

import pytest
from botocore.exceptions import NoCredentialsError

from trainer.errors import SourceNotFoundError
from trainer.locations import translating_cloud_errors, translating_read_errors

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
