"""The manifest of a bundle: its form, its reader and its writer.

A manifest is canonical JSON. Its ``digest`` is the SHA-256 of the same document with an
empty digest, and it names the SHA-256 of every other file: one changed byte anywhere in
the bundle is found.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

import msgspec

from edge_runtime.errors import BundleDamagedError, ManifestInvalidError, ManifestVersionError
from edge_runtime.scoring import Calibration
from edge_runtime.storage import JSON_ERRORS, FileEntry, canonical_json
from edge_runtime.text import TextSettings

__all__ = [
    "MANIFEST_NAME",
    "MODEL_NAME",
    "SCHEMA_VERSION",
    "SEMANTIC_VERSION",
    "Golden",
    "Manifest",
    "Quality",
    "Variant",
    "decode_manifest",
    "encode_manifest",
]

MANIFEST_NAME = "manifest.json"
SCHEMA_VERSION = 2
MODEL_NAME = "[a-z0-9][a-z0-9._-]{0,63}"
"""Pattern of a model's name."""
_NUMBER = "(?:0|[1-9][0-9]*)"
_IDENTIFIER = f"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
SEMANTIC_VERSION = rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?"
"""Pattern of a version without build metadata. Source: Semantic Versioning 2.0.0, 2 and 9."""


class Quality(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was measured of a variant on the test, one utterance at a time.

    Without a test, it is compared with the reference on the texts that its calibration is fitted
    on, and nothing tells its accuracy.
    """

    accuracy: float | None
    """Share of in-scope test utterances whose best intent is right, 0 to 1; ``None`` without a
    test."""
    changed_answers: float
    """Share of utterances whose answer, an intent or out of scope, differs from the reference's,
    0 to 1."""
    max_logit_difference: float
    """Largest absolute difference of a logit from the reference."""


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One form of the model; a device picks the first that it can use."""

    name: str
    """Unique in the bundle, such as ``int8``."""
    file: str
    """The model's file, relative to the bundle."""
    format: Literal["onnx", "gguf"]
    """File format, and with it the engine: onnxruntime or llama.cpp."""
    precision: str
    """Numbers the weights are stored in: ``fp32``, ``int8``, ``q8_0``."""
    requires: tuple[str, ...]
    """What the processor must have; names of ``edge_runtime.cpu.CAPABILITIES``."""
    bytes: int
    """Size of the file."""
    calibration: Calibration
    """Temperature and out-of-scope threshold, fitted on this variant."""
    quality: Quality
    """Measured on this variant."""


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The self-test: samples with expected answers."""

    file: str
    """JSON lines of ``edge_runtime.bundle.GoldenSample``."""
    tolerance: Annotated[float, msgspec.Meta(ge=0, le=1)]
    """Largest allowed absolute difference of a confidence."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a device needs to know of a bundle."""

    schema_version: int
    """Version of this form; a reader refuses those it does not know."""
    digest: str
    """SHA-256 of the canonical document with this field empty."""
    name: Annotated[str, msgspec.Meta(pattern=rf"^{MODEL_NAME}\Z")]
    """The model's name."""
    version: Annotated[str, msgspec.Meta(pattern=rf"^{SEMANTIC_VERSION}\Z")]
    """Semantic version."""
    labels: tuple[str, ...]
    """Intents, in the order of the logits."""
    text: TextSettings
    """How a text becomes model input."""
    tokenizer: str
    """The tokenizer's file."""
    head: str
    """The file of the classification head; see ``edge_runtime.head``."""
    variants: Annotated[tuple[Variant, ...], msgspec.Meta(min_length=1)]
    """Forms of the model, best first."""
    golden: Golden
    """The self-test."""
    files: dict[str, FileEntry]
    """Every other file of the bundle, by relative path."""
    provenance: dict[str, Any]
    """Where it comes from: dataset, checkpoint, base model, settings, tool versions."""


class _Version(msgspec.Struct):
    schema_version: int


def encode_manifest(manifest: Manifest) -> bytes:
    """Encode a manifest canonically, with its digest filled in.

    Raises:
        ManifestInvalidError: the reader would refuse it.
    """
    try:
        # Through JSON and back: a whole number in a float field becomes the float that the
        # reader will see, and what the schema forbids is refused before it is written.
        typed = msgspec.json.decode(canonical_json(manifest), type=Manifest)
    except JSON_ERRORS as error:
        raise ManifestInvalidError(
            f"the manifest does not follow its schema ({error}); mend what makes it"
        ) from error
    _check_references(typed)
    return canonical_json(msgspec.structs.replace(typed, digest=_digest(typed)))


def decode_manifest(content: bytes) -> Manifest:
    """Decode a manifest and check its digest.

    Raises:
        ManifestVersionError: a schema version that this runtime does not know.
        ManifestInvalidError: not JSON, a missing or unknown key, a wrong type.
        BundleDamagedError: the bytes are not what the writer wrote.
    """
    try:
        version = msgspec.json.decode(content, type=_Version).schema_version
    except JSON_ERRORS as error:
        raise ManifestInvalidError(
            f"the manifest cannot be read ({error}); make or fetch the bundle again"
        ) from error
    if version != SCHEMA_VERSION:
        raise ManifestVersionError(
            f"the manifest has schema version {version}, this runtime reads {SCHEMA_VERSION}; "
            "update edge-runtime on this device, or make the bundle with a matching edgewise",
            found=version,
            known=SCHEMA_VERSION,
        )
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except JSON_ERRORS as error:
        raise ManifestInvalidError(
            f"the manifest does not follow its schema ({error}); make or fetch the bundle again"
        ) from error
    if manifest.digest != _digest(manifest) or canonical_json(manifest) != content:
        raise BundleDamagedError(
            "the manifest was changed after it was written; make or fetch the bundle again"
        )
    _check_references(manifest)
    return manifest


def _digest(manifest: Manifest) -> str:
    return hashlib.sha256(canonical_json(msgspec.structs.replace(manifest, digest=""))).hexdigest()


def _check_references(manifest: Manifest) -> None:
    named = {
        manifest.tokenizer,
        manifest.head,
        manifest.golden.file,
        *(v.file for v in manifest.variants),
    }
    missing = sorted(named - manifest.files.keys())
    outside = sorted(p for p in manifest.files if p.startswith("/") or ".." in p.split("/"))
    names = [variant.name for variant in manifest.variants]
    reason = ""
    if missing:
        reason = f"it uses files that it does not list: {', '.join(missing)}"
    elif outside:
        reason = f"it names files outside the bundle: {', '.join(outside)}"
    elif len(set(names)) != len(names):
        reason = "two variants have the same name"
    elif len(manifest.labels) < 2 or len(set(manifest.labels)) != len(manifest.labels):
        reason = "labels must be distinct and at least two"
    if reason:
        raise ManifestInvalidError(f"the manifest is wrong: {reason}; make the bundle again")
