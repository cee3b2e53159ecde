"""Making a report: checkpoint, dataset, evaluation -> report.json and report.html."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.artifact import Artifact, produce_artifact, read_artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.storage import write_atomically
from trainer.champion import open_champion
from trainer.checkpoint import read_checkpoint
from trainer.comparison import refuse_regression
from trainer.config import GateSettings, ReportSettings
from trainer.dataset import read_dataset
from trainer.evaluate import read_evaluation
from trainer.gates import refuse_missed
from trainer.report.content import Report
from trainer.report.figures import gather_figures
from trainer.report.page import render_page

__all__ = ["PAGE", "make_report", "read_report", "refuse"]

KIND = "report"
REVISION = 1
PAGE = "report.html"


def make_report(
    checkpoint_folder: Path,
    dataset_folder: Path,
    evaluation_folder: Path,
    folder: Path,
    *,
    settings: ReportSettings,
    gates: GateSettings,
    champion_folder: Path | None = None,
    progress: Progress = no_progress,
) -> Artifact:
    """Write everything that is known of a checkpoint as one page, and as JSON.

    A missed gate or a regression stands in the report; ``refuse`` turns it into an error.

    Args:
        checkpoint_folder: made by ``train``.
        dataset_folder: made by ``build_dataset``.
        evaluation_folder: made by ``evaluate`` of the two.
        folder: the report to write; skipped when it is up to date.
        settings: the split, the bootstrap, the noise.
        gates: what the model must reach.
        champion_folder: a checkpoint or a bundle to compare with.
        progress: told each step.

    Raises:
        ArtifactError: an input is missing or damaged, or does not fit the others.
        BundleError: the champion's bundle is damaged.
    """
    checkpoint = read_checkpoint(checkpoint_folder)
    dataset = read_dataset(dataset_folder)
    evaluation = read_evaluation(evaluation_folder)
    champion = (
        None
        if champion_folder is None
        else open_champion(
            champion_folder,
            validation=dataset.validation,
            settings=evaluation.settings,
            progress=progress,
        )
    )
    parents = {
        "checkpoint": checkpoint.artifact.digest,
        "dataset": dataset.digest,
        "evaluation": evaluation.artifact.digest,
    }

    def make(partial: Path) -> dict[str, Any]:
        report = gather_figures(
            checkpoint, dataset, evaluation, champion, settings, gates, progress=progress
        )
        write_atomically(partial / PAGE, render_page(report).encode())
        result: dict[str, Any] = msgspec.to_builtins(report)
        return result

    return produce_artifact(
        folder,
        kind=KIND,
        revision=REVISION,
        settings={
            "report": msgspec.to_builtins(settings),
            "gates": msgspec.to_builtins(gates),
        },
        parents=parents | ({} if champion is None else {"champion": champion.digest}),
        make=make,
    )


def read_report(folder: Path) -> Report:
    """Read what ``make_report`` wrote.

    Raises:
        ArtifactError: it is missing, incomplete or damaged.
    """
    return msgspec.convert(read_artifact(folder, KIND).document.result, Report)


def refuse(report: Report, *, where: str) -> None:
    """Refuse a model that missed a gate or is worse than its champion.

    Args:
        report: of the model.
        where: the report's page, for the message.

    Raises:
        QualityGateError: says which and by how much.
    """
    refuse_missed(report.gates, report=where)
    if report.comparison is not None:
        refuse_regression(report.comparison)
