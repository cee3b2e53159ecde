"""Tasks of the namespace ``train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.artifact import Artifact
from edge_runtime.console import Progress, print_json, reporting_errors, showing_progress
from edge_runtime.settings import load_settings
from trainer.commands.locations import BUILD, PROJECT
from trainer.commands.recording import print_runs, recorder_of_project, track_settings_of_project
from trainer.config import DEFAULTS, DistillationSettings, TrainSettings

if TYPE_CHECKING:
    from trainer.teaching import Teaching
    from trainer.tracking.energy import Cost

__all__ = ["namespace"]


@task(
    default=True,
    help={
        "dataset": "what data.build made",
        "folder": "the checkpoint's folder",
        "base_model": "all-MiniLM-L6-v2 (embedded), a folder, or a hub id",
        "epochs": "passes over the training utterances",
        "seed": "seed of the training",
        "method": "full, lora or qlora: what is trained besides the head",
        "processes": "how many processes train together on this machine, one a GPU",
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
    processes: int = 1,
    resume: bool = False,
    json: bool = False,
) -> None:
    """Fine-tune a base model on a dataset."""
    flags = {"base_model": base_model, "epochs": epochs, "seed": seed, "method": method}
    if processes > 1:
        _launch(processes, dataset, folder, flags, resume=resume, json=json)
        return
    from trainer.launching import end_launched_process, is_launched, is_main_process

    with reporting_errors(), showing_progress() as progress:
        settings = load_settings(
            TrainSettings,
            "train",
            defaults=DEFAULTS,
            project_folder=Path.cwd(),
            flags=flags,
        )
        artifact, cost = _train_recorded(
            dataset, folder, settings=settings, resume=resume, progress=progress
        )
        if is_launched():
            from trainer.processes import leave_processes

            leave_processes()
    if is_main_process():
        _tell(artifact, folder, cost, json=json)
    if is_launched():
        end_launched_process()


@task(
    help={
        "teacher": "a checkpoint that train.run made of the same dataset",
        "dataset": "what data.build made",
        "folder": "the student's checkpoint",
        "tier": "layers-4, layers-3, layers-2 or static: how much is left of the encoder",
        "seed": "seed of the training",
        "resume": "go on with the unfinished training, and with nothing else",
        "json": "print one JSON object",
    },
)
def student(
    _: Context,
    teacher: str = str(BUILD / "smart-home" / "checkpoint"),
    dataset: str = str(BUILD / "smart-home" / "dataset"),
    folder: str = str(BUILD / "smart-home" / "student"),
    tier: str | None = None,
    seed: int | None = None,
    *,
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train a small student of a trained model."""
    from trainer.checkpoint import read_checkpoint
    from trainer.teaching import Teaching

    with reporting_errors(), showing_progress() as progress:
        project = Path.cwd()
        distillation = load_settings(
            DistillationSettings,
            "distillation",
            defaults=DEFAULTS,
            project_folder=project,
            flags={"tier": tier},
        )
        settings = load_settings(
            TrainSettings, "train", defaults=DEFAULTS, project_folder=project, flags={"seed": seed}
        )
        artifact, cost = _train_recorded(
            dataset,
            folder,
            settings=settings,
            teaching=Teaching(checkpoint=read_checkpoint(Path(teacher)), settings=distillation),
            resume=resume,
            progress=progress,
        )
    _tell(artifact, folder, cost, json=json)


def _train_recorded(
    dataset: str,
    folder: str,
    *,
    settings: TrainSettings,
    teaching: Teaching | None = None,
    resume: bool,
    progress: Progress,
) -> tuple[Artifact, Cost | None]:
    from trainer.train import train

    with recorder_of_project().training(Path(folder)) as record:
        artifact = train(
            Path(dataset),
            Path(folder),
            settings=settings,
            teaching=teaching,
            resume=resume,
            observer=record,
            progress=progress,
        )
        return artifact, record.finish(artifact)


def _tell(artifact: Artifact, folder: str, cost: Cost | None, *, json: bool) -> None:
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


def _launch(
    processes: int,
    dataset: str,
    folder: str,
    flags: dict[str, Any],
    *,
    resume: bool,
    json: bool,
) -> None:
    """Run this task again in several processes, and end with their exit code."""
    from trainer.launching import launch

    arguments = [f"--search-root={PROJECT}", "train", f"--dataset={dataset}", f"--folder={folder}"]
    arguments += [
        f"--{name.replace('_', '-')}={value}" for name, value in flags.items() if value is not None
    ]
    arguments += [f"--{name}" for name, wanted in (("resume", resume), ("json", json)) if wanted]
    code = launch("invoke", arguments, processes=processes)
    if code:
        raise SystemExit(code)


namespace = Collection("train", run, student, runs)
