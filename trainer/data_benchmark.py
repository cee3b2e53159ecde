"""Measures ``data.check`` on a large file: seconds, processor time and memory of its process."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import SettingsError
from edge_runtime.storage import write_atomically
from trainer.config import CheckSettings, DataSettings, TrainSettings
from trainer.data_checks.check import check_data
from trainer.data_checks.expectations import SUITES
from trainer.data_checks.report import write_report
from trainer.measured_process import measure, usable_processors
from trainer.synthetic_utterances import write_synthetic_utterances

__all__ = ["DataBenchmark", "benchmark_data_check"]


class DataBenchmark(msgspec.Struct, frozen=True):
    """What ``bench.data`` prints with ``--json``."""

    rows: int
    """Rows of the file."""
    splits: bool
    """Whether the file says which split each row belongs to."""
    accents: bool
    """Whether its words have letters beyond ASCII."""
    bytes: int
    """Size of the file."""
    seconds: float
    """Wall time of the check and of its report."""
    cpu_seconds: float
    """Processor time of the process, all threads together."""
    peak_memory_bytes: int
    """Largest resident memory of the process."""
    processors: int
    """Processors that the process may use."""
    findings: dict[str, int]
    """Rule -> count."""


def benchmark_data_check(
    folder: Path,
    *,
    rows: int,
    seed: int,
    splits: bool,
    accents: bool,
    data_settings: DataSettings,
    train_settings: TrainSettings,
    check_settings: CheckSettings,
    progress: Progress = no_progress,
) -> DataBenchmark:
    """Make a file of utterances, and measure what ``data.check`` does with it, report and all.

    Args:
        folder: where the file and the report go.
        rows: of the file, at least 1.
        seed: of the file.
        splits: see ``write_synthetic_utterances``.
        accents: likewise.
        data_settings: how the file is read.
        train_settings: whose base model's tokens are counted.
        check_settings: what is looked for.
        progress: told each step.

    Raises:
        MeasuringError: the check failed, or its process was ended.
        SettingsError: no row is asked for.
        StorageError: the file cannot be written.
    """
    if rows < 1:
        raise SettingsError(f"--rows is {rows}; at least one is needed")
    kind = f"{'' if splits else '-no-splits'}{'-accents' if accents else ''}"
    file = folder / f"synthetic-{rows}-{seed}{kind}.csv"
    content = write_synthetic_utterances(rows, seed=seed, splits=splits, accents=accents)
    write_atomically(file, content)
    size = len(content)
    del content
    progress("benchmark", 1, 2, f"{rows} utterances written")
    order = _Order(str(file), str(folder / "report"), data_settings, train_settings, check_settings)
    measured = measure(_check, order, name="data.check", progress=progress)
    progress("benchmark", 2, 2, f"checked in {measured.seconds:.0f} s")
    return DataBenchmark(
        rows=rows,
        splits=splits,
        accents=accents,
        bytes=size,
        seconds=round(measured.seconds, 1),
        cpu_seconds=round(measured.cpu_seconds, 1),
        peak_memory_bytes=measured.peak_memory_bytes,
        processors=usable_processors(),
        findings=measured.result,
    )


class _Order(NamedTuple):
    file: str
    report: str
    data: DataSettings
    train: TrainSettings
    check: CheckSettings


def _check(order: _Order, progress: Progress) -> dict[str, int]:
    result = check_data(
        order.file,
        data_settings=order.data,
        train_settings=order.train,
        settings=order.check,
        suites=SUITES,
        progress=progress,
    )
    return {one.rule: one.count for one in write_report(result, order.report).findings}
