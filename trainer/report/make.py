"""Making a report: checkpoint, dataset, evaluation -> report.json and report.html."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.artifact import Artifact, produce_artifact, read_artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import ArtifactError
from edge_runtime.storage import write_atomically
from trainer.calibration_basis import calibration_texts
from trainer.champion import open_champion
from trainer.checkpoint import read_checkpoint
from trainer.comparison import refuse_regression
from trainer.config import GateSettings, ReportSettings
from trainer.dataset import Dataset, read_dataset
from trainer.evaluate import read_evaluation
from trainer.gates import any_is_set, refuse_missed
from trainer.report.content import Report
from trainer.report.figures import gather_figures
from trainer.report.page import render_page

__all__ = ["PAGE", "is_due", "make_report", "read_report", "refuse"]

logger = logging.getLogger(__name__)

KIND = "report"
REVISION = 3
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

    A missed gate or a regression stands in the report; ``refuse`` turns it into an error. Where
    the split that the settings name has no utterance with an intent, the other is described.

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
        ArtifactError: an input is missing or damaged, or does not fit the others; or the
            dataset holds nothing out.
        BundleError: the champion's bundle is damaged.
    """
    checkpoint = read_checkpoint(checkpoint_folder)
    dataset = read_dataset(dataset_folder)
    evaluation = read_evaluation(evaluation_folder, checkpoint=checkpoint, dataset=dataset)
    settings = _with_split(settings, dataset)
    champion = (
        None
        if champion_folder is None
        else open_champion(
            champion_folder,
            texts=calibration_texts(dataset, evaluation.settings),
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


def is_due(evaluated: Artifact, gates: GateSettings, *, has_champion: bool = False) -> bool:
    """Tell whether a report is to be made of an evaluation.

    Where nothing is held out there is nothing to report. A gate or a champion still asks for it,
    and ``make_report`` then says that it cannot be judged.

    Args:
        evaluated: made by ``evaluate``.
        gates: what the model must reach.
        has_champion: whether it is to be compared with one.
    """
    result = evaluated.document.result
    return bool(result["validation"] or result["test"]) or has_champion or any_is_set(gates)


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


def _with_split(settings: ReportSettings, dataset: Dataset) -> ReportSettings:
    """Let the report describe the other split when its own has no utterance with an intent."""
    judging = [
        name
        for name, split in (("test", dataset.test), ("validation", dataset.validation))
        if split.in_scope().texts
    ]
    if not judging:
        raise ArtifactError(
            "the dataset holds out no utterance with an intent, so nothing can be reported: "
            "give a test with --test, or more examples, or set data.test_share above 0"
        )
    if settings.split in judging:
        return settings
    logger.warning(
        "the dataset has no %s with intents; the report describes the %s",
        settings.split,
        judging[0],
    )
    return msgspec.structs.replace(settings, split=judging[0])
