"""Tasks of the namespace ``train``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors, showing_progress
from edge_runtime.settings import load_settings
from trainer.commands.locations import BUILD
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
    from trainer.launching import is_launched, is_main_process
    from trainer.train import train

    with reporting_errors(), showing_progress() as progress:
        settings = load_settings(
            TrainSettings,
            "train",
            defaults=DEFAULTS,
            project_folder=Path.cwd(),
            flags=flags,
        )
        artifact = train(
            Path(dataset), Path(folder), settings=settings, resume=resume, progress=progress
        )
        if is_launched():
            from trainer.processes import leave_processes

            leave_processes()
    if not is_main_process():
        return
    result = artifact.document.result
    if json:
        print_json({"folder": folder, "skipped": artifact.skipped, **result})
        return
    state = "up to date" if artifact.skipped else "trained"
    print(f"{folder}: {state}: {result['intents']} intents, {result['utterances']} utterances")


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

    arguments = ["train", f"--dataset={dataset}", f"--folder={folder}"]
    arguments += [
        f"--{name.replace('_', '-')}={value}" for name, value in flags.items() if value is not None
    ]
    arguments += [f"--{name}" for name, wanted in (("resume", resume), ("json", json)) if wanted]
    code = launch("invoke", arguments, processes=processes)
    if code:
        raise SystemExit(code)


namespace = Collection("train", run)
