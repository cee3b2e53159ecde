"""A bundle on disk: opened, and every byte of it checked against the manifest."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from edge_runtime.errors import BundleDamagedError, BundleNotFoundError, StorageError
from edge_runtime.head import Head, read_head
from edge_runtime.manifest import MANIFEST_NAME, Manifest, decode_manifest
from edge_runtime.scoring import missing_arrays
from edge_runtime.storage import JSON_ERRORS, file_entry, refuse_uri

__all__ = ["Bundle", "GoldenSample", "open_bundle", "read_bundle_head", "read_golden"]


class GoldenSample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the golden file."""

    text: str
    """What is asked."""
    intent: str
    """The best intent of the reference."""
    confidence: dict[str, float]
    """Variant name -> calibrated probability of that intent, 0 to 1."""


class Bundle(NamedTuple):
    """A verified bundle."""

    path: Path
    manifest: Manifest


def open_bundle(path: Path) -> Bundle:
    """Open a bundle and check every byte of it.

    Raises:
        BundleNotFoundError: there is no bundle at ``path``.
        BundleDamagedError: a file is missing, was changed, or is not listed.
        ManifestInvalidError: the manifest does not follow its schema.
        ManifestVersionError: the manifest is of an unknown schema version.
        StorageError: the path is a URI.
    """
    refuse_uri(path)
    try:
        content = (path / MANIFEST_NAME).read_bytes()
    except OSError as error:
        raise BundleNotFoundError(
            f"no bundle at {path}: {MANIFEST_NAME} cannot be read "
            f"({error.strerror or error}); give the folder that holds it",
            path=path,
        ) from error
    manifest = decode_manifest(content)
    for name, expected in manifest.files.items():
        try:
            found = file_entry(path / name)
        except StorageError as error:
            raise BundleDamagedError(
                f"{path / name} is missing; make or fetch the bundle again", file=name
            ) from error
        if found != expected:
            raise BundleDamagedError(
                f"{path / name} is damaged: its SHA-256 is not the manifest's; "
                "make or fetch the bundle again",
                file=name,
            )
    listed = {MANIFEST_NAME, *manifest.files}
    extra = sorted(
        relative
        for file in path.rglob("*")
        if file.is_file() and (relative := file.relative_to(path).as_posix()) not in listed
    )
    if extra:
        raise BundleDamagedError(
            f"{path} holds a file that its manifest does not list: {extra[0]}; remove it",
            file=extra[0],
        )
    return Bundle(path=path, manifest=manifest)


def read_bundle_head(bundle: Bundle) -> Head:
    """Read the head of a verified bundle.

    Raises:
        BundleDamagedError: it is no head, does not fit the labels, or lacks what a score needs.
    """
    head = read_head(bundle.path / bundle.manifest.head)
    wanted = len(bundle.manifest.labels)
    if head.labels != wanted:
        raise BundleDamagedError(
            f"the head of {bundle.path} gives {head.labels} logits, the manifest has {wanted} "
            "labels; make the bundle again",
            file=bundle.manifest.head,
        )
    for variant in bundle.manifest.variants:
        if lacking := missing_arrays(variant.calibration.score, head):
            raise BundleDamagedError(
                f"the head of {bundle.path} lacks {lacking[0]}, which the score of variant "
                f"{variant.name!r} needs; make the bundle again",
                file=bundle.manifest.head,
            )
    return head


def read_golden(bundle: Bundle) -> list[GoldenSample]:
    """Read the golden samples of a verified bundle.

    Raises:
        BundleDamagedError: a line does not follow the form, or names no value for a variant.
    """
    path = bundle.path / bundle.manifest.golden.file
    names = {variant.name for variant in bundle.manifest.variants}
    try:
        lines = path.read_bytes().splitlines()
        samples = [msgspec.json.decode(line, type=GoldenSample) for line in lines]
    except (OSError, *JSON_ERRORS) as error:
        raise BundleDamagedError(
            f"{path} cannot be read ({error}); make the bundle again", file=path.name
        ) from error
    for number, sample in enumerate(samples, start=1):
        if lacking := sorted(names - sample.confidence.keys()):
            raise BundleDamagedError(
                f"{path}, line {number}: no confidence for variant {lacking[0]!r}; "
                "make the bundle again",
                file=path.name,
            )
    return samples
