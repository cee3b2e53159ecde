"""The door to AWS: one port, boto3 behind it, and a fake in memory for tests and trials.

Where calls go is decided by boto3's ordinary settings (``AWS_ENDPOINT_URL``, profiles,
``~/.aws``), so AWS itself and an emulator are the same to the code above. What boto3 and
the network raise is translated here, once.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from edge_runtime.errors import StorageError
from greengrass_components.errors import (
    BucketMissingError,
    CloudCredentialsError,
    CloudError,
    CloudUnreachableError,
)

__all__ = ["AwsCloud", "Cloud", "InMemoryCloud", "stored_sha256"]

_CHUNK_BYTES = 1 << 20
_MISSING_CODES = frozenset({"404", "NoSuchKey", "NotFound"})
_CREDENTIAL_CODES = frozenset(
    {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"}
)


class Cloud(Protocol):
    """Stores files as objects in buckets, and gives them back."""

    def upload_file(self, path: Path, *, bucket: str, key: str) -> None:
        """Store a file as an object; an object of that key is replaced.

        Raises:
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

    def __init__(self, *, endpoint: str | None = None) -> None:
        """Take boto3's ordinary settings.

        Args:
            endpoint: URL that answers for S3; boto3's settings decide when left out.

        Raises:
            CloudCredentialsError: the AWS profile that is asked for does not exist.
        """
        import boto3
        from botocore.exceptions import BotoCoreError

        try:
            self._s3: Any = boto3.session.Session().client("s3", endpoint_url=endpoint)
        except (BotoCoreError, ValueError) as error:
            raise CloudCredentialsError(
                f"the AWS settings are not usable: {error}; check AWS_PROFILE, "
                "AWS_ENDPOINT_URL and ~/.aws/config"
            ) from error

    def upload_file(self, path: Path, *, bucket: str, key: str) -> None:
        """Store a file as an object; see ``Cloud``."""
        with _reading(path) as file, _translating(bucket=bucket, key=key):
            # Unlike upload_file, this passes the errors of S3 on as they are.
            self._s3.upload_fileobj(file, bucket, key)

    def object_bytes(self, *, bucket: str, key: str) -> int | None:
        """Return the size of an object in bytes; see ``Cloud``."""
        from botocore.exceptions import ClientError

        with _translating(bucket=bucket, key=key):
            try:
                return int(self._s3.head_object(Bucket=bucket, Key=key)["ContentLength"])
            except ClientError as error:
                if _code(error) in _MISSING_CODES:
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

    def upload_file(self, path: Path, *, bucket: str, key: str) -> None:
        """Store a file as an object; see ``Cloud``."""
        with _reading(path) as file:
            self._objects(bucket)[key] = file.read()
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


@contextlib.contextmanager
def _translating(*, bucket: str, key: str) -> Iterator[None]:
    """Turn what boto3 raises into errors that say what to do."""
    from botocore import exceptions as foreign

    try:
        yield
    except (
        foreign.NoCredentialsError,
        foreign.PartialCredentialsError,
        foreign.CredentialRetrievalError,
        foreign.SSOError,
    ) as error:
        raise CloudCredentialsError(
            f"no usable AWS credentials ({error}); sign in to AWS, or start the emulator "
            "with cloud.start and use the variables that it prints"
        ) from error
    except (foreign.ConnectionError, foreign.HTTPClientError) as error:
        raise CloudUnreachableError(
            f"AWS does not answer ({error}); check the network and AWS_ENDPOINT_URL"
        ) from error
    except foreign.ClientError as error:
        raise _from_client_error(error, bucket=bucket, key=key) from error
    except foreign.BotoCoreError as error:
        raise CloudError(f"AWS failed at s3://{bucket}/{key}: {error}") from error


def _from_client_error(error: Any, *, bucket: str, key: str) -> CloudError:
    code = _code(error)
    if code == "NoSuchBucket":
        return _no_bucket(bucket)
    if code in _MISSING_CODES:
        return _no_object(bucket, key)
    reason = error.response["Error"].get("Message") or code
    if code in _CREDENTIAL_CODES:
        return CloudCredentialsError(
            f"AWS does not accept the credentials ({code}: {reason}); sign in again", code=code
        )
    return CloudError(
        f"AWS refused {error.operation_name} of s3://{bucket}/{key} ({code}: {reason}); "
        "check the rights of the account",
        code=code,
        bucket=bucket,
        key=key,
    )


def _code(error: Any) -> str:
    return str(error.response["Error"].get("Code", ""))


def _no_bucket(bucket: str) -> BucketMissingError:
    return BucketMissingError(
        f"there is no bucket {bucket!r}; make it with infra.apply, whose output "
        "artifact_bucket is its name",
        bucket=bucket,
    )


def _no_object(bucket: str, key: str) -> CloudError:
    return CloudError(f"there is no object s3://{bucket}/{key}", bucket=bucket, key=key)
