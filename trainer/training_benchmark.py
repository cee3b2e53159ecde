"""How long a training takes and how much memory, in each precision, on the machine at hand."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import SettingsError
from trainer.config import CalibrationSettings, DataSettings, TrainSettings
from trainer.dataset import build_dataset, read_dataset
from trainer.devices import choose_device, native_precisions
from trainer.evaluate import evaluate
from trainer.held_out import require_test
from trainer.measured_training import MeasuredTraining, TrainingOrder, measure_training
from trainer.quality_benchmark import Spread, spread_of
from trainer.timed_training import Look

__all__ = ["PRECISIONS", "PrecisionResult", "TrainingBenchmark", "benchmark_training"]

PRECISIONS: tuple[Literal["fp32", "bf16"], ...] = ("fp32", "bf16")
"""What can be asked for."""


class PrecisionResult(msgspec.Struct, frozen=True):
    """Trainings in one precision, over the seeds."""

    seconds: Spread
    """Wall time of a training, from before torch is loaded until the checkpoint is written."""
    seconds_to_best: Spread
    """Until the end of the pass whose weights were kept."""
    seconds_to_target: Spread | None
    """Until validation first reached the target; ``None`` where a seed never did."""
    utterances_per_second: Spread
    """Learnt from, from the first look at validation to the last; looks included."""
    peak_memory_bytes: Spread
    """Of the training alone, without the test."""
    validation_accuracy: Spread | None
    """Of the pass that was kept, in scope; ``None`` where validation is not looked at."""
    test_accuracy: Spread
    """In scope, on the official test."""
    epochs: tuple[int, ...]
    """Passes that were made, in the order of the seeds."""


class TrainingBenchmark(msgspec.Struct, frozen=True):
    """What ``bench.training`` prints."""

    precisions: dict[str, PrecisionResult]
    """By name."""
    device: str
    """The GPU's name, or the processor's."""
    memory_of: Literal["GPU", "process"]
    """What the peak counts: what torch takes of the GPU, or the process's resident memory."""
    threads: int
    """Processor threads."""
    target: float | None
    utterances: int
    """For training, in scope."""
    seeds: tuple[int, ...]
    data: str
    """SHA-256 of the dataset."""
    settings: dict[str, Any]
    """Of training."""


def benchmark_training(
    location: str,
    folder: Path,
    *,
    precisions: tuple[str, ...] | None,
    seeds: int,
    target: float | None,
    data_settings: DataSettings,
    train_settings: TrainSettings,
    calibration_settings: CalibrationSettings,
    test_location: str | None = None,
    progress: Progress = no_progress,
) -> TrainingBenchmark:
    """Train anew in each precision and with each seed, one after the other, and measure that.

    Nothing is chosen by the test: it is looked at once for each training, at its end.

    Args:
        location: utterances, see ``build_dataset``.
        folder: where the dataset goes; the checkpoints are not kept.
        precisions: some of ``PRECISIONS``; ``None`` takes those that the device need not emulate.
        seeds: how many, from 1 on.
        target: accuracy on validation, above 0 to 1, whose time is wanted.
        data_settings: how utterances are read and split.
        train_settings: the recipe; its seed and its precision are replaced.
        calibration_settings: for the evaluation on the test.
        test_location: utterances for the test alone.
        progress: told each step.

    Raises:
        SettingsError: an unknown precision, no seed, a target that is no share, or a dataset
            without a test.
        MeasuringError: a training failed, or its process was ended.
        EdgeError: see ``build_dataset``.
    """
    if precisions is None:
        precisions = native_precisions(choose_device(train_settings.device))
    unknown = [one for one in precisions if one not in PRECISIONS]
    if unknown or not precisions:
        raise SettingsError(
            f"there is no precision {', '.join(unknown) or '(none given)'}; take some of "
            f"{', '.join(PRECISIONS)}"
        )
    if seeds < 1:
        raise SettingsError(f"--seeds is {seeds}; at least one is needed")
    if target is not None and not 0 < target <= 1:
        raise SettingsError(f"--target is {target:g}; it is a share of right answers, 0 to 1")
    dataset = folder / "dataset"
    build_dataset(
        location, dataset, settings=data_settings, test_location=test_location, progress=progress
    )
    read = read_dataset(dataset)
    require_test(read)
    runs: dict[str, list[_Run]] = {}
    for precision in dict.fromkeys(precisions):
        for seed in range(1, seeds + 1):
            settings = msgspec.structs.replace(train_settings, seed=seed, precision=precision)
            # A training that is up to date would take no time: each begins in an empty folder.
            with tempfile.TemporaryDirectory(dir=folder, prefix="training-") as empty:
                checkpoint = Path(empty) / "checkpoint"
                order = TrainingOrder(f"in {precision}", dataset, checkpoint, settings)
                measured = measure_training(order, progress=progress)
                judged = evaluate(
                    checkpoint,
                    dataset,
                    Path(empty) / "evaluation",
                    settings=calibration_settings,
                    progress=progress,
                )
            accuracy = judged.document.result["test"]["in_scope_accuracy"]
            runs.setdefault(precision, []).append(_Run(measured, accuracy))
    first = runs[precisions[0]][0].training
    return TrainingBenchmark(
        precisions={name: _result(own, target) for name, own in runs.items()},
        device=first.device,
        memory_of=first.memory_of,
        threads=first.threads,
        target=target,
        utterances=len(read.train.in_scope().texts),
        seeds=tuple(range(1, seeds + 1)),
        data=read.digest,
        settings={
            "data": msgspec.to_builtins(data_settings),
            "train": msgspec.to_builtins(train_settings),
            "calibration": msgspec.to_builtins(calibration_settings),
        },
    )


class _Run(NamedTuple):
    training: MeasuredTraining
    test_accuracy: float


def _result(runs: list[_Run], target: float | None) -> PrecisionResult:
    trainings = [one.training for one in runs]
    kept = [
        next(look for look in one.looks if look.epoch == one.result["best_epoch"])
        for one in trainings
    ]
    return PrecisionResult(
        seconds=spread_of([one.seconds for one in trainings]),
        seconds_to_best=spread_of([look.seconds for look in kept]),
        seconds_to_target=_spread_of_all([_seconds_to(target, one) for one in trainings]),
        utterances_per_second=spread_of([_speed(one) for one in trainings]),
        peak_memory_bytes=spread_of([one.peak_memory_bytes for one in trainings]),
        validation_accuracy=_spread_of_all([look.accuracy for look in kept]),
        test_accuracy=spread_of([one.test_accuracy for one in runs]),
        epochs=tuple(one.result["epochs"] for one in trainings),
    )


def _seconds_to(target: float | None, training: MeasuredTraining) -> float | None:
    if target is None:
        return None
    reached = (
        look.seconds
        for look in training.looks
        if look.accuracy is not None and look.accuracy >= target
    )
    return next(reached, None)


def _speed(training: MeasuredTraining) -> float:
    """Utterances a second; with one look alone, loading and first embeddings count as well."""
    result, looks = training.result, training.looks
    learnt = result["utterances"] + result["intents"] * result["intent_names_learnt"]
    first = looks[0] if len(looks) > 1 else Look(0, 0.0, None)
    last = looks[-1]
    return float(learnt * (last.epoch - first.epoch) / (last.seconds - first.seconds))


def _spread_of_all(values: list[float | None]) -> Spread | None:
    given = [value for value in values if value is not None]
    return spread_of(given) if len(given) == len(values) else None
