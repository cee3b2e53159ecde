"""Tasks of the namespace ``data``."""

from __future__ import annotations

from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors, showing_progress
from edge_runtime.settings import load_settings
from trainer.commands.locations import BUILD, DATA_HELP, EXAMPLE
from trainer.config import DEFAULTS, DataSettings

__all__ = ["namespace"]


@task(
    help={
        "data": DATA_HELP,
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
    folder: str = str(BUILD / "smart-home" / "dataset"),
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


namespace = Collection("data", build)
