"""Tasks of the namespace ``bench``."""

from __future__ import annotations

from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors, showing_progress
from edge_runtime.settings import load_settings
from trainer.commands.locations import BUILD, DATA_HELP, PROJECT
from trainer.config import DEFAULTS, CalibrationSettings, DataSettings, TrainSettings

__all__ = ["namespace"]


@task(
    help={
        "data": DATA_HELP,
        "test": "utterances for the test alone, in the same forms",
        "protocol": "full, fewshot-5 or fewshot-10",
        "seeds": "how many trainings",
        "folder": "where everything is kept; what is up to date there is not made again",
        "json": "print one JSON object",
    }
)
def quality(
    _: Context,
    data: str,
    test: str | None = None,
    protocol: str = "full",
    seeds: int = 3,
    folder: str = str(BUILD / "bench" / "quality"),
    *,
    json: bool = False,
) -> None:
    """Train with several seeds and measure on the official test."""
    from trainer.quality_benchmark import benchmark_quality

    with reporting_errors(), showing_progress() as progress:
        project = Path.cwd()
        result = benchmark_quality(
            data,
            Path(folder),
            protocol=protocol,
            seeds=seeds,
            data_settings=load_settings(
                DataSettings, "data", defaults=DEFAULTS, project_folder=project
            ),
            train_settings=load_settings(
                TrainSettings, "train", defaults=DEFAULTS, project_folder=project
            ),
            calibration_settings=load_settings(
                CalibrationSettings, "calibration", defaults=DEFAULTS, project_folder=project
            ),
            test_location=test,
            progress=progress,
        )
    if json:
        print_json(result)
        return
    for name, spread in result.measures.items():
        values = ", ".join(f"{value:.4f}" for value in spread.values)
        print(f"{name:18} {spread.mean:.4f} +/- {spread.sd:.4f}  ({values})")
    print(f"{result.parameters / 1e6:.1f} M parameters, {result.seconds:.0f} s a training")


@task(
    name="data",
    help={
        "rows": "utterances of the file that is made up",
        "seed": "seed of that file",
        "folder": "where the file and the report go",
        "json": "print one JSON object",
    },
)
def data_check(
    _: Context,
    rows: int = 1_000_000,
    seed: int = 1,
    folder: str = str(BUILD / "bench" / "data"),
    *,
    json: bool = False,
) -> None:
    """Measure time and memory of data.check on a large file."""
    from trainer.data_benchmark import benchmark_data_check

    with reporting_errors(), showing_progress() as progress:
        result = benchmark_data_check(
            Path(folder), rows=rows, seed=seed, project=PROJECT, progress=progress
        )
    if json:
        print_json(result)
        return
    print(
        f"{result.rows} rows: {result.seconds:.1f} s, {result.cpu_seconds:.1f} s of processor "
        f"time, {result.peak_rss_bytes / 2**20:.0f} MiB at most, {result.processors} processors"
    )


namespace = Collection("bench", quality, data_check)
