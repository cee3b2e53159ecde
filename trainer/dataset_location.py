"""Datasets at a path or a URI: built into a bucket, and fetched from it to train on."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.artifact import Artifact, ArtifactDocument, read_artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import ArtifactError
from edge_runtime.storage import (
    JSON_ERRORS,
    own_folder,
    replace_folder,
    translating_storage_errors,
    write_atomically,
)
from trainer.config import DataSettings
from trainer.data_changes import changes_path
from trainer.dataset import DOCUMENT, FILES, KIND, build_dataset
from trainer.locations import (
    refuse_foreign,
    resolve,
    translating_cloud_errors,
    write_location,
)

__all__ = ["build_dataset_at", "fetch_dataset"]


def build_dataset_at(
    location: str,
    folder: str,
    *,
    settings: DataSettings,
    cache: Path,
    test_location: str | None = None,
    progress: Progress = no_progress,
) -> Artifact:
    """Build a dataset at a path or a URI, see ``trainer.dataset.build_dataset``.

    For a URI it is built in ``cache`` and then sent, its document last: where an upload broke off,
    the files do not agree with the document, and ``fetch_dataset`` refuses them. The next build
    sends all of them again. The account of changes goes beside it, as on this machine.

    Args:
        location: of the utterances.
        folder: the dataset's folder, or a URI such as ``s3://bucket/key``.
        settings: how to read, check and split.
        cache: a folder of this machine for datasets that belong to a bucket.
        test_location: utterances for the test, in place of the source's own.
        progress: called after each step.

    Raises:
        DataError: the source cannot be found, read or learnt from, or the bucket not be reached.
        StorageError: the folder cannot be written, or something else is there.
    """
    target = resolve(folder)
    if isinstance(target, Path):
        return build_dataset(
            location, target, settings=settings, test_location=test_location, progress=progress
        )
    refuse_foreign(target, folder, closing=DOCUMENT, others=FILES)
    artifact = build_dataset(
        location,
        _built(folder, cache),
        settings=settings,
        test_location=test_location,
        progress=progress,
    )
    there = _read_document(target, folder)
    if there is not None and hashlib.sha256(there).hexdigest() == artifact.digest:
        return artifact
    account = changes_path(artifact.folder).read_bytes()
    write_location(f"{folder.rstrip('/')}.changes.jsonl", account)
    with translating_cloud_errors(folder):
        for name in (*sorted(artifact.document.files), DOCUMENT):
            (target / name).upload_from(artifact.folder / name, force_overwrite_to_cloud=True)
    return msgspec.structs.replace(artifact, skipped=False)


def fetch_dataset(location: str, *, cache: Path) -> Path:
    """Give a dataset's folder on this machine; one in a bucket is copied there and verified.

    Args:
        location: a folder, which is given back as it is, or a URI.
        cache: where copies are kept, by the digest of their document: a dataset that did not
            change is not fetched twice. One that was built here is not fetched at all.

    Raises:
        ArtifactError: there is no dataset at the URI, or it is incomplete or damaged.
        SourceNotFoundError: the bucket cannot be reached.
        StorageError: the copy cannot be written.
    """
    target = resolve(location)
    if isinstance(target, Path):
        return target
    content = _read_document(target, location)
    if content is None:
        raise ArtifactError(
            f"no {KIND} at {location}: {DOCUMENT} is missing; run data.build --folder {location}",
            folder=location,
        )
    built = _built(location, cache)
    if _is_copy(built, content):
        return built
    folder = cache / hashlib.sha256(content).hexdigest()
    with own_folder(folder, closing=DOCUMENT) as own:
        if not _is_copy(own, content):
            with replace_folder(own) as partial:
                _download(target, location, partial, content)
    return folder


def _built(location: str, cache: Path) -> Path:
    return cache / hashlib.sha256(location.rstrip("/").encode()).hexdigest()


def _read_document(target: Any, location: str) -> bytes | None:
    with (
        translating_storage_errors(Path(tempfile.gettempdir())),
        translating_cloud_errors(location),
        tempfile.TemporaryDirectory() as name,
    ):
        document = target / DOCUMENT
        if not document.is_file():
            return None
        # Not read_bytes: that goes by a cache which knows times to the second only.
        copy = Path(name) / DOCUMENT
        document.download_to(copy)
        return copy.read_bytes()


def _is_copy(folder: Path, content: bytes) -> bool:
    try:
        return read_artifact(folder, KIND).digest == hashlib.sha256(content).hexdigest()
    except ArtifactError:
        return False


def _download(target: Any, location: str, folder: Path, content: bytes) -> None:
    try:
        names = msgspec.json.decode(content, type=ArtifactDocument).files
    except JSON_ERRORS as error:
        raise _damaged(location, DOCUMENT) from error
    for name in names:
        # Whoever wrote the document, nothing is written outside of the folder.
        if name not in FILES:
            raise _damaged(location, name)
        with translating_cloud_errors(location):
            if not (target / name).is_file():
                raise _damaged(location, name)
            (target / name).download_to(folder / name)
    write_atomically(folder / DOCUMENT, content)
    try:
        read_artifact(folder, KIND)
    except ArtifactError as error:
        raise _damaged(location, str(error.data.get("file", DOCUMENT))) from error


def _damaged(location: str, name: str) -> ArtifactError:
    return ArtifactError(
        f"the {KIND} at {location} is incomplete or damaged: {name} is not what {DOCUMENT} "
        f"promises; run data.build --folder {location} again",
        folder=location,
        file=name,
    )
