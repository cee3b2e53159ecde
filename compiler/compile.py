"""Compiling, on one page: checkpoint -> variants, each proved against the torch reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from compiler.config import CompileSettings
from compiler.errors import ExportError, QualityGateError
from compiler.parity import Parity, compare, refusals
from compiler.variants import VARIANTS, Export, VariantKind, write_fp32
from edge_runtime.artifact import Artifact, produce_artifact, read_artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import SettingsError
from edge_runtime.head import Head
from edge_runtime.manifest import Quality, Variant
from edge_runtime.scoring import Calibration, ScorePart
from edge_runtime.session import open_session
from edge_runtime.tokenization import Tokenizer
from trainer.calibration import Predictions, fit_calibration, predict
from trainer.calibration_basis import CalibrationTexts, calibration_texts
from trainer.checkpoint import Checkpoint, load_model, read_checkpoint
from trainer.config import CalibrationSettings
from trainer.dataset import Dataset, Split, read_dataset
from trainer.evaluate import Evaluation, read_evaluation
from trainer.measures import Measures, measure

__all__ = ["CompiledVariant", "Refused", "compile_checkpoint", "read_compiled"]

KIND = "compiled"
REVISION = 7
_CALIBRATION_TEXTS = 500


class CompiledVariant(msgspec.Struct, frozen=True):
    """A variant that passed its gate."""

    name: str
    file: str
    format: str
    precision: str
    requires: tuple[str, ...]
    bytes: int
    calibration: Calibration
    """Fitted on this variant's embeddings of ``calibration_texts``."""
    gate: Parity
    """Against torch on the same texts: what the gate judged."""
    test: Parity | None
    """Against torch on the test: only reported. ``None`` without a test."""
    measures: Measures | None
    """As an evaluation of the checkpoint gives them, on the test: only reported. ``None`` without
    a test."""

    @property
    def quality(self) -> Quality:
        """What a manifest says of it."""
        compared = self.test or self.gate
        return Quality(
            accuracy=self.test.accuracy if self.test else None,
            changed_answers=compared.changed_answers,
            max_logit_difference=compared.max_logit_difference,
        )


class Refused(msgspec.Struct, frozen=True):
    """An optional variant that failed its gate, and why."""

    name: str
    reasons: tuple[str, ...]


class _Held(NamedTuple):
    """Utterances with everything that judging needs."""

    texts: CalibrationTexts
    splits: dict[str, Split]
    """``calibration``, and ``test`` where it has an utterance with an intent."""
    token_ids: dict[str, list[list[int]]]
    head: Head
    settings: CalibrationSettings
    reference: dict[str, Predictions]


def compile_checkpoint(
    checkpoint_folder: Path,
    dataset_folder: Path,
    evaluation_folder: Path,
    folder: Path,
    *,
    settings: CompileSettings,
    progress: Progress = no_progress,
) -> Artifact:
    """Export every variant of a checkpoint and keep those that are still the same model.

    Args:
        checkpoint_folder: made by ``trainer.train``.
        dataset_folder: made by ``trainer.build_dataset``.
        evaluation_folder: made by ``trainer.evaluate``; holds torch's embeddings.
        folder: the folder to write; skipped when it is up to date.
        settings: which variants, and their gates.
        progress: told each utterance that a variant answers.

    Raises:
        QualityGateError: a required variant fails its gate; nothing is written.
        ExportError: the model cannot be expressed in the format of a required variant.
        ArtifactError: an input is missing or damaged, or does not belong to the others.
        SettingsError: an unknown variant is asked for.
    """
    _check_names(settings)
    checkpoint = read_checkpoint(checkpoint_folder)
    dataset = read_dataset(dataset_folder)
    evaluation = read_evaluation(evaluation_folder, checkpoint=checkpoint, dataset=dataset)

    def make(partial: Path) -> dict[str, Any]:
        return _compile(checkpoint, dataset, evaluation, partial, settings, progress)

    return produce_artifact(
        folder,
        kind=KIND,
        revision=REVISION,
        settings=settings,
        parents={
            "checkpoint": checkpoint.artifact.digest,
            "dataset": dataset.digest,
            "evaluation": evaluation.artifact.digest,
        },
        make=make,
    )


def read_compiled(folder: Path) -> tuple[Artifact, tuple[CompiledVariant, ...]]:
    """Read what ``compile_checkpoint`` wrote.

    Raises:
        ArtifactError: it is missing, incomplete or damaged.
    """
    artifact = read_artifact(folder, KIND)
    variants = msgspec.convert(artifact.document.result["variants"], tuple[CompiledVariant, ...])
    return artifact, variants


