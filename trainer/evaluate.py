"""Judging a checkpoint on held-out utterances; its answers are what variants must match."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.artifact import Artifact, produce_artifact, read_artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import ArtifactError
from edge_runtime.scoring import Calibration
from edge_runtime.storage import canonical_json, write_atomically
from trainer.calibration import fit_calibration, predict
from trainer.checkpoint import Checkpoint, read_checkpoint
from trainer.config import CalibrationSettings
from trainer.dataset import Dataset, Split, read_dataset
from trainer.embedding import embed_texts
from trainer.measures import measure

__all__ = ["Evaluation", "evaluate", "read_evaluation"]

KIND = "evaluation"
REVISION = 3
_SPLITS = ("validation", "test")
_CALIBRATION = "calibration.json"


class Evaluation(msgspec.Struct, frozen=True):
    """The reference: what torch says of every held-out utterance."""

    artifact: Artifact
    settings: CalibrationSettings
    """How the score and its threshold are fitted; the variants do it likewise."""
    calibration: Calibration
    """Fitted on torch's validation embeddings."""
    embeddings: dict[str, NDArray[np.float32]]
    """Split name -> embeddings, shape (utterances, hidden), in the dataset's order."""


def evaluate(
    checkpoint_folder: Path,
    dataset_folder: Path,
    folder: Path,
    *,
    settings: CalibrationSettings,
    progress: Progress = no_progress,
) -> Artifact:
    """Run a checkpoint on validation and test, calibrate, measure, and store what it took.

    Args:
        checkpoint_folder: made by ``trainer.train``.
        dataset_folder: made by ``build_dataset``.
        folder: the evaluation to write; skipped when it is up to date.
        settings: the out-of-scope score and its threshold.
        progress: told each batch.

    Raises:
        ArtifactError: the checkpoint or the dataset is missing or damaged, or the checkpoint
            was trained without some of the dataset's intents.
    """
    checkpoint = read_checkpoint(checkpoint_folder)
    dataset = read_dataset(dataset_folder)
    _check_labels(checkpoint, dataset)

    def make(partial: Path) -> dict[str, Any]:
        head = checkpoint.head()
        splits: dict[str, Split] = {name: getattr(dataset, name) for name in _SPLITS}
        embeddings = embed_texts(
            checkpoint, {name: split.texts for name, split in splits.items()}, progress=progress
        )
        for name, rows in embeddings.items():
            np.save(partial / f"{name}.npy", rows, allow_pickle=False)
        calibration = fit_calibration(
            embeddings["validation"],
            splits["validation"].intents,
            checkpoint.labels,
            head=head,
            settings=settings,
        )
        write_atomically(partial / _CALIBRATION, canonical_json(calibration))
        result: dict[str, Any] = {}
        for name, split in splits.items():
            found = predict(embeddings[name], head=head, calibration=calibration)
            result[name] = measure(found, split.intents, checkpoint.labels)
        return result

    return produce_artifact(
        folder,
        kind=KIND,
        revision=REVISION,
        settings=settings,
        parents={"checkpoint": checkpoint.artifact.digest, "dataset": dataset.digest},
        make=make,
    )


def read_evaluation(folder: Path) -> Evaluation:
    """Read what ``evaluate`` stored.

    Raises:
        ArtifactError: it is missing, incomplete or damaged.
    """
    artifact = read_artifact(folder, KIND)
    return Evaluation(
        artifact=artifact,
        settings=msgspec.convert(artifact.document.settings, CalibrationSettings),
        calibration=msgspec.json.decode((folder / _CALIBRATION).read_bytes(), type=Calibration),
        embeddings={name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in _SPLITS},
    )


def _check_labels(checkpoint: Checkpoint, dataset: Dataset) -> None:
    held_out = {*dataset.validation.intents, *dataset.test.intents} - {None}
    unknown = sorted(str(intent) for intent in held_out - set(checkpoint.labels))
    if unknown:
        raise ArtifactError(
            f"the checkpoint {checkpoint.artifact.folder} was trained without the intent "
            f"{unknown[0]!r} ({len(unknown)} in all), which the dataset asks for; train on this "
            "dataset, or evaluate on the one it was trained on",
            folder=checkpoint.artifact.folder,
            intents=unknown,
        )
