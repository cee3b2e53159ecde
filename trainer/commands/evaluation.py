"""Tasks of the namespace ``eval``."""

from __future__ import annotations

from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors, showing_progress
from edge_runtime.settings import load_settings
from trainer.commands.locations import BUILD
from trainer.commands.recording import recorder_of_project, tell_custom_metrics
from trainer.config import DEFAULTS, CalibrationSettings

__all__ = ["namespace"]


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
    checkpoint: str = str(BUILD / "smart-home" / "checkpoint"),
    dataset: str = str(BUILD / "smart-home" / "dataset"),
    folder: str = str(BUILD / "smart-home" / "evaluation"),
    *,
    json: bool = False,
) -> None:
    """Measure a checkpoint on validation and test."""
    from trainer.evaluate import evaluate

    with reporting_errors(), showing_progress() as progress:
        settings = load_settings(
            CalibrationSettings, "calibration", defaults=DEFAULTS, project_folder=Path.cwd()
        )
        recorder = recorder_of_project()
        artifact = evaluate(
            Path(checkpoint), Path(dataset), Path(folder), settings=settings, progress=progress
        )
        tell_custom_metrics(recorder.evaluation(artifact, Path(checkpoint)))
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


namespace = Collection("eval", evaluate_checkpoint)