def _compile(
    checkpoint: Checkpoint,
    dataset: Dataset,
    evaluation: Evaluation,
    folder: Path,
    settings: CompileSettings,
    progress: Progress,
) -> dict[str, Any]:
    tokenizer = Tokenizer(checkpoint.tokenizer, max_tokens=checkpoint.text.max_tokens)
    texts = calibration_texts(dataset, evaluation.settings)
    splits = {"calibration": texts.split}
    if dataset.test.in_scope().texts:
        splits["test"] = dataset.test
    head = checkpoint.scoring_head()
    held = _Held(
        texts=texts,
        splits=splits,
        token_ids={name: tokenizer.encode_many(split.texts) for name, split in splits.items()},
        head=head,
        settings=evaluation.settings,
        reference=_predictions(
            {name: evaluation.embeddings[name] for name in splits},
            texts,
            checkpoint,
            head,
            evaluation.settings,
        ),
    )
    every = max(1, len(dataset.train.texts) // _CALIBRATION_TEXTS)
    fp32 = folder / VARIANTS["fp32"].file
    export = Export(
        model=load_model(checkpoint),
        fp32=fp32,
        tokenizer=checkpoint.tokenizer,
        calibration=tokenizer.encode_many(dataset.train.texts[::every]),
        settings=settings,
    )
    write_fp32(export, fp32)
    kept: list[CompiledVariant] = []
    refused: list[Refused] = []
    for name in settings.variants:
        kind = VARIANTS[name]
        path = folder / kind.file
        try:
            if path != fp32:
                kind.write(export, path)
        except ExportError as error:
            if name in settings.required:
                raise
            path.unlink(missing_ok=True)
            refused.append(Refused(name=name, reasons=(error.message,)))
            continue
        variant, embeddings = _judge(name, kind, folder, checkpoint, held, progress)
        reasons = refusals(kind.precision, variant.gate, settings)
        if not reasons:
            kept.append(variant)
            np.save(folder / f"{name}.calibration.npy", embeddings, allow_pickle=False)
        elif name in settings.required:
            raise QualityGateError(
                f"variant {name} is refused: {'; '.join(reasons)}; train longer, loosen the "
                f"gate in [compile], or leave {name} out of compile.required",
                variant=name,
                reasons=reasons,
            )
        else:
            refused.append(Refused(name=name, reasons=tuple(reasons)))
            if path != fp32:
                path.unlink()
    if not kept:
        raise QualityGateError("every variant is refused; see compile.required and the gate")
    if not any(variant.name == "fp32" for variant in kept):
        fp32.unlink()
    return {
        "variants": kept,
        "refused": refused,
        "reference_calibration": held.reference["calibration"].calibration,
    }


def _predictions(
    embeddings: dict[str, NDArray[np.float32]],
    texts: CalibrationTexts,
    checkpoint: Checkpoint,
    head: Head,
    settings: CalibrationSettings,
    rejected: int | None = None,
) -> dict[str, Predictions]:
    calibration = fit_calibration(
        embeddings["calibration"],
        texts,
        checkpoint.labels,
        head=head,
        settings=settings,
        rejected=rejected,
    )
    return {
        name: predict(values, head=head, calibration=calibration)
        for name, values in embeddings.items()
    }


def _judge(
    name: str,
    kind: VariantKind,
    folder: Path,
    checkpoint: Checkpoint,
    held: _Held,
    progress: Progress,
) -> tuple[CompiledVariant, NDArray[np.float32]]:
    embeddings = _embeddings(name, kind, folder, checkpoint, held, progress)
    own = _predictions(
        embeddings,
        held.texts,
        checkpoint,
        held.head,
        held.settings,
        rejected=_in_scope_rejected(held),
    )
    parity = {
        split: compare(
            own[split], held.reference[split], held.splits[split].intents, checkpoint.labels
        )
        for split in held.splits
    }
    test = held.splits.get("test")
    variant = CompiledVariant(
        name=name,
        file=kind.file,
        format=kind.format,
        precision=kind.precision,
        requires=kind.requires,
        bytes=(folder / kind.file).stat().st_size,
        calibration=own["calibration"].calibration,
        gate=parity["calibration"],
        test=parity.get("test"),
        measures=None if test is None else measure(own["test"], test.intents, checkpoint.labels),
    )
    return variant, embeddings["calibration"]


def _in_scope_rejected(held: _Held) -> int:
    """How many in-scope utterances of the calibration the reference calls out of scope."""
    known = np.array([intent is not None for intent in held.texts.split.intents], dtype=bool)
    return int((held.reference["calibration"].answers()[known] < 0).sum())


def _embeddings(
    name: str,
    kind: VariantKind,
    folder: Path,
    checkpoint: Checkpoint,
    held: _Held,
    progress: Progress,
) -> dict[str, NDArray[np.float32]]:
    # One utterance at a time, as on the device: int8 scales are found per call, so a batch
    # would give other numbers than the ones that users get.
    session = open_session(
        _loadable(name, kind), folder, max_tokens=checkpoint.text.max_tokens, threads=1
    )
    total = sum(len(rows) for rows in held.token_ids.values())
    done = 0
    result = {}
    try:
        for split, rows in held.token_ids.items():
            values = np.zeros((len(rows), held.head.hidden), dtype=np.float32)
            for row, ids in enumerate(rows):
                values[row] = session.embedding(ids)
                done += 1
                progress(f"judging {name}", done, total, "")
            result[split] = values
    finally:
        session.close()
    return result


def _loadable(name: str, kind: VariantKind) -> Variant:
    return Variant(
        name=name,
        file=kind.file,
        format=kind.format,
        precision=kind.precision,
        requires=kind.requires,
        bytes=0,
        calibration=Calibration(
            temperature=1.0, score=(ScorePart(name="max-logit"),), threshold=0.0
        ),
        quality=Quality(accuracy=None, changed_answers=0.0, max_logit_difference=0.0),
    )


def _check_names(settings: CompileSettings) -> None:
    known = ", ".join(sorted(VARIANTS))
    for field in ("variants", "required"):
        for name in getattr(settings, field):
            if name not in VARIANTS:
                raise SettingsError(f"compile.{field}: unknown variant {name!r}; known: {known}")
    missing = sorted(set(settings.required) - set(settings.variants))
    if missing:
        raise SettingsError(
            f"compile.required names {missing[0]}, which compile.variants leaves out; "
            "add it there or take it out here"
        )
