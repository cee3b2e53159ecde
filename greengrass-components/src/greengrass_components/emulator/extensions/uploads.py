"""S3: what arrives must be what its sender said it is.

moto takes a body whatever ``Content-MD5`` and the checksums say
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Callable
from typing import Any

__all__ = ["extend_uploads"]

_MD5_BYTES = 16
# Where a body is sent in chunks, its checksum stands behind the last one.
_TRAILER = re.compile(rb"\r\n(x-amz-checksum-[a-z0-9]+):([A-Za-z0-9+/=]+)\s*$")
_HEADER = "x-amz-checksum-"


def extend_uploads() -> None:
    """Check every object and every part before it is kept."""
    from moto.s3.responses import S3Response

    def checked(keep: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def keep_checked(response: Any) -> Any:
            _check(response.body or b"", response.headers, response.raw_body or b"")
            return keep(response)

        return keep_checked

    for name in ("put_object", "upload_part"):
        setattr(S3Response, name, checked(getattr(S3Response, name)))


def _check(body: bytes, headers: Any, raw: bytes) -> None:
    from moto.s3.exceptions import S3ClientError

    said = headers.get("Content-MD5")
    if said is not None:
        wanted = _decoded(said)
        if wanted is None or len(wanted) != _MD5_BYTES:
            raise S3ClientError("InvalidDigest", "The Content-MD5 you specified was invalid.")
        if wanted != hashlib.md5(body, usedforsecurity=False).digest():
            raise S3ClientError(
                "BadDigest", "The Content-MD5 you specified did not match what we received."
            )
    found = {
        name.lower(): value for name, value in headers.items() if name.lower().startswith(_HEADER)
    }
    if trailer := _TRAILER.search(raw[-256:]):
        found[trailer[1].decode()] = trailer[2].decode()
    for name, value in found.items():
        algorithm = name.removeprefix(_HEADER)
        if (compute := _CHECKSUMS.get(algorithm)) is None:
            continue
        actual = compute(body)
        wanted = _decoded(value)
        if wanted is None or len(wanted) != len(actual):
            raise S3ClientError("InvalidRequest", f"Value for {name} header is invalid.")
        if wanted != actual:
            raise S3ClientError(
                "BadDigest",
                f"The {algorithm.upper()} you specified did not match the calculated checksum.",
            )


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


def _crc32c(body: bytes) -> bytes:
    from awscrt.checksums import crc32c  # type: ignore[import-untyped]

    return int(crc32c(body)).to_bytes(4, "big")


def _crc64nvme(body: bytes) -> bytes:
    from awscrt.checksums import crc64nvme

    return int(crc64nvme(body)).to_bytes(8, "big")


_CHECKSUMS: dict[str, Callable[[bytes], bytes]] = {
    "crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "crc32c": _crc32c,
    "crc64nvme": _crc64nvme,
    "sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "sha256": lambda body: hashlib.sha256(body).digest(),
}
