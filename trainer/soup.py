"""Several trainings, one model: the mean of their weights.

On average it answers better than they do. Source: model soups, Wortsman et al. 2022, arXiv
2203.05482; this is their uniform soup. Trainings that begin with the same weights end close
enough together for a mean to make sense. The model is of the size of one; the training takes as
often as long.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from edge_runtime.artifact import Artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.storage import absolute
from trainer.config import SoupSettings, TrainSettings
from trainer.last_good import remove_last_good
from trainer.launching import is_launched
from trainer.produced_together import produce_together
from trainer.train import KIND, state_folder
from trainer.training_inputs import find_inputs

if TYPE_CHECKING:
    from trainer.teaching import Teaching

__all__ = ["TRAININGS", "places_of_trainings", "settings_of_trainings", "train_soup"]

TRAININGS = ".trainings"
"""Ending of the folder with the single trainings, beside that of their mean."""

_REVISION = 2
# So that neither number can take the other's part in the sum.
_REVISIONS = 1000
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
    teaching: Teaching | None = None,
    progress: Progress = no_progress,
) -> Artifact:
    """Train once; or as often as the settings say, and write the mean of the weights.

    The single trainings stay in ``<folder>.trainings``, the first with the seed of the settings.
    One that is up to date is not trained again, one that was killed goes on. It comes first: when
    it is of other settings it is refused before any other is replaced. A mean that is up to date
    does not need them any more.

    Under ``accelerate launch`` every process calls this; the main process writes the mean.

    Args:
        train_one: trains into a folder, with settings that differ in the seed alone. It may give
            such a checkpoint that lies elsewhere.
        dataset_folder: what is trained on.
        folder: the checkpoint to write; skipped when it is up to date.
        settings: of each training, but for its seed.
        soup: how many trainings.
        teaching: what ``train_one`` is given.
        progress: told each step of the mean.

    Raises:
        EdgeError: see ``train``.
    """
    if soup.trainings == 1:
        return train_one(folder, settings)
    folder = absolute(folder)
    inputs = find_inputs(dataset_folder, folder, settings=settings, teaching=teaching)
    places, each = places_of_trainings(folder, soup), settings_of_trainings(settings, soup)
    if teaching is not None:
        for place in places:
            teaching.check_place(place)
    launched = _join(settings) if is_launched() else None

    def make(partial: Path | None) -> dict[str, Any]:
        from trainer.mean_weights import make_mean

        order = _unfinished_first(places) if partial is not None else None
        # The others may see no folder, and train the same ones together with the main process.
        numbers: Any = order if launched is None else launched.hear(order)
        made = {number: train_one(places[number], each[number]) for number in numbers}
        return make_mean(
            # Not the places: whoever trains may have one already, elsewhere.
            [made[number].folder for number in range(len(places))],
            inputs,
            partial,
            processes=launched or _join(settings),
            progress=progress,
        )

    artifact = produce_together(
        folder,
        processes=launched,
        kind=KIND,
        revision=inputs.revision * _REVISIONS + _REVISION,
        settings={**inputs.settings, "soup": msgspec.structs.asdict(soup)},
        parents=inputs.parents,
        make=make,
    )
    if artifact is not None and not artifact.skipped:
        remove_last_good(folder, kind=KIND)
    told: Any = artifact if launched is None else launched.hear(artifact)
    return cast("Artifact", told)


def settings_of_trainings(settings: TrainSettings, soup: SoupSettings) -> list[TrainSettings]:
    """The settings of each training: the first has the given seed, the others their own."""
    return [
        msgspec.structs.replace(settings, seed=(settings.seed + number * _SEEDS_APART) % _SEEDS)
        for number in range(soup.trainings)
    ]


def places_of_trainings(folder: Path, soup: SoupSettings) -> list[Path]:
    """Where the single trainings of the mean in this folder lie."""
    beside = folder.with_name(f"{folder.name}{TRAININGS}")
    return [beside / str(number) for number in range(1, soup.trainings + 1)]


def _unfinished_first(places: list[Path]) -> list[int]:
    return sorted(range(len(places)), key=lambda number: not state_folder(places[number]).exists())


def _join(settings: TrainSettings) -> Any:
    from trainer.processes import join_processes

    return join_processes(settings.device)
