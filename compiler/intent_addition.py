"""One more intent for a finished bundle, from a few examples and without a gradient step.

The encoder stays as it is. The new intent's row of the head points to the mean of its examples,
as long as the rows of the others: nearest class mean, which training starts from too (Snell et
al. 2017, arXiv 1703.05175). A training that knows the intent does better; this is for the time
until then.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from compiler.errors import IntentAdditionError
from edge_runtime.bundle import Bundle, open_bundle, read_bundle_head
from edge_runtime.classifier import IntentClassifier
from edge_runtime.errors import SelfTestError
from edge_runtime.head import Head, encode_head, normalize
from edge_runtime.manifest import MANIFEST_NAME, Manifest, encode_manifest
from edge_runtime.storage import (
    canonical_json,
    file_entry,
    own_folder,
    replace_folder,
    write_atomically,
)
from edge_runtime.text import normalize as normalize_text

__all__ = ["IntentAddition", "add_intent", "read_examples"]

_PROVENANCE = "added_intents"


class IntentAddition(msgspec.Struct, frozen=True):
    """A bundle with one more intent."""

    bundle: Bundle
    intent: str
    examples: int
    """Distinct examples that it was made from."""
    recognised: int
    """How many of them the new bundle answers with the intent."""


def read_examples(path: Path) -> list[str]:
    """Read examples, one a line; empty lines are passed over, repeated ones dropped.

    Raises:
        IntentAdditionError: the file cannot be read, or holds no text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise IntentAdditionError(
            f"cannot read examples from {path}: {error}; give a UTF-8 file with one example a line",
            file=path,
        ) from error
    found = list(dict.fromkeys(text for line in lines if (text := normalize_text(line))))
    if not found:
        raise IntentAdditionError(
            f"{path} holds no example; write one a line, five or more are better", file=path
        )
    return found


def add_intent(
    bundle_folder: Path,
    folder: Path,
    *,
    intent: str,
    examples: Sequence[str],
    version: str | None = None,
) -> IntentAddition:
    """Write a bundle with one more intent.

    Args:
        bundle_folder: the bundle to start from; it is not changed.
        folder: the new bundle; what is there is replaced, if it is a bundle.
        intent: the new label.
        examples: texts of it; five or more are better.
        version: of the new bundle; by default the next minor version.

    Raises:
        BundleError: the bundle is missing or damaged.
        IntentAdditionError: there is such an intent, no example, or the bundle's own golden
            samples would get another answer.
        UtteranceError: an example is too long.
        StorageError: the folder cannot be written.
    """
    bundle = open_bundle(bundle_folder)
    _check(bundle.manifest, bundle_folder, folder, intent, examples)
    with IntentClassifier.open(bundle_folder) as classifier:
        embeddings = np.stack([classifier.embedding(text) for text in examples])
        variant = classifier.variant.name
    head = _with_row(read_bundle_head(bundle), embeddings)
    manifest = _next_manifest(bundle.manifest, intent, examples, version)
    with own_folder(folder, closing=MANIFEST_NAME) as own:
        with replace_folder(own) as partial:
            for name in bundle.manifest.files:
                if name != manifest.head:
                    shutil.copyfile(bundle.path / name, partial / name)
            write_atomically(partial / manifest.head, encode_head(head))
            files = {**manifest.files, manifest.head: file_entry(partial / manifest.head)}
            content = encode_manifest(msgspec.structs.replace(manifest, files=files))
            write_atomically(partial / MANIFEST_NAME, content)
            recognised = _prove(partial, variant, intent, examples)
        return IntentAddition(
            bundle=open_bundle(own), intent=intent, examples=len(examples), recognised=recognised
        )


def _check(
    manifest: Manifest, source: Path, target: Path, intent: str, examples: Sequence[str]
) -> None:
    if intent in manifest.labels:
        raise IntentAdditionError(
            f"the bundle has an intent {intent!r} already; train with the examples instead",
            intent=intent,
        )
    if not intent or intent != normalize_text(intent):
        raise IntentAdditionError(
            f"{intent!r} is no name for an intent: it is empty, or has spaces around it or "
            "characters that cannot be seen",
            intent=intent,
        )
    if not examples:
        raise IntentAdditionError("there is no example; five or more are better", intent=intent)
    if source.resolve() == target.resolve():
        raise IntentAdditionError(
            f"the new bundle cannot take the place of {source}; give another folder", folder=target
        )


def _with_row(head: Head, embeddings: NDArray[np.float32]) -> Head:
    """Give a head one more row, made from the embeddings of its examples."""
    mean = normalize(head.prepared(embeddings).mean(axis=0))
    direction = normalize(normalize(embeddings).mean(axis=0))
    length = np.linalg.norm(head.weight, axis=1).mean()
    grown: dict[str, Any] = {
        "weight": np.vstack([head.weight, mean * length]),
        "bias": np.append(head.bias, head.bias.mean()),
    }
    if head.directions is not None:
        grown["directions"] = np.vstack([head.directions, direction])
    if head.whitening is not None and head.whitened_means is not None:
        row = head.prepared(embeddings).mean(axis=0) @ head.whitening
        grown["whitened_means"] = np.vstack([head.whitened_means, row])
    if head.neighbours is not None:
        grown["neighbours"] = np.vstack([head.neighbours, normalize(embeddings)])
    return msgspec.structs.replace(
        head, **{name: array.astype(np.float32) for name, array in grown.items()}
    )


def _next_manifest(
    manifest: Manifest, intent: str, examples: Sequence[str], version: str | None
) -> Manifest:
    if version is None:
        major, minor, _ = manifest.version.partition("-")[0].split(".")
        version = f"{major}.{int(minor) + 1}.0"
    addition = {
        "intent": intent,
        "examples": len(examples),
        "examples_sha256": hashlib.sha256(canonical_json(list(examples))).hexdigest(),
        "bundle": manifest.digest,
    }
    earlier = manifest.provenance.get(_PROVENANCE, [])
    return msgspec.structs.replace(
        manifest,
        version=version,
        labels=(*manifest.labels, intent),
        provenance={**manifest.provenance, _PROVENANCE: [*earlier, addition]},
    )


def _prove(folder: Path, variant: str, intent: str, examples: Sequence[str]) -> int:
    """Count the examples that are recognised; refuse a bundle that fails its self-test."""
    with IntentClassifier.open(folder, variant=variant) as classifier:
        try:
            classifier.self_test()
        except SelfTestError as error:
            raise IntentAdditionError(
                f"with the intent {intent!r} the bundle would answer {error.data['text']!r} in "
                "another way than before: its examples are too close to another intent; give "
                "others, or train with them",
                intent=intent,
                text=error.data["text"],
            ) from error
        return sum(classifier.classify(text).candidates[0].intent == intent for text in examples)
