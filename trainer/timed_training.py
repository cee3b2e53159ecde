"""The wall time of a training, kept beside its checkpoint: one that is up to date takes none."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from edge_runtime.artifact import Artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.storage import JSON_ERRORS, canonical_json, write_atomically
from trainer.config import TrainSettings
from trainer.observer import NoObserver
from trainer.train import train

if TYPE_CHECKING:
    from trainer.teaching import Teaching
    from trainer.training_state import EpochRecord

__all__ = ["Look", "TimedTraining", "seconds_of", "train_timed"]


class Look(NamedTuple):
    """One look at validation."""

    epoch: int
    """Passes made."""
    seconds: float
    """Since the start."""
    accuracy: float | None
    """In scope; ``None`` where validation is not looked at."""


class TimedTraining(NamedTuple):
    """A checkpoint, and how long it took to train."""

    artifact: Artifact
    seconds: float | None
    """Wall time from start to end; ``None`` when it was never measured in one piece."""
    looks: tuple[Look, ...]
    """Those of this call; none when the checkpoint was up to date."""


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    checkpoint: str
    """Digest of the checkpoint that took so long; of another one it says nothing."""
    seconds: float


class _Watch(NoObserver):
    """Notes whether a training began, and from the start, and when each look was over."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.is_whole = False
        self.looks: list[Look] = []

    def begin(self, inputs: Mapping[str, Any], *, resumed: bool) -> None:  # noqa: ARG002 - a port's
        self.is_whole = not resumed

    def epoch(self, number: int, record: EpochRecord) -> None:
        self.looks.append(Look(number, self.seconds(), record.validation_accuracy))

    def seconds(self) -> float:
        return time.monotonic() - self.start


def train_timed(
    dataset_folder: Path,
    folder: Path,
    *,
    settings: TrainSettings,
    teaching: Teaching | None = None,
    anew: bool = False,
    progress: Progress = no_progress,
) -> TimedTraining:
    """Train as ``trainer.train`` does, and tell how long this checkpoint's training took.

    The time is kept in ``<folder>.seconds.json``, because no artifact holds a time. A training
    that goes on after a kill is not measured: nobody knows how long the lost part took.

    Args:
        dataset_folder: made by ``build_dataset``.
        folder: the checkpoint to write; skipped when it is up to date.
        settings: see ``train``.
        teaching: see ``train``.
        anew: see ``train``.
        progress: told each step.

    Raises:
        EdgeError: see ``train``.
        StorageError: the time cannot be written.
    """
    watch = _Watch()
    artifact = train(
        dataset_folder,
        folder,
        settings=settings,
        teaching=teaching,
        anew=anew,
        observer=watch,
        progress=progress,
    )
    seconds = watch.seconds()
    if watch.is_whole:
        kept = _Kept(checkpoint=artifact.digest, seconds=round(seconds, 3))
        write_atomically(_place(folder), canonical_json(kept))
    return TimedTraining(artifact, seconds_of(folder, artifact.digest), tuple(watch.looks))


def seconds_of(folder: Path, checkpoint: str) -> float | None:
    """How long a training took that is up to date now.

    Args:
        folder: the checkpoint's.
        checkpoint: its digest.

    Returns:
        ``None`` when it was never measured in one piece, or is not there any more.
    """
    try:
        kept = msgspec.json.decode(_place(folder).read_bytes(), type=_Kept)
    except (OSError, *JSON_ERRORS):
        return None
    return kept.seconds if kept.checkpoint == checkpoint else None


def _place(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.seconds.json")
