"""Tasks of the namespace ``eval``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors, showing_progress
from edge_runtime.settings import load_settings
from trainer.commands.locations import BUILD, DATASET_HELP, find_dataset
from trainer.commands.recording import recorder_of_project, tell_custom_metrics
from trainer.config import DEFAULTS, CalibrationSettings, GateSettings, ReportSettings

if TYPE_CHECKING:
    from trainer.report import Report

__all__ = ["namespace"]


@task(
    default=True,
    name="run",
    help={
        "checkpoint": "what train.run made",
        "dataset": DATASET_HELP,
        "folder": "the evaluation's folder",
        "report": "the report's folder; by default the evaluation's with -report added",
        "against": "the champion, a checkpoint's or a bundle's folder; a worse model is refused",
        "json": "print one JSON object",
    },
)
def evaluate_checkpoint(
    _: Context,
    checkpoint: str = str(BUILD / "smart-home" / "checkpoint"),
    dataset: str = str(BUILD / "smart-home" / "dataset"),
    folder: str = str(BUILD / "smart-home" / "evaluation"),
    report: str | None = None,
    against: str | None = None,
    *,
    json: bool = False,
) -> None:
    """Measure a checkpoint, write a report; exit 3 when a quality gate or the champion refuses."""
    from trainer.evaluate import evaluate
    from trainer.report import PAGE, is_due, make_report, read_report, refuse

    with reporting_errors():
        project = Path.cwd()
        place = Path(report) if report else Path(folder).with_name(f"{Path(folder).name}-report")
        calibration = load_settings(
            CalibrationSettings, "calibration", defaults=DEFAULTS, project_folder=project
        )
        of_report = load_settings(
            ReportSettings, "report", defaults=DEFAULTS, project_folder=project
        )
        gates = load_settings(GateSettings, "gates", defaults=DEFAULTS, project_folder=project)
        recorder = recorder_of_project()
        data = find_dataset(dataset)
        with showing_progress() as progress:
            artifact = evaluate(
                Path(checkpoint),
                data,
                Path(folder),
                settings=calibration,
                progress=progress,
            )
            made = None
            if is_due(artifact, gates, has_champion=against is not None):
                made = make_report(
                    Path(checkpoint),
                    data,
                    Path(folder),
                    place,
                    settings=of_report,
                    gates=gates,
                    champion_folder=Path(against) if against else None,
                    progress=progress,
                )
        tell_custom_metrics(recorder.evaluation(artifact, Path(checkpoint), report=made))
        found = None if made is None else read_report(place)
        page = place / PAGE
        if json:
            print_json(
                {
                    "folder": folder,
                    "skipped": artifact.skipped and (made is None or made.skipped),
                    **artifact.document.result,
                    "page": None if found is None else str(page),
                    "report": found,
                }
            )
        else:
            _print_measures(artifact.document.result)
            if found is None:
                print("report: left out, the dataset holds out nothing to judge the model by")
            else:
                _print_report(found, page)
        if found is not None:
            refuse(found, where=str(page))


def _print_measures(result: dict[str, Any]) -> None:
    for split in ("validation", "test"):
        measures = result[split]
        if measures is None:
            print(f"{split}: no utterance with an intent is held out")
            continue
        auroc = measures["oos_auroc"]
        told = f", out-of-scope AUROC {auroc:.3f}" if auroc is not None else ""
        print(
            f"{split}: accuracy {measures['in_scope_accuracy']:.2%}, "
            f"macro-F1 {measures['macro_f1']:.3f}{told}"
        )


def _print_report(report: Report, page: Path) -> None:
    for gate in report.gates:
        found = f"cannot be judged: {gate.missing}" if gate.found is None else f"{gate.found:.4f}"
        print(f"gate {gate.name} {gate.limit:g}: {found}, {'passed' if gate.passed else 'missed'}")
    if report.comparison is not None:
        for what, one in (
            ("in-scope accuracy", report.comparison.in_scope),
            ("overall accuracy", report.comparison.overall),
        ):
            print(
                f"against {report.comparison.name}: {what} {one.challenger:.2%}, champion "
                f"{one.champion:.2%}, p {one.p_value:.2g}: {one.verdict}"
            )
    print(f"report: {page}")


namespace = Collection("eval", evaluate_checkpoint)
