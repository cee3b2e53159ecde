"""Compiled variants -> a bundle: the one thing that a device needs."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from compiler.compile import CompiledVariant, read_compiled
from compiler.config import BundleSettings
from edge_runtime.artifact import check_parents
from edge_runtime.bundle import Bundle, GoldenSample, open_bundle
from edge_runtime.errors import BundleError, SettingsError
from edge_runtime.head import Head, encode_head
from edge_runtime.manifest import (
    MANIFEST_NAME,
    MODEL_NAME,
    SCHEMA_VERSION,
    Golden,
    Manifest,
    Variant,
    encode_manifest,
)
from edge_runtime.scoring import (
    ADDITION_ARRAYS,
    NEEDED_ARRAYS,
    Calibration,
    ScorePart,
    probabilities,
)
from edge_runtime.storage import (
    canonical_json,
    file_entries,
    own_folder,
    replace_folder,
    write_atomically,
)
from trainer.calibration_basis import calibration_texts
from trainer.checkpoint import Checkpoint, read_checkpoint
from trainer.dataset import Dataset, read_dataset
from trainer.evaluate import Evaluation, read_evaluation

__all__ = ["BundleResult", "check_model_name", "make_bundle"]

_REVISION = 4
_GOLDEN = "golden.jsonl"
_TOKENIZER = "tokenizer.json"
_HEAD = "head.npz"
_TOOLS = ("gguf", "onnx", "onnxruntime", "optimum-onnx", "peft", "torch", "transformers")


class BundleResult(msgspec.Struct, frozen=True):
    """A finished bundle."""

    bundle: Bundle
    skipped: bool
    """True when it was up to date and nothing was done."""


def check_model_name(name: str) -> None:
    """Check that a bundle may have a model of that name, before the work that it needs.

    Raises:
        SettingsError: it may not.
    """
    if not re.fullmatch(MODEL_NAME, name):
        raise SettingsError(
            f"the model's name cannot be {name!r}: take up to 64 small letters, digits, dots, "
            "hyphens and underscores, the first a letter or a digit",
            name=name,
        )


def make_bundle(
    compiled_folder: Path,
    checkpoint_folder: Path,
    dataset_folder: Path,
    evaluation_folder: Path,
    folder: Path,
    *,
    name: str,
    settings: BundleSettings,
) -> BundleResult:
    """Gather variants, tokenizer and golden samples under one manifest.

    Equal inputs give equal bytes: nothing of the time or of this machine goes in, so one
    version has one content wherever it is built.

    Args:
        compiled_folder: made by ``compile_checkpoint``.
        checkpoint_folder: its checkpoint.
        dataset_folder: its dataset.
        evaluation_folder: its evaluation.
        folder: the bundle to write; skipped when it is up to date.
        name: the model's name.
        settings: version and self-test.

    Raises:
        ArtifactError: an input is missing or damaged, or does not belong to the others.
        SettingsError: a model cannot have such a name.
        StorageError: the folder cannot be written.
    """
    check_model_name(name)
    compiled, variants = read_compiled(compiled_folder)
    checkpoint = read_checkpoint(checkpoint_folder)
    dataset = read_dataset(dataset_folder)
    evaluation = read_evaluation(evaluation_folder, checkpoint=checkpoint, dataset=dataset)
    made_of = {
        "checkpoint": checkpoint.artifact.digest,
        "dataset": dataset.digest,
        "evaluation": evaluation.artifact.digest,
    }
    check_parents(compiled, made_of, task="compile")
    provenance: dict[str, Any] = {
        **made_of,
        "compiled": compiled.digest,
        "base_model": checkpoint.base_model,
        "train_settings": checkpoint.artifact.document.settings,
        "compile_settings": compiled.document.settings,
        "bundle_settings": msgspec.to_builtins(settings),
        "tools": {tool: importlib.metadata.version(tool) for tool in _TOOLS},
        "revision": _REVISION,
    }
    provenance["inputs"] = hashlib.sha256(canonical_json([name, provenance])).hexdigest()
    with own_folder(folder, closing=MANIFEST_NAME) as own:
        existing = _existing(own)
        if (
            existing is not None
            and existing.manifest.provenance.get("inputs") == provenance["inputs"]
        ):
            return BundleResult(bundle=existing, skipped=True)
        with replace_folder(own) as partial:
            for variant in variants:
                shutil.copyfile(compiled_folder / variant.file, partial / variant.file)
            shutil.copyfile(checkpoint.tokenizer, partial / _TOKENIZER)
            head = _slim(checkpoint.scoring_head(), variants)
            write_atomically(partial / _HEAD, encode_head(head))
            samples = _golden_samples(
                compiled_folder, variants, head, checkpoint.labels, dataset, evaluation, settings
            )
            lines = b"".join(
                msgspec.json.encode(one, order="deterministic") + b"\n" for one in samples
            )
            write_atomically(partial / _GOLDEN, lines)
            manifest = _manifest(name, variants, checkpoint, partial, settings, provenance)
            write_atomically(partial / MANIFEST_NAME, encode_manifest(manifest))
        return BundleResult(bundle=open_bundle(own), skipped=False)


def _existing(folder: Path) -> Bundle | None:
    try:
        return open_bundle(folder)
    except BundleError:
        return None


def _manifest(
    name: str,
    variants: tuple[CompiledVariant, ...],
    checkpoint: Checkpoint,
    folder: Path,
    settings: BundleSettings,
    provenance: dict[str, Any],
) -> Manifest:
    return Manifest(
        schema_version=SCHEMA_VERSION,
        digest="",
        name=name,
        version=settings.version,
        labels=checkpoint.labels,
        text=checkpoint.text,
        tokenizer=_TOKENIZER,
        head=_HEAD,
        variants=tuple(_variant(variant) for variant in variants),
        golden=Golden(file=_GOLDEN, tolerance=settings.golden_tolerance),
        files=file_entries(folder),
        provenance=provenance,
    )


def _variant(compiled: CompiledVariant) -> Variant:
    return Variant(
        name=compiled.name,
        file=compiled.file,
        format="gguf" if compiled.format == "gguf" else "onnx",
        precision=compiled.precision,
        requires=compiled.requires,
        bytes=compiled.bytes,
        calibration=compiled.calibration,
        quality=compiled.quality,
    )


def _slim(head: Head, variants: tuple[CompiledVariant, ...]) -> Head:
    """Leave out what neither a variant's score nor an added intent needs.

    A device pays for every byte.
    """
    used = {part.name for variant in variants for part in variant.calibration.score}
    needed = {name for score in used for name in NEEDED_ARRAYS.get(score, ())}
    optional = {name for names in NEEDED_ARRAYS.values() for name in names}
    return msgspec.structs.replace(head, **dict.fromkeys(optional - needed - ADDITION_ARRAYS))


def _golden_samples(
    compiled_folder: Path,
    variants: tuple[CompiledVariant, ...],
    head: Head,
    labels: Sequence[str],
    dataset: Dataset,
    evaluation: Evaluation,
    settings: BundleSettings,
) -> list[GoldenSample]:
    """Utterances that the reference answers clearly, spread over the intents.

    They are validation's, or the training's where nothing is held out for validation, and each has
    an intent: a text out of scope is no example of the one that the model takes it for.
    """
    split = calibration_texts(dataset, evaluation.settings).split
    texts, in_scope = split.texts, [intent is not None for intent in split.intents]
    reference = head.logits(evaluation.embeddings["calibration"])
    plain = Calibration(temperature=1.0, score=(ScorePart(name="max-logit"),), threshold=0.0)
    confidences = probabilities(reference, plain)
    ordered = np.sort(confidences, axis=1)
    margins = ordered[:, -1] - ordered[:, -2]
    best = reference.argmax(axis=1)
    own = {
        variant.name: probabilities(
            head.logits(
                np.load(compiled_folder / f"{variant.name}.calibration.npy", allow_pickle=False)
            ),
            variant.calibration,
        )
        for variant in variants
    }
    agreed = np.all([values.argmax(axis=1) == best for values in own.values()], axis=0)
    clear = [row for row in np.argsort(-margins, kind="stable") if agreed[row] and in_scope[row]]
    above = [row for row in clear if margins[row] >= settings.golden_margin]
    # The clearest of every intent first, then the second clearest, and so on.
    turns: dict[int, int] = {}
    ranked = []
    for row in above or clear[:1]:
        label = int(best[row])
        turns[label] = turns.get(label, 0) + 1
        ranked.append((turns[label], label, int(row)))
    chosen = [row for _, _, row in sorted(ranked)][: settings.golden_samples]
    return [
        GoldenSample(
            text=texts[row],
            intent=labels[int(best[row])],
            confidence={
                variant: round(float(values[row, best[row]]), 6) for variant, values in own.items()
            },
        )
        for row in chosen
    ]
