"""The quality that a recipe reaches on a data set: means over seeds, on the official test.

Nothing is chosen here: the test is looked at once for each seed, at the end.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from edge_runtime.artifact import Artifact, produce_artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import SettingsError
from trainer.checkpoint import read_checkpoint
from trainer.config import (
    CalibrationSettings,
    DataSettings,
    DistillationSettings,
    SoupSettings,
    TrainSettings,
)
from trainer.dataset import build_dataset, read_dataset, write_dataset
from trainer.evaluate import evaluate
from trainer.held_out import require_test
from trainer.measures import Measures
from trainer.soup import places_of_trainings, settings_of_trainings, train_soup
from trainer.teaching import Teaching
from trainer.timed_training import seconds_of, train_timed

__all__ = [
    "PROTOCOLS",
    "MeasuredVariant",
    "QualityResult",
    "Spread",
    "VariantQuality",
    "benchmark_quality",
    "spread_of",
]

PROTOCOLS = {"full": 0, "fewshot-5": 5, "fewshot-10": 10}
"""Protocol -> training utterances of each intent; 0 takes all."""

_KIND = "dataset"
_REVISION = 2


class Spread(msgspec.Struct, frozen=True):
    """One measure over all seeds."""

    mean: float
    sd: float
    """Standard deviation of the sample; 0 for one seed."""
    median: float
    values: tuple[float, ...]
    """In the order of the seeds."""


class VariantQuality(msgspec.Struct, frozen=True):
    """What a compiled form of a checkpoint gives."""

    measures: Measures | None
    """On the test, with the temperature and the threshold of its own; ``None`` without one."""
    bytes: int
    """Size of its file."""
    missed: tuple[str, ...]
    """Why its gate would keep it out of a bundle; empty when it passes."""


class MeasuredVariant(NamedTuple):
    """A compiled form to measure in place of the checkpoint, and who can do it.

    Compiling lies above this package, so it is handed in.
    """

    name: str
    settings: dict[str, Any]
    """How it is compiled."""
    measure: Callable[[Path, Path, Path, Path], VariantQuality]
    """Given the checkpoint, the dataset, the evaluation, and a folder for what it makes."""


class QualityResult(msgspec.Struct, frozen=True):
    """What ``bench.quality`` prints."""

    measures: dict[str, Spread]
    """By name, see ``trainer.measures.Measures``; what the data set cannot give is left out."""
    parameters: int
    """Weights of the model, its head included."""
    seconds: float | None
    """Mean wall time of a model's training, or of its trainings together; of a student with its
    teacher's. ``None`` when one of them was not measured from start to end."""
    protocol: str
    seeds: tuple[int, ...]
    data: str
    """SHA-256 of the dataset."""
    settings: dict[str, Any]
    """Of data, training, calibration; of distillation for a student, of compiling for a variant, of
    the soup for models that are the mean of several trainings."""
    variant: str | None = None
    """The compiled form that was measured; ``None`` for the checkpoint itself."""
    bytes: int | None = None
    """Size of that form's file, the largest of all seeds."""
    missed_gates: tuple[str, ...] = ()
    """Seeds whose form would be kept out of a bundle, and why."""
    precisions: tuple[str, ...] = ()
    """What the trainings of the models computed in, which the setting ``auto`` does not tell: fp32,
    bf16. Empty when no checkpoint tells it, as those of before it was kept."""


