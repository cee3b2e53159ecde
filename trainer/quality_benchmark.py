"""The quality that a recipe reaches on a data set: means over seeds, on the official test.

Nothing is chosen here: the test is looked at once for each seed, at the end.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.artifact import produce_artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import SettingsError
from trainer.checkpoint import read_checkpoint
from trainer.config import (
    CalibrationSettings,
    DataSettings,
    DistillationSettings,
    TrainSettings,
)
from trainer.dataset import build_dataset, read_dataset, write_dataset
from trainer.evaluate import evaluate
from trainer.teaching import Teaching
from trainer.train import train

__all__ = ["PROTOCOLS", "QualityResult", "Spread", "benchmark_quality", "spread_of"]

PROTOCOLS = {"full": 0, "fewshot-5": 5, "fewshot-10": 10}
"""Protocol -> training utterances of each intent; 0 takes all."""

_KIND = "dataset"
_REVISION = 1
# A few-shot model has no validation utterances, so nothing that is fitted on them is reported.
_WITHOUT_VALIDATION = frozenset({"in_scope_accuracy", "macro_f1"})


class Spread(msgspec.Struct, frozen=True):
    """One measure over all seeds."""

    mean: float
    sd: float
    """Standard deviation of the sample; 0 for one seed."""
    median: float
    values: tuple[float, ...]
    """In the order of the seeds."""


class QualityResult(msgspec.Struct, frozen=True):
    """What ``bench.quality`` prints."""

    measures: dict[str, Spread]
    """By name, see ``trainer.measures.Measures``; what the data set cannot give is left out."""
    parameters: int
    """Weights of the model, its head included."""
    seconds: float
    """Mean wall time of one training; of a student with its teacher's."""
    protocol: str
    seeds: tuple[int, ...]
    data: str
    """SHA-256 of the dataset."""
    settings: dict[str, Any]
    """Of training, calibration and, for a student, distillation."""


def benchmark_quality(
    location: str,
    folder: Path,
    *,
    protocol: str,
    seeds: int,
    data_settings: DataSettings,
    train_settings: TrainSettings,
    calibration_settings: CalibrationSettings,
    distillation: DistillationSettings | None = None,
    test_location: str | None = None,
    progress: Progress = no_progress,
) -> QualityResult:
    """Train with several seeds and measure each model on the test.

    What is up to date in ``folder`` is not made again, so an interrupted benchmark goes on.

    Args:
        location: utterances, see ``build_dataset``.
        folder: where datasets, checkpoints and evaluations are kept.
        protocol: one of ``PROTOCOLS``. A few-shot protocol draws its utterances anew with each
            seed, from the training split, and trains without a validation split.
        seeds: how many, from 1 on.
        data_settings: how utterances are read and split.
        train_settings: the recipe; its seed is replaced.
        calibration_settings: the out-of-scope score.
        distillation: measures a student of each model instead of the model.
        test_location: utterances for the test alone.
        progress: told each step.

    Raises:
        SettingsError: an unknown protocol, or no seed.
        DataError: an intent has too few training utterances for the protocol.
    """
    if protocol not in PROTOCOLS:
        raise SettingsError(
            f"there is no protocol {protocol!r}; take one of {', '.join(PROTOCOLS)}"
        )
    if seeds < 1:
        raise SettingsError(f"--seeds is {seeds}; at least one is needed")
    shots = PROTOCOLS[protocol]
    whole = folder / "dataset"
    build_dataset(
        location, whole, settings=data_settings, test_location=test_location, progress=progress
    )
    found: list[dict[str, float]] = []
    seconds: list[float] = []
    parameters = 0
    for seed in range(1, seeds + 1):
        place = folder / f"{protocol}-{seed}"
        dataset = _draw(whole, place / "dataset", shots=shots, seed=seed) if shots else whole
        settings = msgspec.structs.replace(train_settings, seed=seed)
        if shots:
            settings = msgspec.structs.replace(settings, early_stopping_epochs=0)
        start = time.monotonic()
        checkpoint = place / "checkpoint"
        trained = train(dataset, checkpoint, settings=settings, progress=progress)
        if distillation is not None:
            teaching = Teaching(read_checkpoint(checkpoint), distillation)
            checkpoint = place / distillation.tier
            trained = train(
                dataset, checkpoint, settings=settings, teaching=teaching, progress=progress
            )
        seconds.append(time.monotonic() - start)
        judged = evaluate(
            checkpoint,
            dataset,
            checkpoint.with_name(f"{checkpoint.name}-evaluation"),
            settings=calibration_settings,
            progress=progress,
        )
        parameters = trained.document.result["parameters"]
        found.append(
            {
                name: value
                for name, value in judged.document.result["test"].items()
                if value is not None and (not shots or name in _WITHOUT_VALIDATION)
            }
        )
    return QualityResult(
        measures={name: spread_of([one[name] for one in found]) for name in found[0]},
        parameters=parameters,
        seconds=statistics.fmean(seconds),
        protocol=protocol,
        seeds=tuple(range(1, seeds + 1)),
        data=read_dataset(whole).digest,
        settings={
            "train": msgspec.to_builtins(train_settings),
            "calibration": msgspec.to_builtins(calibration_settings),
            **({} if distillation is None else {"distillation": msgspec.to_builtins(distillation)}),
        },
    )


def _draw(whole: Path, folder: Path, *, shots: int, seed: int) -> Path:
    """Write a dataset with so many training utterances of each intent."""
    dataset = read_dataset(whole)
    chance = random.Random(seed)  # noqa: S311 - which utterances are drawn, no secret
    rows: list[int] = []
    for label in dataset.labels:
        own = [row for row, intent in enumerate(dataset.train.intents) if intent == label]
        if len(own) < shots:
            raise SettingsError(
                f"intent {label!r} has {len(own)} training utterances, the protocol needs {shots}",
                intent=label,
            )
        rows += sorted(chance.sample(own, shots))
    drawn = msgspec.structs.replace(dataset, train=dataset.train.rows(rows))

    def make(partial: Path) -> dict[str, Any]:
        write_dataset(drawn, partial)
        return {"intents": len(dataset.labels), "train": len(rows)}

    produce_artifact(
        folder,
        kind=_KIND,
        revision=_REVISION,
        settings={"shots": shots, "seed": seed},
        parents={"dataset": dataset.digest},
        make=make,
    )
    return folder


def spread_of(values: Sequence[float]) -> Spread:
    """Mean, deviation and median of one measure over all seeds; at least one value."""
    return Spread(
        mean=statistics.fmean(values),
        sd=statistics.stdev(values) if len(values) > 1 else 0.0,
        median=statistics.median(values),
        values=tuple(values),
    )
