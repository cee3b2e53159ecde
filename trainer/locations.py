"""A path or a URI, to read from and to write to: both are used in the same way."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from edge_runtime.errors import StorageError
from edge_runtime.storage import write_atomically
from trainer.errors import SourceNotFoundError

__all__ = [
    "refuse_foreign",
    "resolve",
    "translating_cloud_errors",
    "translating_read_errors",
    "write_location",
]


def resolve(location: str) -> Any:
    """Give a ``Path`` or, for a URI such as ``s3://bucket/key``, a cloudpathlib path.

    Raises:
        SourceNotFoundError: the scheme is unknown, or its library is not installed.
    """
    if "://" not in location:
        return Path(location).expanduser()
    # cloudpathlib brings boto3, which takes a while: only for those who need it.
    from cloudpathlib import AnyPath

    with translating_cloud_errors(location):
        path = AnyPath(location)
    if isinstance(path, Path):
        scheme = location.partition("://")[0]
        raise SourceNotFoundError(
            f"cannot open {location}: unknown scheme {scheme!r}; give a path or an s3:// URI",
            location=location,
        )
    return path


def write_location(location: str, content: bytes) -> None:
    """Write a file or an object: afterwards there is the old content or the new, never a part.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
        SourceNotFoundError: the bucket cannot be reached.
    """
    target = resolve(location)
    if isinstance(target, Path):
        write_atomically(target, content)
        return
    with translating_cloud_errors(location):
        target.write_bytes(content)


def refuse_foreign(target: Any, location: str, *, closing: str, others: Collection[str]) -> None:
    """Refuse a place in a bucket where something else lies than what is to be written.

    Args:
        target: what ``resolve`` gives for the URI.
        location: the URI.
        closing: the file that comes last; a folder that has it is ours.
        others: the other files; of an upload that broke off some may stand alone.

    Raises:
        StorageError: something else lies there, or it is a whole bucket.
        SourceNotFoundError: the bucket cannot be reached.
    """
    if len(PurePosixPath(location.partition("://")[2]).parts) < 2:
        raise StorageError(f"{location} is a whole bucket; name a folder in it", path=location)
    with translating_cloud_errors(location):
        names = {one.name for one in target.iterdir()} if target.is_dir() else set()
        is_foreign = target.is_file() or (closing not in names and not names <= set(others))
    if is_foreign:
        raise StorageError(
            f"{location} holds something else: it has no {closing}; choose another place",
            path=location,
        )


@contextlib.contextmanager
def translating_cloud_errors(location: str) -> Iterator[None]:
    """Turn an error of a cloud library or of the network into one clear line.

    What this machine's own disk refuses passes through.

    Raises:
        SourceNotFoundError: in place of it.
    """
    try:
        yield
    except Exception as error:
        if not _is_cloud_error(error):
            raise
        reason = " ".join(str(error).split())
        raise SourceNotFoundError(
            f"cannot open {location}: {reason}; check the address and your credentials",
            location=location,
        ) from error


@contextlib.contextmanager
def translating_read_errors(location: str) -> Iterator[None]:
    """Turn whatever prevents a path or a URI from being read into one clear line.

    Raises:
        SourceNotFoundError: in place of it.
    """
    try:
        with translating_cloud_errors(location):
            yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise SourceNotFoundError(
            f"cannot open {location}: {reason}; check the path and who may read it",
            location=location,
        ) from error


def _is_cloud_error(error: Exception) -> bool:
    # Looked at by module, so that a local path imports no cloud library.
    if isinstance(error, ValueError) and str(error).startswith("Invalid endpoint"):
        return True  # botocore's, of an AWS_ENDPOINT_URL that is no URL
    return isinstance(error, ConnectionError | TimeoutError) or any(
        kind.__module__.split(".")[0] in ("botocore", "boto3", "cloudpathlib", "google", "azure")
        for kind in type(error).__mro__
    )