def benchmark_quality(
    location: str,
    folder: Path,
    *,
    protocol: str,
    seeds: int,
    data_settings: DataSettings,
    train_settings: TrainSettings,
    calibration_settings: CalibrationSettings,
    soup: SoupSettings,
    distillation: DistillationSettings | None = None,
    variant: MeasuredVariant | None = None,
    test_location: str | None = None,
    progress: Progress = no_progress,
) -> QualityResult:
    """Train with several seeds and measure each model on the test.

    What is up to date in ``folder`` is not made again, so an interrupted benchmark goes on.

    Args:
        location: utterances, see ``build_dataset``.
        folder: where datasets, checkpoints and evaluations are kept.
        protocol: one of ``PROTOCOLS``. A few-shot protocol draws its utterances anew with each
            seed, from the training split, and has no validation: calibrations are the defaults.
        seeds: how many, from 1 on.
        data_settings: how utterances are read and split.
        train_settings: the recipe; its seed is replaced.
        calibration_settings: the out-of-scope score.
        soup: how many trainings each model is the mean of; a student and its teacher are both.
        distillation: measures a student of each model instead of the model.
        variant: measures this compiled form of each model instead of the model.
        test_location: utterances for the test alone.
        progress: told each step.

    Raises:
        SettingsError: an unknown protocol, no seed, a dataset without a test, or an intent with
            too few training utterances for the protocol.
        EdgeError: see the stages.
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
    require_test(read_dataset(whole))
    models: list[_Model] = []
    for seed in range(1, seeds + 1):
        place = folder / f"{protocol}-{seed}"
        dataset = _draw(whole, place / "dataset", shots=shots, seed=seed) if shots else whole
        model = _make_model(
            dataset,
            place,
            settings=msgspec.structs.replace(train_settings, seed=seed),
            calibration_settings=calibration_settings,
            soup=soup,
            distillation=distillation,
            variant=variant,
            progress=progress,
        )
        models.append(model)
    seconds = [model.seconds for model in models if model.seconds is not None]
    compiled = [model.variant for model in models if model.variant is not None]
    names = [name for name, value in models[0].measures.items() if value is not None]
    return QualityResult(
        measures={name: spread_of([model.measures[name] for model in models]) for name in names},
        parameters=models[-1].parameters,
        seconds=statistics.fmean(seconds) if len(seconds) == seeds else None,
        protocol=protocol,
        seeds=tuple(range(1, seeds + 1)),
        data=read_dataset(whole).digest,
        settings={
            "data": msgspec.to_builtins(data_settings),
            "train": msgspec.to_builtins(train_settings),
            "calibration": msgspec.to_builtins(calibration_settings),
            **({} if distillation is None else {"distillation": msgspec.to_builtins(distillation)}),
            **({} if variant is None else {"compile": variant.settings}),
            **({} if soup.trainings == 1 else {"soup": msgspec.to_builtins(soup)}),
        },
        variant=None if variant is None else variant.name,
        bytes=max((one.bytes for one in compiled), default=None),
        missed_gates=tuple(
            f"seed {seed}: {reason}"
            for seed, one in enumerate(compiled, start=1)
            for reason in one.missed
        ),
        precisions=tuple(sorted({one for model in models for one in model.precisions})),
    )


class _Model(NamedTuple):
    """What one seed gave."""

    measures: dict[str, Any]
    """Measure -> value on the test, ``None`` where the data set cannot give it."""
    parameters: int
    seconds: float | None
    variant: VariantQuality | None
    precisions: set[str]


def _make_model(
    dataset: Path,
    place: Path,
    *,
    settings: TrainSettings,
    calibration_settings: CalibrationSettings,
    soup: SoupSettings,
    distillation: DistillationSettings | None,
    variant: MeasuredVariant | None,
    progress: Progress,
) -> _Model:
    """Train, teach a student and compile where that is asked for, and measure what comes out."""
    seconds: list[float | None] = []

    def train_soup_of(name: str, teaching: Teaching | None = None) -> Artifact:
        several = "" if soup.trainings == 1 else f"-mean-of-{soup.trainings}"
        mean = place / f"{name}{several}"

        def own_place(folder: Path, own: TrainSettings) -> Path:
            # The first training is that of a model by itself, which may have been measured too.
            return place / name if own.seed == settings.seed and teaching is None else folder

        def train_one(folder: Path, own: TrainSettings) -> Artifact:
            return train_timed(
                dataset,
                own_place(folder, own),
                settings=own,
                teaching=teaching,
                progress=progress,
            ).artifact

        made = train_soup(
            train_one,
            dataset,
            mean,
            settings=settings,
            soup=soup,
            teaching=teaching,
            progress=progress,
        )
        if soup.trainings == 1:
            seconds.append(seconds_of(mean, made.digest))
        else:
            each = settings_of_trainings(settings, soup)
            seconds.extend(
                seconds_of(own_place(folder, own), one["checkpoint"])
                for folder, own, one in zip(
                    places_of_trainings(mean, soup),
                    each,
                    made.document.result["trainings"],
                    strict=True,
                )
            )
        return made

    trained = train_soup_of("checkpoint")
    if distillation is not None:
        teaching = Teaching(read_checkpoint(trained.folder), distillation)
        trained = train_soup_of(distillation.tier, teaching)
    checkpoint = trained.folder
    evaluation = checkpoint.with_name(f"{checkpoint.name}-evaluation")
    judged = evaluate(
        checkpoint, dataset, evaluation, settings=calibration_settings, progress=progress
    )
    measures: dict[str, Any] = judged.document.result["test"]
    compiled = None
    if variant is not None:
        compiled = variant.measure(
            checkpoint,
            dataset,
            evaluation,
            checkpoint.with_name(f"{checkpoint.name}-{variant.name}"),
        )
        measures = msgspec.to_builtins(compiled.measures)
    known = [one for one in seconds if one is not None]
    result = trained.document.result
    return _Model(
        measures,
        result["parameters"],
        sum(known) if len(known) == len(seconds) else None,
        compiled,
        {one["precision"] for one in result.get("trainings", [result]) if "precision" in one},
    )


def _draw(whole: Path, folder: Path, *, shots: int, seed: int) -> Path:
    """Write a dataset with so many training utterances of each intent, and the whole test.

    It has no validation, as nobody has who has so few utterances: the model gets the default
    calibration, and a variant is made and judged on training texts.
    """
    dataset = read_dataset(whole)
    chance = random.Random(seed)  # noqa: S311 - which utterances are drawn, no secret
    rows: list[int] = []
    for label in dataset.labels:
        own = [row for row, intent in enumerate(dataset.train.intents) if intent == label]
        if len(own) < shots:
            raise SettingsError(
                f"intent {label!r} has {len(own)} training utterances, the protocol needs {shots}; "
                "take a protocol with fewer, or add utterances",
                intent=label,
            )
        rows += sorted(chance.sample(own, shots))
    drawn = msgspec.structs.replace(
        dataset, train=dataset.train.rows(rows), validation=dataset.validation.rows([])
    )

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
