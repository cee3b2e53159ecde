"""Tasks of the namespace ``bundle``."""

from __future__ import annotations

from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from compiler.commands.locations import (
    CHECKPOINT,
    COMPILED,
    DATASET,
    EVALUATION,
    INPUTS_HELP,
    LINE,
)
from compiler.config import DEFAULTS, BundleSettings
from edge_runtime.console import print_json, reporting_errors
from edge_runtime.settings import load_settings
from trainer.commands.locations import find_dataset

__all__ = ["namespace"]


@task(
    help={
        **INPUTS_HELP,
        "compiled": "what compile.run made",
        "folder": "the bundle's folder",
        "name": "the model's name",
        "version": "semantic version",
    }
)
def make(
    _: Context,
    compiled: str = COMPILED,
    checkpoint: str = CHECKPOINT,
    dataset: str = DATASET,
    evaluation: str = EVALUATION,
    folder: str = str(LINE / "bundle"),
    name: str = LINE.name,
    version: str | None = None,
    *,
    json: bool = False,
) -> None:
    """Gather variants, tokenizer and golden samples into a bundle."""
    from compiler.bundle import make_bundle

    with reporting_errors():
        settings = load_settings(
            BundleSettings,
            "bundle",
            defaults=DEFAULTS,
            project_folder=Path.cwd(),
            flags={"version": version},
        )
        result = make_bundle(
            Path(compiled),
            Path(checkpoint),
            find_dataset(dataset),
            Path(evaluation),
            Path(folder),
            name=name,
            settings=settings,
        )
    manifest = result.bundle.manifest
    if json:
        print_json(
            {
                "folder": folder,
                "skipped": result.skipped,
                "name": manifest.name,
                "version": manifest.version,
                "digest": manifest.digest,
                "variants": [variant.name for variant in manifest.variants],
            }
        )
        return
    state = "up to date" if result.skipped else "made"
    print(f"{folder}: {state}: {manifest.name} {manifest.version}, {manifest.digest[:12]}")


namespace = Collection("bundle", make)
