"""Tasks of the namespace ``data``."""

from __future__ import annotations

from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors, showing_progress
from edge_runtime.settings import load_settings
from trainer.commands.locations import BUILD, DATA_HELP, DATASETS, EXAMPLE
from trainer.config import DEFAULTS, CheckSettings, DataSettings, TrainSettings

__all__ = ["namespace"]


@task(
    help={
        "data": DATA_HELP,
        "test": "utterances for the test alone, in the same forms",
        "folder": "the dataset's folder: a path or s3:// URI",
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
    from trainer.dataset_location import build_dataset_at

    with reporting_errors(), showing_progress() as progress:
        settings = load_settings(
            DataSettings,
            "data",
            defaults=DEFAULTS,
            project_folder=Path.cwd(),
            flags={"seed": seed},
        )
        artifact = build_dataset_at(
            data,
            folder,
            settings=settings,
            cache=DATASETS,
            test_location=test,
            progress=progress,
        )
    result = artifact.document.result
    changes = f"{folder.rstrip('/')}.changes.jsonl"
    if json:
        print_json({"folder": folder, "skipped": artifact.skipped, "changes": changes, **result})
        return
    state = "up to date" if artifact.skipped else "built"
    print(
        f"{folder}: {state}: {result['intents']} intents, {result['train']} training, "
        f"{result['validation']} validation, {result['test']} test utterances; "
        f"every change stands in {changes}"
    )


@task(
    help={
        "location": DATA_HELP,
        "test": "utterances for the test alone, in the same forms",
        "report": "the report's folder: a path or s3:// URI",
        "suites": "your own expectations, in the form of trainer/data_checks/expectations.json",
        "json": "print one JSON object",
    }
)
def check(
    _: Context,
    location: str,
    test: str | None = None,
    report: str = str(BUILD / "check"),
    suites: str | None = None,
    *,
    json: bool = False,
) -> None:
    """Report everything that is odd about utterances, and refuse nothing."""
    from trainer.data_checks.check import check_data
    from trainer.data_checks.expectations import SUITES
    from trainer.data_checks.report import write_report

    with reporting_errors(), showing_progress() as progress:
        project = Path.cwd()
        result = check_data(
            location,
            data_settings=load_settings(
                DataSettings, "data", defaults=DEFAULTS, project_folder=project
            ),
            train_settings=load_settings(
                TrainSettings, "train", defaults=DEFAULTS, project_folder=project
            ),
            settings=load_settings(
                CheckSettings, "check", defaults=DEFAULTS, project_folder=project
            ),
            test_location=test,
            suites=SUITES if suites is None else Path(suites),
            progress=progress,
        )
        found = write_report(result, report)
    if json:
        print_json(found)
        return
    for finding in found.findings:
        skipped = f" (not looked for: {finding.skipped})" if finding.skipped else ""
        print(f"{finding.level:8} {finding.rule:28} {finding.count:8}  {finding.meaning}{skipped}")
    missed = sum(not one.met for one in found.expectations)
    builds = "a dataset can be built" if found.builds else "data.build would refuse them"
    print(
        f"{location}: {found.utterances} utterances, {builds}; {missed} of "
        f"{len(found.expectations)} expectations are not met; see {report}/index.html"
    )


@task(
    help={
        "location": DATA_HELP,
        "output": "where to: a path or s3:// URI that ends in .csv, .jsonl or .parquet",
        "contradictions": "one text under two intents: keep, drop, or majority",
        "repair_mojibake": "decode texts anew that were decoded wrongly",
        "drop": "rules of data.check, with commas between them, whose rows go",
        "changes": "where every changed or dropped row is told of; OUTPUT.changes.jsonl by default",
        "json": "print one JSON object",
    }
)
def clean(
    _: Context,
    location: str,
    output: str,
    contradictions: str = "keep",
    drop: str = "",
    changes: str | None = None,
    *,
    repair_mojibake: bool = False,
    json: bool = False,
) -> None:
    """Normalise utterances, drop duplicates and what is named, and tell of every row."""
    from trainer.data_checks.clean import clean_utterances

    with reporting_errors(), showing_progress() as progress:
        project = Path.cwd()
        result = clean_utterances(
            location,
            output,
            data_settings=load_settings(
                DataSettings, "data", defaults=DEFAULTS, project_folder=project
            ),
            train_settings=load_settings(
                TrainSettings, "train", defaults=DEFAULTS, project_folder=project
            ),
            settings=load_settings(
                CheckSettings, "check", defaults=DEFAULTS, project_folder=project
            ),
            contradictions=contradictions,
            repair=repair_mojibake,
            drop=tuple(rule.strip() for rule in drop.split(",") if rule.strip()),
            changes=changes,
            progress=progress,
        )
    if json:
        print_json(result)
        return
    for action, counts in (("changed", result.changed), ("dropped", result.dropped)):
        for rule, count in counts.items():
            print(f"{action:8} {rule:28} {count:8}")
    for file, names in result.columns_dropped.items():
        print(f"{'dropped':8} {'column':28} {len(names):8}  of {file}: {', '.join(names)}")
    for rule, count in result.left.items():
        print(f"{'left':8} {rule:28} {count:8}  data.build would refuse this")
    print(
        f"{output}: {result.written} of {result.read} utterances; "
        f"every change stands in {result.changes}"
    )


namespace = Collection("data", build, check, clean)
