"""Tasks of the namespace ``train``."""

from __future__ import annotations

from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors, showing_progress
from edge_runtime.settings import load_settings
from trainer.commands.locations import BUILD
from trainer.commands.recording import print_runs, recorder_of_project, track_settings_of_project
from trainer.config import DEFAULTS, TrainSettings

__all__ = ["namespace"]


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
    dataset: str = str(BUILD / "smart-home" / "dataset"),
    folder: str = str(BUILD / "smart-home" / "checkpoint"),
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
        with recorder_of_project().training(Path(folder)) as record:
            artifact = train(
                Path(dataset),
                Path(folder),
                settings=settings,
                resume=resume,
                observer=record,
                progress=progress,
            )
            cost = record.finish(artifact)
    result = artifact.document.result
    if json:
        print_json({"folder": folder, "skipped": artifact.skipped, "cost": cost, **result})
        return
    state = "up to date" if artifact.skipped else "trained"
    print(f"{folder}: {state}: {result['intents']} intents, {result['utterances']} utterances")
    if cost is not None:
        print(cost.in_words())


@task(
    help={
        "limit": "how many runs, the newest first",
        "json": "print one JSON object",
    }
)
def runs(_: Context, limit: int = 20, *, json: bool = False) -> None:
    """List recorded trainings: settings that differ, test measures, energy."""
    from trainer.tracking import list_runs, open_tracker

    with reporting_errors():
        tracker = open_tracker(track_settings_of_project(), folder=BUILD)
        table = list_runs(tracker, limit=limit)
    if json:
        print_json(table)
    else:
        print_runs(table)


namespace = Collection("train", run, runs)
