"""Put the artifacts of a component where devices fetch them from, and prove that they arrived."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from edge_runtime.console import Progress, no_progress
from edge_runtime.storage import FileEntry, file_entry
from greengrass_components.cloud import Cloud, stored_sha256
from greengrass_components.errors import UploadError

__all__ = ["UploadResult", "UploadedArtifact", "upload_component"]

logger = logging.getLogger(__name__)


class UploadedArtifact(msgspec.Struct, frozen=True):
    """One artifact in the bucket, read back and found equal."""

    key: str
    """Key of the object: ``<prefix>/<component>/<version>/<file>``."""
    uri: str
    """The ``s3://`` address that goes into the recipe."""
    sha256: str
    """SHA-256 of the content, in hexadecimal."""
    bytes: int
    """Size in bytes."""
    skipped: bool
    """True when the bucket held it already and nothing was sent."""


class UploadResult(msgspec.Struct, frozen=True):
    """The artifacts of a component in a bucket."""

    bucket: str
    """Name of the bucket."""
    artifacts: tuple[UploadedArtifact, ...]
    """Every artifact, by key."""


def upload_component(
    component_folder: Path,
    *,
    cloud: Cloud,
    bucket: str,
    prefix: str,
    progress: Progress = no_progress,
) -> UploadResult:
    """Upload every artifact of a component and read each back to compare it.

    An artifact that the bucket holds already is not sent again, so a second upload changes
    nothing and an interrupted one goes on where it stopped.

    Args:
        component_folder: holds ``artifacts/<component name>/<version>/<file>``.
        cloud: where to.
        bucket: name of the bucket.
        prefix: folder in the bucket; with or without a slash at its end.
        progress: told of each artifact that is done.

    Returns:
        Every artifact with its address, sorted by key.

    Raises:
        UploadError: the folder holds no artifacts, or an object differs from its file.
        CloudError: the cloud cannot be used.
        StorageError: a file cannot be read.
    """
    root = component_folder / "artifacts"
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    if not paths:
        raise UploadError(
            f"no artifacts in {root}; make the component with component.build first",
            folder=component_folder,
        )
    for path in paths:
        if len(path.relative_to(root).parts) != 3:
            raise UploadError(
                f"{path} is not where an artifact belongs: artifacts/<component>/<version>/<file>",
                path=path,
            )
    parts = [part for part in prefix.split("/") if part]
    artifacts = []
    for done, path in enumerate(paths, start=1):
        key = "/".join([*parts, *path.relative_to(root).parts])
        artifacts.append(_upload(path, cloud=cloud, bucket=bucket, key=key))
        progress("upload", done, len(paths), path.name)
    return UploadResult(bucket=bucket, artifacts=tuple(artifacts))


def _upload(path: Path, *, cloud: Cloud, bucket: str, key: str) -> UploadedArtifact:
    entry = file_entry(path)
    skipped = _holds(cloud, entry, bucket=bucket, key=key)
    if not skipped:
        cloud.upload_file(path, bucket=bucket, key=key)
        # S3's own checksums are of what it received; what counts is what a device will get.
        if not _holds(cloud, entry, bucket=bucket, key=key):
            raise UploadError(
                f"s3://{bucket}/{key} differs from {path} after the upload; "
                "see that nothing else writes there, and run again",
                bucket=bucket,
                key=key,
            )
    logger.info("%s s3://%s/%s", "already there:" if skipped else "uploaded", bucket, key)
    return UploadedArtifact(
        key=key,
        uri=f"s3://{bucket}/{key}",
        sha256=entry.sha256,
        bytes=entry.bytes,
        skipped=skipped,
    )


def _holds(cloud: Cloud, entry: FileEntry, *, bucket: str, key: str) -> bool:
    return (
        cloud.object_bytes(bucket=bucket, key=key) == entry.bytes
        and stored_sha256(cloud, bucket=bucket, key=key) == entry.sha256
    )
