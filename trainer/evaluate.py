"""Judging a checkpoint on held-out utterances; its answers are what variants must match."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.artifact import Artifact, check_parents, produce_artifact, read_artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import ArtifactError
from edge_runtime.scoring import Calibration
from edge_runtime.storage import canonical_json, write_atomically
from trainer.calibration import fit_calibration, predict
from trainer.calibration_basis import (
    CalibrationBasis,
    calibration_texts,
    describe_basis,
    warn_of_basis,
)
from trainer.checkpoint import Checkpoint, read_checkpoint
from trainer.config import CalibrationSettings
from trainer.dataset import Dataset, Split, read_dataset
from trainer.embedding import embed_texts
from trainer.measures import measure
from trainer.text_limit import check_text_limit

__all__ = ["Evaluation", "evaluate", "read_evaluation", "settings_behind"]

KIND = "evaluation"
REVISION = 7
_JUDGED = ("validation", "test")
_CALIBRATED = "calibration"
_TEXTS = (_CALIBRATED, *_JUDGED)
_CALIBRATION = "calibration.json"


class Evaluation(msgspec.Struct, frozen=True):
    """The reference: what torch says of every held-out utterance."""

    artifact: Artifact
    settings: CalibrationSettings
    """How the score and its threshold are fitted; the variants do it likewise."""
    calibration: Calibration
    """Fitted on torch's embeddings."""
    basis: CalibrationBasis
    """What decided it."""
    embeddings: dict[str, NDArray[np.float32]]
    """``validation``, ``test``, and ``calibration``, whose rows are those of
    ``calibration_texts``, -> embeddings, shape (utterances, hidden), in the
    dataset's order."""


def evaluate(
    checkpoint_folder: Path,
    dataset_folder: Path,
    folder: Path,
    *,
    settings: CalibrationSettings,
    progress: Progress = no_progress,
) -> Artifact:
    """Run a checkpoint on validation and test, calibrate, measure, and store what it took.

    The document's result holds the measures of ``validation`` and ``test``, ``None`` for one
    without an utterance that has an intent, and ``calibration``: a ``CalibrationBasis``.

    Args:
        checkpoint_folder: made by ``trainer.train``.
        dataset_folder: made by ``build_dataset``.
        folder: the evaluation to write; skipped when it is up to date.
        settings: the out-of-scope score and its threshold.
        progress: told each batch.

    Raises:
        ArtifactError: the checkpoint or the dataset is missing or damaged, or the checkpoint
            was trained without some of the dataset's intents.
        SettingsError: a text of the dataset is longer than the checkpoint takes.
        StorageError: the disk is full, or ``folder`` cannot be written or holds something else.
    """
    checkpoint = read_checkpoint(checkpoint_folder)
    dataset = read_dataset(dataset_folder)
    _check_labels(checkpoint, dataset)
    check_text_limit(dataset, checkpoint.text.max_characters)

    def make(partial: Path) -> dict[str, Any]:
        head = checkpoint.scoring_head()
        texts = calibration_texts(dataset, settings)
        splits: dict[str, Split] = {name: getattr(dataset, name) for name in _JUDGED}
        asked = splits if texts.split == dataset.validation else {_CALIBRATED: texts.split} | splits
        embeddings = embed_texts(
            checkpoint, {name: split.texts for name, split in asked.items()}, progress=progress
        )
        for name, rows in embeddings.items():
            np.save(partial / f"{name}.npy", rows, allow_pickle=False)
        embeddings.setdefault(_CALIBRATED, embeddings["validation"])
        known: dict[str, Any] = {"head": head, "settings": settings}
        calibration = fit_calibration(embeddings[_CALIBRATED], texts, checkpoint.labels, **known)
        write_atomically(partial / _CALIBRATION, canonical_json(calibration))
        basis = describe_basis(embeddings[_CALIBRATED], texts, checkpoint.labels, **known)
        warn_of_basis(basis, calibration, settings)
        result: dict[str, Any] = {"calibration": basis}
        for name, split in splits.items():
            found = predict(embeddings[name], head=head, calibration=calibration)
            judges = any(intent is not None for intent in split.intents)
            result[name] = measure(found, split.intents, checkpoint.labels) if judges else None
        return result

    return produce_artifact(
        folder,
        kind=KIND,
        revision=REVISION,
        settings=settings,
        parents={"checkpoint": checkpoint.artifact.digest, "dataset": dataset.digest},
        make=make,
    )


def read_evaluation(
    folder: Path, *, checkpoint: Checkpoint | None = None, dataset: Dataset | None = None
) -> Evaluation:
    """Read what ``evaluate`` stored.

    Args:
        folder: made by ``evaluate``.
        checkpoint: that it must be of; ``None`` for any.
        dataset: that it must be on; ``None`` for any.

    Raises:
        ArtifactError: it is missing, incomplete or damaged, or of another checkpoint or dataset.
    """
    artifact = read_artifact(folder, KIND)
    if checkpoint is not None:
        check_parents(artifact, {"checkpoint": checkpoint.artifact.digest}, task="eval")
    if dataset is not None:
        check_parents(artifact, {"dataset": dataset.digest}, task="eval")
    stored = [name for name in _TEXTS if f"{name}.npy" in artifact.document.files]
    embeddings = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in stored}
    # Where they are validation's, they are stored once.
    embeddings.setdefault(_CALIBRATED, embeddings["validation"])
    return Evaluation(
        artifact=artifact,
        settings=msgspec.convert(artifact.document.settings, CalibrationSettings),
        calibration=msgspec.json.decode((folder / _CALIBRATION).read_bytes(), type=Calibration),
        basis=msgspec.convert(artifact.document.result["calibration"], CalibrationBasis),
        embeddings=embeddings,
    )


def settings_behind(checkpoint: Checkpoint, evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    """By section: what a model that was judged was made with, so that it can be made again."""
    of_training = dict(checkpoint.artifact.document.settings)
    # Sections of their own, that only some trainings have.
    others: dict[str, dict[str, Any]] = {
        name: of_training.pop(name) for name in ("distillation", "soup") if name in of_training
    }
    return {
        "train": of_training,
        "calibration": msgspec.to_builtins(evaluation.settings),
        **others,
    }


def _check_labels(checkpoint: Checkpoint, dataset: Dataset) -> None:
    # Those of the training too: without validation its texts are what the calibration looks at.
    unknown = sorted(set(dataset.labels) - set(checkpoint.labels))
    if unknown:
        raise ArtifactError(
            f"the checkpoint {checkpoint.artifact.folder} was trained without the intent "
            f"{unknown[0]!r} ({len(unknown)} in all), which the dataset has; train on this "
            "dataset, or evaluate on the one it was trained on",
            folder=checkpoint.artifact.folder,
            intents=unknown,
        )
