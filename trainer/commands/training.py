"""Tasks of the namespace ``train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.artifact import Artifact
from edge_runtime.console import Progress, print_json, reporting_errors, showing_progress
from edge_runtime.errors import SettingsError
from edge_runtime.settings import load_settings
from trainer.commands.locations import BUILD, DATASET_HELP, PROJECT, find_dataset
from trainer.commands.recording import print_runs, recorder_of_project, track_settings_of_project
from trainer.config import DEFAULTS, DistillationSettings, SoupSettings, TrainSettings
from trainer.errors import ResumeError
from trainer.launching import (
    end_launched_process,
    ending_launched_process,
    is_launched,
    is_main_process,
    launch,
)

if TYPE_CHECKING:
    from trainer.teaching import Teaching
    from trainer.tracking.energy import Cost

__all__ = ["namespace"]

Form = TypeVar("Form", bound=msgspec.Struct)


@task(
    default=True,
    help={
        "dataset": DATASET_HELP,
        "folder": "the checkpoint's folder",
        "base_model": "all-MiniLM-L6-v2 (embedded), a folder, or a hub id",
        "epochs": "passes over the training utterances",
        "seed": "seed of the training",
        "trainings": "how many trainings the model is the mean of, each with another seed",
        "method": "full, lora or qlora: what is trained besides the head",
        "processes": "how many processes train together on this machine, one a GPU",
        "anew": "discard an unfinished training; without it the same one goes on",
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
    trainings: int | None = None,
    *,
    method: str | None = None,
    processes: int = 1,
    anew: bool = False,
    json: bool = False,
) -> None:
    """Fine-tune a base model on a dataset."""
    flags = {"base_model": base_model, "epochs": epochs, "seed": seed, "method": method}
    asked = {"dataset": dataset, "folder": folder, "trainings": trainings, **flags}
    # Before any process is started: each would tell what is wrong.
    with ending_launched_process(), reporting_errors():
        settings = _settings(TrainSettings, "train", flags)
        soup = _settings(SoupSettings, "soup", {"trainings": trainings})
    if _launch(processes, "train", asked, anew, json):
        return
    with ending_launched_process(), reporting_errors(), showing_progress() as progress:
        artifact, cost = _train_recorded(
            dataset,
            folder,
            settings=settings,
            soup=soup,
            anew=anew,
            progress=progress,
        )
    _end(artifact, folder, cost, json=json)


@task(
    help={
        "teacher": "a checkpoint that train.run made of the same dataset",
        "dataset": DATASET_HELP,
        "folder": "the student's checkpoint",
        "tier": "layers-4, layers-3, layers-2 or static: how much is left of the encoder",
        "seed": "seed of the training",
        "trainings": "how many trainings the model is the mean of, each with another seed",
        "processes": "how many processes train together on this machine, one a GPU",
        "anew": "discard an unfinished training; without it the same one goes on",
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
    trainings: int | None = None,
    *,
    processes: int = 1,
    anew: bool = False,
    json: bool = False,
) -> None:
    """Train a small student of a trained model."""
    asked = {"teacher": teacher, "dataset": dataset, "folder": folder, "tier": tier, "seed": seed}
    with ending_launched_process(), reporting_errors():
        distillation = _settings(DistillationSettings, "distillation", {"tier": tier})
        settings = _settings(TrainSettings, "train", {"seed": seed})
        soup = _settings(SoupSettings, "soup", {"trainings": trainings})
    if _launch(processes, "train.student", {**asked, "trainings": trainings}, anew, json):
        return
    from trainer.checkpoint import read_checkpoint
    from trainer.teaching import Teaching

    with ending_launched_process(), reporting_errors(), showing_progress() as progress:
        artifact, cost = _train_recorded(
            dataset,
            folder,
            settings=settings,
            soup=soup,
            teaching=Teaching(checkpoint=read_checkpoint(Path(teacher)), settings=distillation),
            anew=anew,
            progress=progress,
        )
    _end(artifact, folder, cost, json=json)


def _settings(form: type[Form], section: str, flags: dict[str, Any]) -> Form:
    return load_settings(form, section, defaults=DEFAULTS, project_folder=Path.cwd(), flags=flags)


def _train_recorded(
    dataset: str,
    folder: str,
    *,
    settings: TrainSettings,
    soup: SoupSettings,
    teaching: Teaching | None = None,
    anew: bool,
    progress: Progress,
) -> tuple[Artifact, Cost | None]:
    """Train, with a record of each training; tell what all of them cost, where that is known."""
    from trainer.soup import train_soup
    from trainer.train import train

    place, recorder = find_dataset(dataset), recorder_of_project()
    cost: Cost | None = None

    def train_one(own_folder: Path, own: TrainSettings) -> Artifact:
        nonlocal cost
        with recorder.training(own_folder) as record:
            try:
                artifact = train(
                    place,
                    own_folder,
                    settings=own,
                    teaching=teaching,
                    anew=anew,
                    observer=record,
                    progress=progress,
                )
            except ResumeError as error:
                raise ResumeError(f"{error.message}; --anew does that", **error.data) from error
            cost = record.finish(artifact)
            return artifact

    made = train_soup(
        train_one,
        place,
        Path(folder),
        settings=settings,
        soup=soup,
        teaching=teaching,
        progress=progress,
    )
    if soup.trainings > 1:
        cost = None if made.skipped else recorder.cost_of_trainings(made)
    return made, cost


def _end(artifact: Artifact, folder: str, cost: Cost | None, *, json: bool) -> None:
    """Say what was made, once, and end this process if it is one of several."""
    if is_launched():
        from trainer.processes import leave_processes

        with ending_launched_process(), reporting_errors():
            leave_processes()
    if is_main_process():
        _tell(artifact, folder, cost, json=json)
    if is_launched():
        end_launched_process()


def _tell(artifact: Artifact, folder: str, cost: Cost | None, *, json: bool) -> None:
    result = artifact.document.result
    if json:
        print_json({"folder": folder, "skipped": artifact.skipped, "cost": cost, **result})
        return
    state = "up to date" if artifact.skipped else "trained"
    print(f"{folder}: {state}: {result['intents']} intents, {result['utterances']} utterances")
    if cost is not None and (words := cost.in_words()):
        print(words)


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
        if limit < 1:
            raise SettingsError(f"--limit is {limit}; at least one run can be listed")
        tracker = open_tracker(track_settings_of_project(), folder=BUILD)
        table = list_runs(tracker, limit=limit)
    if json:
        print_json(table)
    else:
        print_runs(table)


def _launch(processes: int, task_name: str, flags: dict[str, Any], anew: bool, json: bool) -> bool:
    """Run a task again in several processes where these are wanted; return whether it was.

    Ends with their exit code when they fail.
    """
    with reporting_errors():
        if processes < 1:
            raise SettingsError(f"--processes is {processes}; at least one trains")
    if processes == 1:
        return False
    arguments = [f"--search-root={PROJECT}", task_name]
    arguments += [
        f"--{name.replace('_', '-')}={value}" for name, value in flags.items() if value is not None
    ]
    arguments += [f"--{name}" for name, wanted in (("anew", anew), ("json", json)) if wanted]
    code = launch("invoke", arguments, processes=processes)
    if code:
        raise SystemExit(code)
    return True


namespace = Collection("train", run, student, runs)
