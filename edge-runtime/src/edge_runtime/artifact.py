"""A stage's folder: files, and a JSON document written last that accounts for all of them.

The document carries the SHA-256 of every file, of the settings and of the parents'
documents. A stage whose inputs hash the same, and whose files are intact, is skipped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.errors import ArtifactError
from edge_runtime.storage import (
    JSON_ERRORS,
    FileEntry,
    canonical_json,
    file_entries,
    own_folder,
    refuse_uri,
    replace_folder,
    write_atomically,
)

__all__ = ["Artifact", "ArtifactDocument", "check_parents", "produce_artifact", "read_artifact"]

SCHEMA_VERSION = 1


class ArtifactDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON document that closes a stage's folder."""

    kind: str
    """The stage, which also names the document: ``dataset`` is ``dataset.json``."""
    schema_version: int
    """Version of this document's form."""
    inputs: str
    """SHA-256 over kind, revision, settings and parents: equal inputs, equal result."""
    settings: dict[str, Any]
    """The resolved settings of the stage."""
    parents: dict[str, str]
    """SHA-256 of each thing that the stage read."""
    files: dict[str, FileEntry]
    """Every other file of the folder, by relative path."""
    result: dict[str, Any]
    """What the stage found: counts, metrics. Never a time, so that runs compare equal."""


class Artifact(msgspec.Struct, frozen=True):
    """A finished stage's folder."""

    folder: Path
    document: ArtifactDocument
    digest: str
    """SHA-256 of the document, and so of everything in the folder."""
    skipped: bool
    """True when the folder was up to date and nothing was done."""


def produce_artifact(
    folder: Path,
    *,
    kind: str,
    revision: int,
    settings: msgspec.Struct | Mapping[str, Any],
    parents: Mapping[str, str],
    make: Callable[[Path], Mapping[str, Any]],
) -> Artifact:
    """Fill a stage's folder, or skip it when it is up to date.

    Args:
        folder: the folder to make; it is replaced as a whole, at the end.
        kind: the stage's name; the document is ``<kind>.json``.
        revision: counts changes of the stage's own code that change its result.
        settings: everything the stage's result depends on besides its parents.
        parents: name -> SHA-256 of what the stage reads.
        make: fills the folder it is given and returns the document's ``result``.

    Raises:
        StorageError: the disk is full, or the folder cannot be written or holds something else.
    """
    plain_settings: dict[str, Any] = msgspec.to_builtins(settings)
    inputs = _inputs_digest(kind, revision, plain_settings, parents)
    with own_folder(folder, closing=f"{kind}.json") as own:
        existing = _read_if_intact(own, kind)
        if existing is not None and existing.document.inputs == inputs:
            return msgspec.structs.replace(existing, skipped=True)
        with replace_folder(own) as partial:
            result = dict(make(partial))
            document = ArtifactDocument(
                kind=kind,
                schema_version=SCHEMA_VERSION,
                inputs=inputs,
                settings=plain_settings,
                parents=dict(parents),
                files=file_entries(partial),
                result=msgspec.to_builtins(result),
            )
            content = canonical_json(document)
            write_atomically(partial / f"{kind}.json", content)
        digest = hashlib.sha256(content).hexdigest()
        return Artifact(folder=folder, document=document, digest=digest, skipped=False)


def read_artifact(folder: Path, kind: str) -> Artifact:
    """Read a stage's folder and check every file in it.

    Raises:
        ArtifactError: the folder is missing, of another kind, incomplete or damaged.
        StorageError: the folder is a URI.
    """
    refuse_uri(folder)
    path = folder / f"{kind}.json"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"no {kind} at {folder}: {path.name} is missing; run the stage that makes it",
            folder=folder,
        ) from error
    try:
        document = msgspec.json.decode(content, type=ArtifactDocument)
    except JSON_ERRORS as error:
        raise ArtifactError(
            f"{path} is damaged ({error}); run the stage that makes it again", folder=folder
        ) from error
    if document.kind != kind or document.schema_version != SCHEMA_VERSION:
        raise ArtifactError(
            f"{path} holds a {document.kind!r} of schema {document.schema_version}, "
            f"expected {kind!r} of schema {SCHEMA_VERSION}; run the stage that makes it again",
            folder=folder,
        )
    found = file_entries(folder, leave_out=frozenset({path.name}))
    if found != document.files:
        names = found.keys() | document.files.keys()
        first = min(name for name in names if found.get(name) != document.files.get(name))
        raise ArtifactError(
            f"{folder / first} is missing or changed since {path.name} was written; "
            "run the stage that makes it again",
            folder=folder,
            file=first,
        )
    digest = hashlib.sha256(content).hexdigest()
    return Artifact(folder=folder, document=document, digest=digest, skipped=False)


def check_parents(artifact: Artifact, parents: Mapping[str, str], *, task: str) -> None:
    """Check that a stage's folder was made of the inputs that it is used with.

    Args:
        artifact: what the stage made.
        parents: an input's name -> its SHA-256.
        task: that makes the folder again, for the message.

    Raises:
        ArtifactError: it was made of another input.
    """
    for name, digest in parents.items():
        if artifact.document.parents.get(name) != digest:
            kind = artifact.document.kind
            raise ArtifactError(
                f"the {kind} {artifact.folder} belongs to another {name} than the one given; "
                f"run {task} again",
                folder=artifact.folder,
                parent=name,
            )


def _read_if_intact(folder: Path, kind: str) -> Artifact | None:
    try:
        return read_artifact(folder, kind)
    except ArtifactError:
        return None


def _inputs_digest(
    kind: str, revision: int, settings: dict[str, Any], parents: Mapping[str, str]
) -> str:
    inputs = {
        "kind": kind,
        "schema_version": SCHEMA_VERSION,
        "revision": revision,
        "settings": settings,
        "parents": dict(parents),
    }
    return hashlib.sha256(canonical_json(inputs)).hexdigest()
