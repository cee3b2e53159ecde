"""The model that a new one is compared with: a checkpoint, or the bundle that is deployed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle import open_bundle
from edge_runtime.classifier import IntentClassifier
from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import ArtifactError
from edge_runtime.manifest import MANIFEST_NAME
from edge_runtime.storage import refuse_uri
from trainer.calibration import fit_calibration, predict
from trainer.calibration_basis import CalibrationTexts
from trainer.checkpoint import Checkpoint, read_checkpoint
from trainer.config import CalibrationSettings
from trainer.embedding import embed_texts

__all__ = ["Answers", "Champion", "open_champion"]


class Answers(msgspec.Struct, frozen=True):
    """What a model says of a list of texts."""

    best: tuple[str, ...]
    """The intent with the largest logit, for each text."""
    rejected: NDArray[np.bool_]
    """Whether the threshold calls the text out of scope, shape (texts,)."""


class Champion(msgspec.Struct, frozen=True):
    """A model that can answer."""

    kind: Literal["checkpoint", "bundle"]
    digest: str
    """SHA-256 of its document or manifest."""
    name: str
    """Of a bundle its name, version and variant, of a checkpoint its base model."""
    labels: tuple[str, ...]
    dataset: str
    """SHA-256 of the dataset that it was trained on; empty when it does not say."""
    max_characters: int
    """The longest text that it takes."""
    answer: Callable[[Sequence[str]], Answers]
    """Answers normalised texts, none of them longer than it takes."""


def open_champion(
    folder: Path,
    *,
    texts: CalibrationTexts,
    settings: CalibrationSettings,
    progress: Progress = no_progress,
) -> Champion:
    """Open a checkpoint or a bundle; which of the two is seen by its document.

    A bundle answers as it does on a device, with its first variant that this machine can use. A
    checkpoint has no threshold of its own, so one is fitted as for its challenger, on
    the utterances whose intents it knows.

    Args:
        folder: made by ``train`` or by ``make_bundle``.
        texts: to calibrate a checkpoint.
        settings: likewise.
        progress: told each step of the answers.

    Raises:
        ArtifactError: the folder holds neither, the checkpoint is damaged, or it knows no intent
            of the texts.
        BundleError: the bundle is damaged or of another schema.
        StorageError: the folder is a URI.
    """
    refuse_uri(folder)
    if (folder / MANIFEST_NAME).is_file():
        return _bundle(folder, progress)
    if not (folder / "checkpoint.json").is_file():
        raise ArtifactError(
            f"no champion at {folder}: it holds neither checkpoint.json nor {MANIFEST_NAME}; give "
            "the folder of a checkpoint or of a bundle",
            folder=folder,
        )
    return _checkpoint(folder, texts, settings, progress)


def _bundle(folder: Path, progress: Progress) -> Champion:
    manifest = open_bundle(folder).manifest
    with IntentClassifier.open(folder) as classifier:
        variant = classifier.variant.name

    def answer(texts: Sequence[str]) -> Answers:
        found = []
        with IntentClassifier.open(folder, variant=variant) as classifier:
            for text in texts:
                found.append(classifier.classify(text))
                progress("asking the champion", len(found), len(texts), "")
        return Answers(
            best=tuple(one.candidates[0].intent for one in found),
            rejected=np.array([one.out_of_scope for one in found], dtype=bool),
        )

    return Champion(
        kind="bundle",
        digest=manifest.digest,
        name=f"{manifest.name} {manifest.version}, {variant}",
        labels=manifest.labels,
        dataset=str(manifest.provenance.get("dataset", "")),
        max_characters=manifest.text.max_characters,
        answer=answer,
    )


def _checkpoint(
    folder: Path, texts: CalibrationTexts, settings: CalibrationSettings, progress: Progress
) -> Champion:
    checkpoint = read_checkpoint(folder)
    known = texts.split.rows(
        [
            row
            for row, intent in enumerate(texts.split.intents)
            if intent is None or intent in checkpoint.labels
        ]
    )
    if not known.in_scope().texts:
        raise ArtifactError(
            f"the champion {folder} knows no intent of the dataset; compare models of the same "
            "task",
            folder=folder,
        )
    own_texts = msgspec.structs.replace(texts, split=known)

    def answer(texts: Sequence[str]) -> Answers:
        return _answer_with(checkpoint, own_texts, texts, settings, progress)

    return Champion(
        kind="checkpoint",
        digest=checkpoint.artifact.digest,
        name=str(checkpoint.base_model.get("name", "")),
        labels=checkpoint.labels,
        dataset=checkpoint.artifact.document.parents.get("dataset", ""),
        max_characters=checkpoint.text.max_characters,
        answer=answer,
    )


def _answer_with(
    checkpoint: Checkpoint,
    known: CalibrationTexts,
    asked: Sequence[str],
    settings: CalibrationSettings,
    progress: Progress,
) -> Answers:
    head = checkpoint.scoring_head()
    embeddings = embed_texts(
        checkpoint, {"known": known.split.texts, "asked": asked}, progress=progress
    )
    calibration = fit_calibration(
        embeddings["known"], known, checkpoint.labels, head=head, settings=settings
    )
    found = predict(embeddings["asked"], head=head, calibration=calibration)
    return Answers(
        best=tuple(checkpoint.labels[number] for number in found.logits.argmax(axis=1)),
        rejected=found.answers() < 0,
    )
