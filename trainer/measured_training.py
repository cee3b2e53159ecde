"""One training in a process of its own: how long it took, and how much memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from edge_runtime.console import Progress, no_progress
from trainer.benchmark_record import describe_machine
from trainer.config import TrainSettings
from trainer.measured_process import measure
from trainer.timed_training import Look, train_timed

__all__ = ["MeasuredTraining", "TrainingOrder", "measure_training"]


class TrainingOrder(msgspec.Struct, frozen=True):
    """What a process is to train."""

    name: str
    """In words, for errors."""
    dataset: Path
    checkpoint: Path
    settings: TrainSettings


class MeasuredTraining(msgspec.Struct, frozen=True):
    """What one training took, in seconds and bytes."""

    result: dict[str, Any]
    """Of the checkpoint's document."""
    skipped: bool
    """Whether the checkpoint was up to date: then nothing was measured."""
    seconds: float
    """Wall time, from before torch is loaded until the checkpoint is written."""
    looks: tuple[Look, ...]
    cpu_seconds: float
    peak_memory_bytes: int
    """Of the process, or of the GPU."""
    device: str
    """The GPU's name, or the processor's."""
    memory_of: Literal["GPU", "process"]
    threads: int


class _Trained(NamedTuple):
    result: dict[str, Any]
    skipped: bool
    looks: tuple[Look, ...]
    threads: int
    gpu: str | None
    gpu_memory: int


def measure_training(order: TrainingOrder, *, progress: Progress = no_progress) -> MeasuredTraining:
    """Train in a process of its own; nothing is recorded.

    Args:
        order: what to train; an unfinished training there is discarded.
        progress: told each step.

    Raises:
        MeasuringError: whatever went wrong there, or the process was ended.
    """
    measured = measure(_train, order, name=order.name, progress=progress)
    trained = measured.result
    return MeasuredTraining(
        result=trained.result,
        skipped=trained.skipped,
        seconds=measured.seconds,
        looks=trained.looks,
        cpu_seconds=measured.cpu_seconds,
        peak_memory_bytes=measured.peak_memory_bytes if trained.gpu is None else trained.gpu_memory,
        device=describe_machine().processor if trained.gpu is None else trained.gpu,
        memory_of="process" if trained.gpu is None else "GPU",
        threads=trained.threads,
    )


def _train(order: TrainingOrder, progress: Progress) -> _Trained:
    def named(what: str, done: int, total: int, note: str = "") -> None:
        progress(f"{order.name}: {what}", done, total, note)

    timed = train_timed(
        order.dataset, order.checkpoint, settings=order.settings, anew=True, progress=named
    )
    import torch

    from trainer.devices import choose_device

    on_gpu = choose_device(order.settings.device).type == "cuda"
    return _Trained(
        result=timed.artifact.document.result,
        skipped=timed.artifact.skipped,
        looks=timed.looks,
        threads=torch.get_num_threads(),
        gpu=torch.cuda.get_device_name() if on_gpu else None,
        gpu_memory=torch.cuda.max_memory_allocated() if on_gpu else 0,
    )
