"""Tasks of the namespace ``bench``."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec
from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors, showing_progress
from edge_runtime.settings import load_settings
from trainer.commands.benchmark_output import OUTPUT_HELP, plan_record
from trainer.commands.locations import BUILD, DATA_HELP, DATASET_HELP, find_dataset
from trainer.config import (
    DEFAULTS,
    CalibrationSettings,
    CheckSettings,
    DataSettings,
    TrainSettings,
)

__all__ = ["namespace"]

Section = TypeVar("Section", bound=msgspec.Struct)


@task(
    help={
        "checkpoint": "what train.run made",
        "dataset": DATASET_HELP,
        "evaluation": "what eval.run made",
        "repeats": "how often the folds are drawn anew",
        "output": OUTPUT_HELP,
        "data_set": "the data set's name in that file",
        "model": "what is calibrated, in words, in that file",
        "json": "print one JSON object",
    }
)
def calibration(
    _: Context,
    checkpoint: str = str(BUILD / "smart-home" / "checkpoint"),
    dataset: str = str(BUILD / "smart-home" / "dataset"),
    evaluation: str = str(BUILD / "smart-home" / "evaluation"),
    repeats: int = 10,
    output: str | None = None,
    data_set: str = "smart-home",
    model: str = "edgewise",
    *,
    json: bool = False,
) -> None:
    """Compare ways to calibrate, by cross-validation on validation alone."""
    from trainer.calibration_benchmark import benchmark_calibration

    with reporting_errors(), showing_progress() as progress:
        record = plan_record(
            "bench.calibration",
            output,
            data_set=data_set,
            model=model,
            checkpoint=Path(checkpoint),
            dataset=Path(dataset),
            evaluation=Path(evaluation),
            repeats=repeats,
        )
        result = benchmark_calibration(
            Path(checkpoint),
            find_dataset(dataset),
            Path(evaluation),
            repeats=repeats,
            progress=progress,
        )
        record.write(result)
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
    help={
        "checkpoint": "what train.run made",
        "dataset": DATASET_HELP,
        "evaluation": "what eval.run made",
        "resamples": "draws of the bootstrap behind each interval",
        "seed": "of the draws",
        "output": OUTPUT_HELP,
        "data_set": "the data set's name in that file",
        "model": "whose scores are compared, in words, in that file",
        "json": "print one JSON object",
    }
)
def scores(
    _: Context,
    checkpoint: str = str(BUILD / "smart-home" / "checkpoint"),
    dataset: str = str(BUILD / "smart-home" / "dataset"),
    evaluation: str = str(BUILD / "smart-home" / "evaluation"),
    resamples: int = 2000,
    seed: int = 1,
    output: str | None = None,
    data_set: str = "smart-home",
    model: str = "edgewise",
    *,
    json: bool = False,
) -> None:
    """Compare out-of-scope scores and their fusions, on validation alone."""
    from trainer.score_benchmark import benchmark_scores

    with reporting_errors(), showing_progress() as progress:
        record = plan_record(
            "bench.scores",
            output,
            data_set=data_set,
            model=model,
            checkpoint=Path(checkpoint),
            dataset=Path(dataset),
            evaluation=Path(evaluation),
            resamples=resamples,
            seed=seed,
        )
        result = benchmark_scores(
            Path(checkpoint),
            find_dataset(dataset),
            Path(evaluation),
            resamples=resamples,
            seed=seed,
            progress=progress,
        )
        record.write(result)
    if json:
        print_json(result)
        return
    for one in result.scores:
        gain = one.auroc_gain_interval
        print(
            f"{' + '.join(one.parts):48} AUROC {one.auroc:.4f} ({one.auroc_gain:+.4f}, "
            f"{gain.low:+.4f} to {gain.high:+.4f}), FPR at 95 % {one.fpr95:.2%} "
            f"({one.fpr95_interval.low:.2%} to {one.fpr95_interval.high:.2%}), "
            f"{one.bytes / 2**20:.2f} MiB more"
        )
    print(f"gains are over {' + '.join(result.default)}")


@task(
    name="training",
    help={
        "data": DATA_HELP,
        "test": "utterances for the test alone, in the same forms",
        "precision": "fp32, bf16 or both, with a comma; auto: what the processor has",
        "target": "an accuracy on validation, such as 0.965, whose time is wanted",
        "seeds": "how many trainings in each precision",
        "folder": "where the dataset goes; the checkpoints are not kept",
        "output": OUTPUT_HELP,
        "data_set": "the data set's name in that file; by default that of --data",
        "model": "what is trained, in words, in that file",
        "json": "print one JSON object",
    },
)
def training_speed(
    _: Context,
    data: str,
    test: str | None = None,
    precision: str = "auto",
    seeds: int = 1,
    folder: str = str(BUILD / "bench" / "training"),
    output: str | None = None,
    data_set: str | None = None,
    target: float = 0.0,
    model: str = "edgewise",
    *,
    json: bool = False,
) -> None:
    """Measure time, speed and memory of a training, in each precision."""
    from trainer.training_benchmark import benchmark_training

    with reporting_errors(), showing_progress() as progress:
        record = plan_record(
            "bench.training",
            output,
            data_set=data_set or Path(data).stem,
            model=model,
            data=Path(data),
            test=Path(test) if test else None,
            precision=precision,
            target=target or None,
            seeds=seeds,
        )
        result = benchmark_training(
            data,
            Path(folder),
            precisions=(
                None
                if precision == "auto"
                else tuple(one.strip() for one in precision.split(",") if one.strip())
            ),
            seeds=seeds,
            target=target or None,
            data_settings=_load(DataSettings, "data"),
            train_settings=_load(TrainSettings, "train"),
            calibration_settings=_load(CalibrationSettings, "calibration"),
            test_location=test,
            progress=progress,
        )
        record.write(result)
    if json:
        print_json(result)
        return
    for name, one in result.precisions.items():
        reached = one.seconds_to_target
        to_target = "" if reached is None else f", {reached.mean:.0f} s to the target"
        print(
            f"{name}: {one.seconds.mean:.0f} s, {one.seconds_to_best.mean:.0f} s to the pass that "
            f"was kept{to_target}; {one.utterances_per_second.mean:.0f} utterances a second, "
            f"{one.peak_memory_bytes.mean / 2**20:.0f} MiB at most; test "
            f"{one.test_accuracy.mean:.2%}"
        )
    print(f"on {result.device}, {result.threads} threads; memory of the {result.memory_of}")


@task(
    name="data",
    help={
        "rows": "utterances of the file that is made up",
        "seed": "seed of that file",
        "no_splits": "leave out of the file which split each row belongs to; they are to be drawn",
        "accents": "give its words letters beyond ASCII, which take longer to check",
        "folder": "where the file and the report go",
        "output": OUTPUT_HELP,
        "json": "print one JSON object",
    },
)
def data_check(
    _: Context,
    rows: int = 1_000_000,
    seed: int = 1,
    folder: str = str(BUILD / "bench" / "data"),
    output: str | None = None,
    *,
    no_splits: bool = False,
    accents: bool = False,
    json: bool = False,
) -> None:
    """Measure time and memory of data.check on a large file."""
    from trainer.data_benchmark import benchmark_data_check

    with reporting_errors(), showing_progress() as progress:
        record = plan_record(
            "bench.data",
            output,
            data_set="synthetic utterances",
            model="data.check",
            rows=rows,
            seed=seed,
            no_splits=no_splits,
            accents=accents,
        )
        result = benchmark_data_check(
            Path(folder),
            rows=rows,
            seed=seed,
            splits=not no_splits,
            accents=accents,
            data_settings=_load(DataSettings, "data"),
            train_settings=_load(TrainSettings, "train"),
            check_settings=_load(CheckSettings, "check"),
            progress=progress,
        )
        record.write(result)
    if json:
        print_json(result)
        return
    print(
        f"{result.rows} rows: {result.seconds:.1f} s, {result.cpu_seconds:.1f} s of processor "
        f"time, {result.peak_memory_bytes / 2**20:.0f} MiB at most, {result.processors} processors"
    )


@task(
    help={
        "rows": "utterances of the files that are made up, with commas between their numbers",
        "seed": "seed of the files and of the trainings",
        "epochs": "passes over a file, at most; small files get more",
        "base_model": "all-MiniLM-L6-v2 (embedded), a folder, or a hub id",
        "folder": "where files, datasets and checkpoints go",
        "output": OUTPUT_HELP,
        "model": "what is trained, in words, in that file",
        "json": "print one JSON object",
    },
)
def scaling(
    _: Context,
    rows: str = "10000,100000",
    seed: int = 1,
    epochs: int = 1,
    base_model: str = "all-MiniLM-L6-v2",
    folder: str = str(BUILD / "bench" / "scaling"),
    output: str | None = None,
    model: str = "edgewise",
    *,
    json: bool = False,
) -> None:
    """Measure time and memory of trainings on small and on large files."""
    from trainer.scaling_benchmark import benchmark_scaling

    with reporting_errors(), showing_progress() as progress:
        record = plan_record(
            "bench.scaling",
            output,
            data_set="synthetic utterances",
            model=model,
            rows=rows,
            seed=seed,
            epochs=epochs,
            base_model=Path(base_model),
        )
        sizes = [int(one) if one.strip().isdecimal() else 0 for one in rows.split(",")]
        result = benchmark_scaling(
            Path(folder),
            sizes=sizes,
            seed=seed,
            data_settings=_load(DataSettings, "data"),
            train_settings=_load(TrainSettings, "train", epochs=epochs, base_model=base_model),
            progress=progress,
        )
        record.write(result)
    if json:
        print_json(result)
        return
    print(f"{result.base_model}, {result.parameters / 1e6:.1f} M parameters")
    for one in result.trainings:
        accuracy = one.validation_accuracy
        print(
            f"{one.utterances} utterances, {one.epochs} passes: {one.seconds:.0f} s, "
            f"{one.cpu_seconds:.0f} s of processor time "
            f"({one.microseconds_per_utterance:.0f} us an utterance and pass), "
            f"{one.peak_memory_bytes / 2**20:.0f} MiB at most, checkpoint "
            f"{one.checkpoint_bytes / 2**20:.0f} MiB"
            + ("" if accuracy is None else f", validation {accuracy:.2%}")
        )


def _load(kind: type[Section], name: str, **flags: str | float | None) -> Section:
    return load_settings(kind, name, defaults=DEFAULTS, project_folder=Path.cwd(), flags=flags)


namespace = Collection("bench", data_check, calibration, scores, training_speed, scaling)
