from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.bundle import open_bundle
from edge_runtime.errors import (
    BundleDamagedError,
    BundleError,
    ManifestInvalidError,
    ManifestVersionError,
)
from edge_runtime.manifest import Manifest, decode_manifest, encode_manifest
from edge_runtime.storage import canonical_json

FILES = (
    "golden.jsonl",
    "head.npz",
    "manifest.json",
    "model.fp32.onnx",
    "model.int8.onnx",
    "tokenizer.json",
)


@pytest.fixture
def manifest(built_tiny_bundle: Path) -> Manifest:
    return open_bundle(built_tiny_bundle).manifest


def rewritten(manifest: Manifest, **changes: object) -> bytes:
    """A document that no writer of ours would make, with a digest that fits it if any can."""
    document: Any = msgspec.to_builtins(manifest) | changes | {"digest": ""}
    with contextlib.suppress(msgspec.ValidationError):
        document = msgspec.convert(document, Manifest)
        digest = hashlib.sha256(canonical_json(document)).hexdigest()
        document = msgspec.structs.replace(document, digest=digest)
    return canonical_json(document)


@pytest.fixture(scope="module")
def bundle_to_damage(built_tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("damage") / "bundle"
    shutil.copytree(built_tiny_bundle, copy)
    return copy


def test_the_files_named_here_are_all_files_of_the_bundle(built_tiny_bundle: Path) -> None:
    assert tuple(sorted(path.name for path in built_tiny_bundle.iterdir())) == FILES


@given(
    file=st.sampled_from(FILES),
    place=st.integers(min_value=0, max_value=1 << 16),
    change=st.integers(min_value=1, max_value=255),
)
@settings(max_examples=400, deadline=None)
def test_any_changed_byte_of_any_file_is_refused(
    bundle_to_damage: Path, file: str, place: int, change: int
) -> None:
    path = bundle_to_damage / file
    good = path.read_bytes()
    bad = bytearray(good)
    bad[place % len(bad)] ^= change
    path.write_bytes(bad)
    try:
        with pytest.raises(BundleError):
            open_bundle(bundle_to_damage)
    finally:
        path.write_bytes(good)


@given(file=st.sampled_from(FILES), length=st.integers(min_value=0, max_value=1 << 16))
@settings(max_examples=100, deadline=None)
def test_any_cut_file_is_refused(bundle_to_damage: Path, file: str, length: int) -> None:
    path = bundle_to_damage / file
    good = path.read_bytes()
    path.write_bytes(good[: length % len(good)])
    try:
        with pytest.raises(BundleError):
            open_bundle(bundle_to_damage)
    finally:
        path.write_bytes(good)


@given(content=st.binary(max_size=200))
@settings(deadline=None)
def test_foreign_bytes_are_no_manifest(content: bytes) -> None:
    with pytest.raises(BundleError):
        decode_manifest(content)


def test_endless_nesting_is_no_manifest() -> None:
    with pytest.raises(ManifestInvalidError):
        decode_manifest(b'{"schema_version": ' + b"[" * 100_000)


def test_what_is_written_is_read_back(manifest: Manifest) -> None:
    assert decode_manifest(encode_manifest(manifest)) == manifest


def test_a_whole_number_in_a_float_field_is_read_back(manifest: Manifest) -> None:
    golden = msgspec.structs.replace(manifest.golden, tolerance=1)
    written = encode_manifest(msgspec.structs.replace(manifest, golden=golden))
    assert decode_manifest(written).golden.tolerance == 1.0


def test_a_later_schema_version_is_refused_and_told_what_to_update(manifest: Manifest) -> None:
    with pytest.raises(ManifestVersionError, match="schema version 3.*update edge-runtime") as info:
        decode_manifest(rewritten(manifest, schema_version=3))
    assert info.value.data == {"found": 3, "known": 2}


def test_a_later_version_is_named_even_when_its_keys_are_unknown() -> None:
    with pytest.raises(ManifestVersionError):
        decode_manifest(b'{"schema_version": 9, "everything": "else"}')


def test_an_unknown_key_is_refused(manifest: Manifest) -> None:
    with pytest.raises(ManifestInvalidError, match="colour"):
        decode_manifest(rewritten(manifest, colour="red"))


def test_a_missing_key_is_refused(manifest: Manifest) -> None:
    document = msgspec.to_builtins(manifest)
    del document["labels"]
    with pytest.raises(ManifestInvalidError, match="labels"):
        decode_manifest(canonical_json(document))


def test_the_same_content_in_another_form_is_refused(manifest: Manifest) -> None:
    with pytest.raises(BundleDamagedError):
        decode_manifest(msgspec.json.encode(manifest))


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "models/../../secret"])
def test_files_outside_the_bundle_are_refused(manifest: Manifest, name: str) -> None:
    files = msgspec.to_builtins(manifest.files)
    files[name] = files["golden.jsonl"]
    with pytest.raises(ManifestInvalidError, match="outside the bundle"):
        decode_manifest(rewritten(manifest, files=files))


def test_a_file_that_is_used_must_be_listed(manifest: Manifest) -> None:
    with pytest.raises(ManifestInvalidError, match=r"other\.json"):
        decode_manifest(rewritten(manifest, tokenizer="other.json"))


@pytest.mark.parametrize("labels", [["weather"], ["weather", "weather"]])
def test_labels_are_distinct_and_at_least_two(manifest: Manifest, labels: list[str]) -> None:
    with pytest.raises(ManifestInvalidError, match="labels"):
        decode_manifest(rewritten(manifest, labels=labels))


def test_two_variants_of_one_name_are_refused(manifest: Manifest) -> None:
    twice = msgspec.to_builtins((manifest.variants[0], manifest.variants[0]))
    with pytest.raises(ManifestInvalidError, match="same name"):
        decode_manifest(rewritten(manifest, variants=twice))


@pytest.mark.parametrize("name", ["", "Tiny", "../tiny", "tiny\n", "a" * 65])
def test_a_name_that_could_be_a_path_is_refused(manifest: Manifest, name: str) -> None:
    with pytest.raises(ManifestInvalidError):
        decode_manifest(rewritten(manifest, name=name))


@pytest.mark.parametrize("version", ["1", "1.0", "v1.0.0", "1.0.0\n", "\u0661.0.0", "01.0.0"])
def test_a_version_that_is_not_semantic_is_refused(manifest: Manifest, version: str) -> None:
    with pytest.raises(ManifestInvalidError):
        decode_manifest(rewritten(manifest, version=version))


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: msgspec.structs.replace(manifest, name="Not A Name"),
        lambda manifest: msgspec.structs.replace(manifest, tokenizer="other.json"),
        lambda manifest: msgspec.structs.replace(
            manifest,
            golden=msgspec.structs.replace(manifest.golden, tolerance=float("nan")),
        ),
    ],
    ids=["name", "unlisted file", "not a number"],
)
def test_the_writer_refuses_what_the_reader_would(
    manifest: Manifest, change: Callable[[Manifest], Manifest]
) -> None:
    with pytest.raises(ManifestInvalidError):
        encode_manifest(change(manifest))
