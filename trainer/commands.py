"""Tasks of the namespaces ``data``, ``train`` and ``eval``."""

from __future__ import annotations

from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors, showing_progress
from edge_runtime.settings import load_settings
from trainer.config import DEFAULTS, CalibrationSettings, DataSettings, TrainSettings

__all__ = ["EXAMPLE", "benchmarks", "data", "evaluation", "training"]

EXAMPLE = Path(__file__).parent / "examples" / "smart_home"
_BUILD = Path("build")
_DATA_HELP = (
    "CSV, JSONL, CLINC150 JSON, sentence templates or a folder of them; a path or s3:// URI"
)


@task(
    help={
        "data": _DATA_HELP,
        "test": "utterances for the test alone, in the same forms",
        "folder": "the dataset's folder",
        "seed": "seed of splits and template samples",
        "json": "print one JSON object",
    }
)
def build(
    _: Context,
    data: str = str(EXAMPLE),
    test: str | None = None,
    folder: str = str(_BUILD / "smart-home" / "dataset"),
    seed: int | None = None,
    *,
    json: bool = False,
) -> None:
    """Read, check and split utterances into a dataset."""
    from trainer.dataset import build_dataset

    with reporting_errors(), showing_progress() as progress:
        settings = load_settings(
            DataSettings,
            "data",
            defaults=DEFAULTS,
            project_folder=Path.cwd(),
            flags={"seed": seed},
        )
        artifact = build_dataset(
            data, Path(folder), settings=settings, test_location=test, progress=progress
        )
    result = artifact.document.result
    if json:
        print_json({"folder": folder, "skipped": artifact.skipped, **result})
        return
    state = "up to date" if artifact.skipped else "built"
    print(
        f"{folder}: {state}: {result['intents']} intents, {result['train']} training, "
        f"{result['validation']} validation, {result['test']} test utterances"
    )


@task(
    default=True,
    help={
        "dataset": "what data.build made",
        "folder": "the checkpoint's folder",
        "base_model": "all-MiniLM-L6-v2 (embedded), a folder, or a hub id",
        "epochs": "passes over the training utterances",
        "seed": "seed of the training",
        "method": "full, or lora: what is trained besides the head",
        "resume": "go on with the unfinished training, and with nothing else",
        "json": "print one JSON object",
    },
)
def run(
    _: Context,
    dataset: str = str(_BUILD / "smart-home" / "dataset"),
    folder: str = str(_BUILD / "smart-home" / "checkpoint"),
    base_model: str | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    *,
    method: str | None = None,
    resume: bool = False,
    json: bool = False,
) -> None:
    """Fine-tune a base model on a dataset."""
    from trainer.train import train

    with reporting_errors(), showing_progress() as progress:
        settings = load_settings(
            TrainSettings,
            "train",
            defaults=DEFAULTS,
            project_folder=Path.cwd(),
            flags={"base_model": base_model, "epochs": epochs, "seed": seed, "method": method},
        )
        artifact = train(
            Path(dataset), Path(folder), settings=settings, resume=resume, progress=progress
        )
    result = artifact.document.result
    if json:
        print_json({"folder": folder, "skipped": artifact.skipped, **result})
        return
    state = "up to date" if artifact.skipped else "trained"
    print(f"{folder}: {state}: {result['intents']} intents, {result['utterances']} utterances")


@task(
    default=True,
    name="run",
    help={
        "checkpoint": "what train.run made",
        "dataset": "what data.build made",
        "folder": "the evaluation's folder",
        "json": "print one JSON object",
    },
)
def evaluate_checkpoint(
    _: Context,
    checkpoint: str = str(_BUILD / "smart-home" / "checkpoint"),
    dataset: str = str(_BUILD / "smart-home" / "dataset"),
    folder: str = str(_BUILD / "smart-home" / "evaluation"),
    *,
    json: bool = False,
) -> None:
    """Measure a checkpoint on validation and test."""
    from trainer.evaluate import evaluate

    with reporting_errors(), showing_progress() as progress:
        settings = load_settings(
            CalibrationSettings, "calibration", defaults=DEFAULTS, project_folder=Path.cwd()
        )
        artifact = evaluate(
            Path(checkpoint), Path(dataset), Path(folder), settings=settings, progress=progress
        )
    result = artifact.document.result
    if json:
        print_json({"folder": folder, "skipped": artifact.skipped, **result})
        return
    for split, measures in result.items():
        auroc = measures["oos_auroc"]
        told = f", out-of-scope AUROC {auroc:.3f}" if auroc is not None else ""
        print(
            f"{split}: accuracy {measures['in_scope_accuracy']:.2%}, "
            f"macro-F1 {measures['macro_f1']:.3f}{told}"
        )


@task(
    help={
        "data": _DATA_HELP,
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
    folder: str = str(_BUILD / "bench" / "quality"),
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


data = Collection("data", build)
training = Collection("train", run)
evaluation = Collection("eval", evaluate_checkpoint)
benchmarks = Collection("bench", quality)
