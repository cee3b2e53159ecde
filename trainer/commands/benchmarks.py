"""Tasks of the namespace ``bench``."""

from __future__ import annotations

from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors, showing_progress
from edge_runtime.settings import load_settings
from trainer.commands.locations import BUILD, DATA_HELP, PROJECT
from trainer.config import (
    DEFAULTS,
    CalibrationSettings,
    DataSettings,
    DistillationSettings,
    TrainSettings,
)

__all__ = ["namespace"]


@task(
    help={
        "data": DATA_HELP,
        "test": "utterances for the test alone, in the same forms",
        "protocol": "full, fewshot-5 or fewshot-10",
        "seeds": "how many trainings",
        "student": "measure a student of each model: layers-4, layers-3, layers-2 or static",
        "folder": "where everything is kept; what is up to date there is not made again",
        "output": "a JSON file for the result, the machine, versions, commit and command",
        "data_set": "the data set's name in that file; by default that of --data",
        "model": "what is trained, in words, in that file",
        "json": "print one JSON object",
    }
)
def quality(
    _: Context,
    data: str,
    test: str | None = None,
    protocol: str = "full",
    seeds: int = 3,
    student: str | None = None,
    folder: str = str(BUILD / "bench" / "quality"),
    output: str | None = None,
    data_set: str | None = None,
    model: str = "edgewise",
    *,
    json: bool = False,
) -> None:
    """Train with several seeds and measure on the official test."""
    from trainer.benchmark_record import write_record
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
            distillation=load_settings(
                DistillationSettings,
                "distillation",
                defaults=DEFAULTS,
                project_folder=project,
                flags={"tier": student},
            )
            if student
            else None,
            test_location=test,
            progress=progress,
        )
        if output:
            given = f" --test {Path(test).name}" if test else ""
            given += f" --student {student}" if student else ""
            write_record(
                Path(output),
                result,
                data_set=data_set or Path(data).stem,
                model=model,
                command=f"./inv bench.quality --data {Path(data).name}{given} "
                f"--protocol {protocol} --seeds {seeds}",
            )
    if json:
        print_json(result)
        return
    for name, spread in result.measures.items():
        values = ", ".join(f"{value:.4f}" for value in spread.values)
        print(f"{name:18} {spread.mean:.4f} +/- {spread.sd:.4f}  ({values})")
    print(f"{result.parameters / 1e6:.1f} M parameters, {result.seconds:.0f} s a training")


@task(
    help={
        "checkpoint": "what train.run made",
        "dataset": "what data.build made",
        "evaluation": "what eval.run made",
        "repeats": "how often the folds are drawn anew",
        "json": "print one JSON object",
    }
)
def calibration(
    _: Context,
    checkpoint: str = str(BUILD / "smart-home" / "checkpoint"),
    dataset: str = str(BUILD / "smart-home" / "dataset"),
    evaluation: str = str(BUILD / "smart-home" / "evaluation"),
    repeats: int = 10,
    *,
    json: bool = False,
) -> None:
    """Compare ways to calibrate, by cross-validation on validation alone."""
    from trainer.calibration_benchmark import benchmark_calibration

    with reporting_errors(), showing_progress() as progress:
        result = benchmark_calibration(
            Path(checkpoint),
            Path(dataset),
            Path(evaluation),
            repeats=repeats,
            progress=progress,
        )
    if json:
        print_json(result)
        return
    for name, method in result.confidences.items():
        print(
            f"{name:12} ECE {method.ece:.4f} +/- {method.ece_sd:.4f}, Brier {method.brier:.4f}, "
            f"accuracy {method.accuracy:.2%}"
        )
    for size, methods in result.thresholds.items():
        told = ", ".join(
            f"{name} {one.rejected:.2%} (off by {one.error:.2%})" for name, one in methods.items()
        )
        print(f"threshold of {size} utterances, {result.wanted:.1%} wanted: rejects {told}")
    for one in result.with_out_of_scope:
        for name, found in (("in scope alone", one.in_scope), ("balanced", one.balanced)):
            print(
                f"limit {one.limit:.0%}, {name}: in scope {found.in_scope_rejected:.2%} rejected, "
                f"{found.in_scope_right:.2%} right; out of scope {found.oos_recall:.2%} found"
            )


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


namespace = Collection("bench", data_check, quality, calibration)
