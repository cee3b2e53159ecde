"""Tasks of the namespace ``compile``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

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
from compiler.config import (
    DEFAULTS,
    CompileSettings,
    load_distillation_settings,
    load_judging_settings,
    load_line_settings,
)
from edge_runtime.console import print_json, reporting_errors, showing_progress
from edge_runtime.settings import load_settings
from trainer.commands.locations import find_dataset
from trainer.commands.recording import recorder_of_project
from trainer.config import TIERS

if TYPE_CHECKING:
    from compiler.tiers import TiersResult

__all__ = ["namespace"]

_WIDTH = 100


@task(default=True, help={**INPUTS_HELP, "folder": "the folder for the variants"})
def run(
    _: Context,
    checkpoint: str = CHECKPOINT,
    dataset: str = DATASET,
    evaluation: str = EVALUATION,
    folder: str = COMPILED,
    *,
    json: bool = False,
) -> None:
    """Export every variant and prove it against torch; exit 3 when a required one fails."""
    from compiler.compile import compile_checkpoint

    with reporting_errors(), showing_progress() as progress:
        settings = load_settings(
            CompileSettings, "compile", defaults=DEFAULTS, project_folder=Path.cwd()
        )
        artifact = compile_checkpoint(
            Path(checkpoint),
            find_dataset(dataset),
            Path(evaluation),
            Path(folder),
            settings=settings,
            progress=progress,
        )
    result = artifact.document.result
    if json:
        print_json({"folder": folder, "skipped": artifact.skipped, **result})
        return
    print(f"{folder}: {'up to date' if artifact.skipped else 'compiled'}")
    for variant in result["variants"]:
        test, compared = variant["test"], variant["test"] or variant["gate"]
        accuracy = f"test accuracy {test['accuracy']:.2%}, " if test else ""
        print(
            f"  {variant['name']}: {variant['bytes'] / 1e6:.1f} MB, {accuracy}changed answers "
            f"{compared['changed_answers']:.2%}, "
            f"logits within {compared['max_logit_difference']:.2g}"
        )
    for refused in result["refused"]:
        print(f"  {refused['name']}: refused: {'; '.join(refused['reasons'])}")


@task(
    help={
        "teacher": "the trained model that the tiers are students of",
        "dataset": INPUTS_HELP["dataset"],
        "folder": "gets a folder of each tier",
        "tiers": "which, with commas between them",
        "name": "the model's name; a tier's bundle is called NAME-TIER",
        "seed": "seed of the trainings",
        "json": "print one JSON object",
    }
)
def tiers(
    _: Context,
    teacher: str = CHECKPOINT,
    dataset: str = DATASET,
    folder: str = str(LINE / "tiers"),
    tiers: str = ",".join(TIERS),
    name: str = LINE.name,
    seed: int | None = None,
    *,
    json: bool = False,
) -> None:
    """Build a bundle of each small student of a model; exit 3 when a gate refuses one."""
    from compiler.tiers import build_tiers

    with reporting_errors(), showing_progress() as progress:
        settings = load_line_settings(project_folder=Path.cwd(), seed=seed)
        result = build_tiers(
            Path(teacher),
            find_dataset(dataset),
            Path(folder),
            tiers=[tier.strip() for tier in tiers.split(",") if tier.strip()],
            name=name,
            settings=settings,
            judging=load_judging_settings(project_folder=Path.cwd()),
            distillation=load_distillation_settings(project_folder=Path.cwd()),
            recorder=recorder_of_project(),
            progress=progress,
        )
    if json:
        print_json(result)
    elif result.tiers:
        _print_tiers(result)
    for failed in result.failed:
        print(f"error: {failed.tier}: {failed.error}", file=sys.stderr, flush=True)
    if result.exit_code:
        raise SystemExit(result.exit_code)


def _print_tiers(result: TiersResult) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "tier", "parameters", "bundle", "int8", "first variant", "accuracy", "AUROC", "p50"
    )
    for tier in result.tiers:
        table.add_row(
            tier.tier,
            f"{tier.parameters / 1e6:.1f} M",
            f"{tier.bundle_bytes / 1e6:.1f} MB",
            "" if tier.int8_bytes is None else f"{tier.int8_bytes / 1e6:.1f} MB",
            tier.variant,
            "" if tier.in_scope_accuracy is None else f"{tier.in_scope_accuracy:.2%}",
            "" if tier.oos_auroc is None else f"{tier.oos_auroc:.4f}",
            f"{tier.p50_ms:.2f} ms",
        )
    Console(width=_WIDTH).print(table)
    for tier in result.tiers:
        for refused in tier.refused:
            print(f"{tier.tier} has no {refused.name}: {'; '.join(refused.reasons)}")


namespace = Collection("compile", run, tiers)
