"""Measures trainings on small and on large data: seconds and memory of their processes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import SettingsError
from edge_runtime.storage import write_atomically
from trainer.config import DataSettings, TrainSettings
from trainer.dataset import build_dataset
from trainer.measured_process import usable_processors
from trainer.measured_training import MeasuredTraining, TrainingOrder, measure_training
from trainer.synthetic_utterances import write_synthetic_utterances

__all__ = ["ScalingBenchmark", "TrainingCost", "benchmark_scaling"]


class TrainingCost(msgspec.Struct, frozen=True):
    """What one training took."""

    rows: int
    """Rows of the file that was made up."""
    utterances: int
    """Training utterances of it, in scope."""
    epochs: int
    """Passes that were made: as many as asked for, or more of a small set."""
    seconds: float
    """Wall time, from before torch is loaded until the checkpoint is written."""
    cpu_seconds: float
    """Processor time of the process, all threads together."""
    microseconds_per_utterance: float
    """Processor time by utterance and pass, the start of the process included."""
    peak_memory_bytes: int
    """Largest resident memory of the process, or what torch took of the GPU."""
    checkpoint_bytes: int
    """Size of what was made."""
    validation_accuracy: float | None
    """Of the pass that was kept."""


class ScalingBenchmark(msgspec.Struct, frozen=True):
    """What ``bench.scaling`` prints with ``--json``."""

    base_model: str
    parameters: int
    processors: int
    """Processors that each process may use."""
    device: str
    """The GPU's name, or the processor's."""
    memory_of: Literal["GPU", "process"]
    """What the peak counts."""
    seed: int
    settings: dict[str, Any]
    """Of data and training."""
    trainings: tuple[TrainingCost, ...]
    """In the order of the sizes."""


def benchmark_scaling(
    folder: Path,
    *,
    sizes: Sequence[int],
    seed: int,
    data_settings: DataSettings,
    train_settings: TrainSettings,
    progress: Progress = no_progress,
) -> ScalingBenchmark:
    """Train on files of several sizes side by side.

    Each training has a process of its own, which is measured; nothing is recorded.

    Args:
        folder: where files, datasets and checkpoints go.
        sizes: rows of each file, at least 3000.
        seed: of the files and of the trainings.
        data_settings: how the files are read.
        train_settings: the recipe; its seed is replaced. A small file gets more passes than asked
            for, see ``TrainSettings.minimum_steps``.
        progress: told each step.

    Raises:
        SettingsError: no size, or one below 3000.
        MeasuringError: a training failed, or its process was ended.
        StorageError: a file cannot be written.
    """
    if not sizes or min(sizes) < 3000:
        raise SettingsError("--rows takes numbers of at least 3000, with commas between them")
    settings = msgspec.structs.replace(train_settings, seed=seed)
    measured: list[MeasuredTraining] = []
    trainings: list[TrainingCost] = []
    for number, rows in enumerate(sizes, start=1):
        own = folder / f"{rows}-{seed}"
        file = own / "utterances.csv"
        write_atomically(file, _without_contradictions(write_synthetic_utterances(rows, seed=seed)))
        build_dataset(str(file), own / "dataset", settings=data_settings)
        order = TrainingOrder(f"{rows} rows", own / "dataset", own / "checkpoint", settings)
        one = measure_training(order, progress=progress)
        if one.skipped:
            raise SettingsError(
                f"{own / 'checkpoint'} is up to date, so there is nothing to measure; delete "
                f"{folder} or give another --folder"
            )
        measured.append(one)
        trainings.append(_cost(rows, one, own / "checkpoint"))
        progress("benchmark", number, len(sizes), f"{rows} rows in {one.seconds:.0f} s")
    return ScalingBenchmark(
        base_model=settings.base_model,
        parameters=measured[-1].result["parameters"],
        processors=usable_processors(),
        device=measured[-1].device,
        memory_of=measured[-1].memory_of,
        seed=seed,
        settings={
            "data": msgspec.to_builtins(data_settings),
            "train": msgspec.to_builtins(settings),
        },
        trainings=tuple(trainings),
    )


def _cost(rows: int, measured: MeasuredTraining, checkpoint: Path) -> TrainingCost:
    result = measured.result
    kept = next(one for one in result["history"] if one["epoch"] == result["best_epoch"])
    seen = result["utterances"] * result["epochs"]
    return TrainingCost(
        rows=rows,
        utterances=result["utterances"],
        epochs=result["epochs"],
        seconds=round(measured.seconds, 1),
        cpu_seconds=round(measured.cpu_seconds, 1),
        microseconds_per_utterance=round(measured.cpu_seconds / seen * 1e6, 1),
        peak_memory_bytes=measured.peak_memory_bytes,
        checkpoint_bytes=sum(one.stat().st_size for one in checkpoint.rglob("*") if one.is_file()),
        validation_accuracy=kept["validation_accuracy"],
    )


def _without_contradictions(content: bytes) -> bytes:
    """The rows without those that put a text under another intent than before them."""
    reader = csv.DictReader(io.StringIO(content.decode(), newline=""))
    kept = io.StringIO(newline="")
    writer = csv.DictWriter(kept, reader.fieldnames or (), lineterminator="\n")
    writer.writeheader()
    intents: dict[str, str] = {}
    writer.writerows(
        row for row in reader if intents.setdefault(row["text"], row["intent"]) == row["intent"]
    )
    return kept.getvalue().encode()
