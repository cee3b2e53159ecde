"""Several trainings, one model: the mean of their weights, which answers better than each of them.

Source: model soups, Wortsman et al. 2022, arXiv 2203.05482; this is their uniform soup. Trainings
that begin with the same weights end close enough together for a mean to make sense. The model is
of the size of one; the training takes as often as long.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.artifact import Artifact, produce_artifact
from edge_runtime.console import Progress, no_progress
from trainer.config import SoupSettings, TrainSettings
from trainer.dataset import read_dataset
from trainer.launching import is_launched, is_main_process

__all__ = ["TRAININGS", "settings_of_trainings", "train_soup"]

TRAININGS = ".trainings"
"""Ending of the folder with the single trainings, beside that of their mean."""

_KIND = "checkpoint"
_REVISION = 1
# Far apart, so that no other seed that somebody tries has one of the same trainings.
_SEEDS_APART = 1_000_003
_SEEDS = 2**31


def train_soup(
    train_one: Callable[[Path, TrainSettings], Artifact],
    dataset_folder: Path,
    folder: Path,
    *,
    settings: TrainSettings,
    soup: SoupSettings,
    progress: Progress = no_progress,
) -> Artifact:
    """Train once; or as often as the settings say, and write the mean of the weights.

    The single trainings stay in ``<folder>.trainings``, the first with the seed of the settings.
    One that is up to date is not trained again, one that was killed goes on.

    Under ``accelerate launch`` every process calls this; the main process writes the mean.

    Args:
        train_one: trains into a folder, with settings that differ in the seed alone.
        dataset_folder: what is trained on.
        folder: the checkpoint to write; skipped when it is up to date.
        settings: of each training, but for its seed.
        soup: how many trainings.
        progress: told each step of the mean.

    Raises:
        EdgeError: see ``train``.
    """
    if soup.trainings == 1:
        return train_one(folder, settings)
    places = folder.with_name(f"{folder.name}{TRAININGS}")
    members = [
        train_one(places / str(number), own)
        for number, own in enumerate(settings_of_trainings(settings, soup), start=1)
    ]
    if is_launched() and not is_main_process():
        # What the main process makes of them is nothing that the others need.
        return members[0]
    first = members[0].document

    def make(partial: Path) -> dict[str, Any]:
        from trainer.checkpoint import read_checkpoint
        from trainer.mean_weights import write_mean

        return write_mean(
            [read_checkpoint(one.folder) for one in members],
            read_dataset(dataset_folder),
            partial,
            threads=settings.threads,
            device=settings.device,
            progress=progress,
        )

    return produce_artifact(
        folder,
        kind=_KIND,
        revision=_REVISION,
        settings={**first.settings, "soup": msgspec.structs.asdict(soup)},
        parents={
            **first.parents,
            **{f"training_{number}": one.digest for number, one in enumerate(members, start=1)},
        },
        make=make,
    )


def settings_of_trainings(settings: TrainSettings, soup: SoupSettings) -> list[TrainSettings]:
    """The settings of each training: the first has the given seed, the others their own."""
    return [
        msgspec.structs.replace(settings, seed=(settings.seed + number * _SEEDS_APART) % _SEEDS)
        for number in range(soup.trainings)
    ]
