"""What a training depends on; equal inputs give the same checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trainer.base_model import BaseModel, find_base_model
from trainer.config import TrainSettings
from trainer.dataset import Dataset, read_dataset
from trainer.text_limit import check_text_limit

if TYPE_CHECKING:
    from trainer.teaching import Teaching

__all__ = ["TrainingInputs", "find_inputs"]

_REVISION = 6
# Of students alone, so that what changes only them leaves their teachers up to date. What changes
# every training raises both.
_STUDENT_REVISION = 7


class TrainingInputs(NamedTuple):
    """What goes into a training."""

    dataset: Dataset
    base: BaseModel
    """Of a student: its teacher's, with the teacher's tokenizer."""
    train_settings: TrainSettings
    """Of a student: as its teacher wants them."""
    teaching: Teaching | None
    settings: dict[str, Any]
    """As they stand in the checkpoint's document."""
    parents: dict[str, str]
    """What is read -> SHA-256."""
    revision: int
    """Counts changes of the code that change its result."""


def find_inputs(
    dataset_folder: Path, folder: Path, *, settings: TrainSettings, teaching: Teaching | None
) -> TrainingInputs:
    """Find what a training depends on.

    Args:
        dataset_folder: made by ``build_dataset``.
        folder: where the checkpoint goes; no input, but never the teacher's.
        settings: of trainings without a teacher.
        teaching: of a student.

    Raises:
        ArtifactError: the dataset is missing or damaged.
        BaseModelError: the base model cannot be found.
        SettingsError: a text of the dataset is longer than the model takes.
        TrainingError: the teacher was trained on other intents, or would be replaced.
    """
    dataset = read_dataset(dataset_folder)
    if teaching is None:
        base = find_base_model(settings.base_model)
        parents = {"dataset": dataset.digest, "base_model": base.digest}
    else:
        teaching.check(dataset.labels)
        teaching.check_place(folder)
        base, settings = teaching.checkpoint.base, teaching.adapt(settings)
        parents = {"dataset": dataset.digest, "teacher": teaching.checkpoint.artifact.digest}
    check_text_limit(dataset, settings.max_characters)
    # Where a folder lies on this machine is nothing that the result depends on.
    own = msgspec.structs.asdict(settings) | {"base_model": base.name}
    if teaching is not None:
        own["distillation"] = msgspec.structs.asdict(teaching.settings)
    revision = _REVISION if teaching is None else _STUDENT_REVISION
    return TrainingInputs(dataset, base, settings, teaching, own, parents, revision)
