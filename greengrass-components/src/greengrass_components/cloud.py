"""The door to AWS: one port, boto3 behind it, and a fake in memory for tests and trials.

Where calls go is decided by boto3's ordinary settings (``AWS_ENDPOINT_URL``, profiles,
``~/.aws``), so AWS itself and an emulator are the same to the code above. What boto3 and
the network raise is translated here, once.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from edge_runtime.errors import StorageError
from greengrass_components.aws_errors import error_code, translating_aws_errors
from greengrass_components.errors import (
    AccessDeniedError,
    BucketMissingError,
    CloudBusyError,
    CloudCredentialsError,
    CloudError,
    ObjectExistsError,
)

__all__ = ["AwsCloud", "Cloud", "InMemoryCloud", "refusal", "stored_sha256"]

_CHUNK_BYTES = 1 << 20
_MISSING_CODES = frozenset({"404", "NoSuchKey", "NotFound"})
# The second comes when two uploads of one key cross.
_EXISTS_CODES = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
_DENIED_CODES = frozenset({"403", "AccessDenied", "AccessDeniedException"})
_BUSY_CODES = frozenset(
    {
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# Without the right to list, S3 says "forbidden" of an object that is not there.
_RIGHTS = {"HeadObject": "s3:GetObject or s3:ListBucket"}
_UPLOADS = ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
_NAMED_RIGHT = re.compile(r"not authorized to perform:? (\S+)(?: on resource:? (\S+))?")


class Cloud(Protocol):
    """Stores files as objects in buckets, and gives them back."""

    def upload_file(self, path: Path, *, bucket: str, key: str, only_new: bool = False) -> None:
        """Store a file as an object.

        Args:
            path: the file.
            bucket: name of the bucket.
            key: key of the object.
            only_new: refuse when there is an object of that key, which is replaced otherwise.

        Raises:
            ObjectExistsError: there is one, and only a new one was wanted.
            CloudError: it cannot be stored.
            StorageError: the file cannot be read.
        """
        ...

    def object_bytes(self, *, bucket: str, key: str) -> int | None:
        """Return the size of an object in bytes, None if there is none of that key.

        Raises:
            CloudError: the cloud does not say.
        """
        ...

    def read_object(self, *, bucket: str, key: str) -> Iterator[bytes]:
        """Give the content of an object in pieces.

        Raises:
            CloudError: there is no such object, or it cannot be read to its end.
        """
        ...


def stored_sha256(cloud: Cloud, *, bucket: str, key: str) -> str:
    """Read an object whole and return the SHA-256 of what came, in hexadecimal.

    Raises:
        CloudError: there is no such object, or it cannot be read to its end.
    """
    digest = hashlib.sha256()
    for chunk in cloud.read_object(bucket=bucket, key=key):
        digest.update(chunk)
    return digest.hexdigest()


class AwsCloud:
    """AWS through boto3. Making one calls nothing."""

    def __init__(self, *, endpoint: str | None = None, region: str | None = None) -> None:
        """Take boto3's ordinary settings.

        Args:
            endpoint: URL that answers for S3; boto3's settings decide when left out.
            region: AWS region of the buckets; boto3's settings decide when left out.

        Raises:
            CloudCredentialsError: the AWS profile that is asked for does not exist.
        """
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        try:
            session = boto3.session.Session(region_name=region)
            # botocore's own default mode takes no notice of most throttling.
            config = Config(retries={"mode": "standard"})
            self._s3: Any = session.client("s3", endpoint_url=endpoint, config=config)
        except (BotoCoreError, ValueError) as error:
            raise CloudCredentialsError(
                f"the AWS settings are not usable: {error}; check AWS_PROFILE, "
                "AWS_ENDPOINT_URL and ~/.aws/config"
            ) from error

    def upload_file(self, path: Path, *, bucket: str, key: str, only_new: bool = False) -> None:
        """Store a file as an object; see ``Cloud``."""
        with _reading(path) as file, _translating(bucket=bucket, key=key):
            if only_new:
                # S3 itself looks, at the moment when the object comes to be.
                self._s3.put_object(Bucket=bucket, Key=key, Body=file, IfNoneMatch="*")
            else:
                # Unlike upload_file, this passes the errors of S3 on as they are.
                self._s3.upload_fileobj(file, bucket, key)

    def object_bytes(self, *, bucket: str, key: str) -> int | None:
        """Return the size of an object in bytes; see ``Cloud``."""
        from botocore.exceptions import ClientError

        with _translating(bucket=bucket, key=key):
            try:
                return int(self._s3.head_object(Bucket=bucket, Key=key)["ContentLength"])
            except ClientError as error:
                if error_code(error) in _MISSING_CODES:
                    return None
                raise

    def read_object(self, *, bucket: str, key: str) -> Iterator[bytes]:
        """Give the content of an object in pieces; see ``Cloud``."""
        with _translating(bucket=bucket, key=key):
            body = self._s3.get_object(Bucket=bucket, Key=key)["Body"]
            with contextlib.closing(body):
                yield from body.iter_chunks(_CHUNK_BYTES)


class InMemoryCloud:
    """A cloud of dictionaries, with the promises of ``Cloud``."""

    def __init__(self, buckets: Iterable[str] = ()) -> None:
        """Make empty buckets of the given names."""
        self.buckets: dict[str, dict[str, bytes]] = {name: {} for name in buckets}
        """Content by bucket and key."""
        self.uploads: list[tuple[str, str]] = []
        """Bucket and key of every upload, in order."""

    def upload_file(self, path: Path, *, bucket: str, key: str, only_new: bool = False) -> None:
        """Store a file as an object; see ``Cloud``."""
        with _reading(path) as file:
            objects = self._objects(bucket)
            if only_new and key in objects:
                raise _object_exists(bucket, key)
            objects[key] = file.read()
        self.uploads.append((bucket, key))

    def object_bytes(self, *, bucket: str, key: str) -> int | None:
        """Return the size of an object in bytes; see ``Cloud``."""
        content = self._objects(bucket).get(key)
        return None if content is None else len(content)

    def read_object(self, *, bucket: str, key: str) -> Iterator[bytes]:
        """Give the content of an object in pieces; see ``Cloud``."""
        content = self._objects(bucket).get(key)
        if content is None:
            raise _no_object(bucket, key)
        for start in range(0, len(content), _CHUNK_BYTES):
            yield content[start : start + _CHUNK_BYTES]

    def _objects(self, bucket: str) -> dict[str, bytes]:
        try:
            return self.buckets[bucket]
        except KeyError as error:
            raise _no_bucket(bucket) from error


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[Any]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}", path=path) from error
    with file:
        yield file


def refusal(error: Any, *, what: str) -> CloudError | None:
    """Explain a ``ClientError`` about rights or about too many calls; None if it is neither.

    Args:
        error: what boto3 raised.
        what: the thing that was worked on, such as ``s3://bucket/key``.
    """
    code = error_code(error)
    if code in _BUSY_CODES:
        return CloudBusyError(
            f"AWS asks for fewer calls ({code} at {error.operation_name} of {what}, also after "
            "the retries); wait a minute and run again",
            code=code,
        )
    if code not in _DENIED_CODES:
        return None
    operation = error.operation_name
    reason = " ".join(str(error.response["Error"].get("Message") or "").split())
    # AWS names the right itself, which matters when it is another service's, such as kms:Decrypt.
    named = _NAMED_RIGHT.search(reason)
    if named is not None:
        right, on = named[1], named[2] or what
    elif operation in _UPLOADS:
        right, on = "s3:PutObject", what
    elif what.startswith("s3://"):
        right, on = _RIGHTS.get(operation, f"s3:{operation}"), what
    else:
        right, on = f"greengrass:{operation}", what
    return AccessDeniedError(
        f"AWS refused {operation} of {what} ({code}): the right {right} on {on} is missing; "
        "have it added to the role, or sign in with another one",
        right=right,
        resource=on,
        reason=reason,
    )


@contextlib.contextmanager
def _translating(*, bucket: str, key: str) -> Iterator[None]:
    """Turn what boto3 raises into errors that say what to do."""
    from botocore.exceptions import ClientError

    with translating_aws_errors(f"use s3://{bucket}/{key}"):
        try:
            yield
        except ClientError as error:
            found = _from_client_error(error, bucket=bucket, key=key)
            if found is None:
                raise
            raise found from error


def _from_client_error(error: Any, *, bucket: str, key: str) -> CloudError | None:
    code = error_code(error)
    if code == "NoSuchBucket":
        return _no_bucket(bucket)
    if code in _MISSING_CODES:
        return _no_object(bucket, key)
    if code in _EXISTS_CODES:
        return _object_exists(bucket, key)
    return refusal(error, what=f"s3://{bucket}/{key}")


def _no_bucket(bucket: str) -> BucketMissingError:
    return BucketMissingError(
        f"there is no bucket {bucket!r}; make it with infra.apply, whose output "
        "artifact_bucket is its name",
        bucket=bucket,
    )


def _no_object(bucket: str, key: str) -> CloudError:
    return CloudError(f"there is no object s3://{bucket}/{key}", bucket=bucket, key=key)


def _object_exists(bucket: str, key: str) -> ObjectExistsError:
    return ObjectExistsError(
        f"there is an object s3://{bucket}/{key} already; see what it is, and run again",
        bucket=bucket,
        key=key,
    )
