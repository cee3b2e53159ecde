"""The Invoke root of edgewise: the namespaces, and the whole line on one page.

``inv --list`` shows every task; ``inv --help TASK`` explains one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from compiler.commands import benchmarks as compiled_benchmarks
from compiler.commands import bundling, compiling, intents
from compiler.config import load_judging_settings, load_line_settings
from edge_runtime.console import (
    Progress,
    no_progress,
    print_json,
    reporting_errors,
    showing_progress,
)
from edge_runtime.errors import SettingsError
from edge_runtime.storage import canonical_json, write_atomically
from greengrass_components.commands import cloud, component, device, infra
from greengrass_components.config import load_component_settings
from trainer.commands import benchmarks, data, evaluation, training
from trainer.commands.locations import DATA_HELP, EXAMPLE
from trainer.commands.recording import recorder_of_project, tell_custom_metrics

ROOT = Path(__file__).resolve().parent
BUILD = Path("build")
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
COMPONENTS_SOURCE = "greengrass-components/src/greengrass_components"


class PipelineResult(msgspec.Struct, frozen=True):
    """What ``build/<name>/pipeline.json`` holds."""

    name: str
    """The model's name."""
    seconds: dict[str, float]
    """Stage -> wall time, in seconds."""
    skipped: list[str]
    """Stages that were up to date."""
    dataset: dict[str, Any]
    """sha256, intents, train, validation, test: utterances in scope."""
    test: dict[str, Any]
    """accuracy, macro_f1, oos_auroc of the trained model on the test; null without one."""
    variants: list[dict[str, Any]]
    """name, format, precision, bytes, accuracy (on the test; null without one), changed_answers,
    max_logit_difference, p50_ms."""
    refused: list[dict[str, Any]]
    """name and reasons of each variant that is not in the bundle, because its gate refused it."""
    component: dict[str, Any]
    """name, version, and the live answer: text, intent, confidence."""


def run_pipeline(
    data: str,
    name: str,
    *,
    test: str | None = None,
    build: Path = BUILD,
    say: Callable[[str], None] = lambda _: None,
    progress: Progress = no_progress,
) -> PipelineResult:
    """Data -> train -> eval -> report -> compile -> bundle -> component -> run.

    What is up to date is skipped.

    Args:
        data: utterances; see ``trainer.dataset.build_dataset``.
        name: the model's name; everything goes to ``<build>/<name>/``.
        test: utterances for the test alone.
        build: parent of all results.
        say: told a line at the start and the end of each stage.
        progress: told each step of long work.

    Raises:
        QualityGateError: the trained model misses a gate; see the report.
        EdgeError: see the stages.
    """
    from compiler.compile import read_compiled
    from compiler.latency import measure_latency
    from compiler.line import Stages, build_line
    from greengrass_components.component import build_components
    from greengrass_components.local_nucleus_trial import run_components, trial_root
    from trainer.dataset import build_dataset

    if not NAME_PATTERN.fullmatch(name):
        raise SettingsError(
            f"the name {name!r} cannot be used: take up to 40 small letters, digits and hyphens"
        )
    project = Path.cwd()
    settings = load_line_settings(project_folder=project)
    judging = load_judging_settings(project_folder=project)
    of_components = load_component_settings(project_folder=project)
    folder = build / name
    dataset, components = folder / "dataset", folder / "component"
    stages = Stages(say)

    built = stages.run(
        "data",
        lambda: build_dataset(
            data, dataset, settings=settings.data, test_location=test, progress=progress
        ),
    )
    line = build_line(
        dataset,
        folder,
        name=name,
        settings=settings,
        judging=judging,
        recorder=recorder_of_project(build),
        published=tell_custom_metrics,
        stages=stages,
        progress=progress,
    )
    latency = stages.run(
        "latency",
        lambda: measure_latency(line.bundled.bundle, folder / "latency", progress=progress),
    )
    stages.run(
        "component",
        lambda: build_components(
            folder / "bundle",
            components,
            settings=of_components,
            project=ROOT,
            cache=project / build / "cache" / "wheels",
            progress=progress,
        ),
    )
    with trial_root(folder / "component-nucleus") as root:
        live = stages.run("run", lambda: run_components(components, root=root))

    compiled_document, variants = read_compiled(folder / "compiled")
    refused = compiled_document.document.result["refused"]
    for one in refused:
        say(f"variant {one['name']} is left out: {'; '.join(one['reasons'])}")
    measured = line.evaluated.document.result["test"] or {}
    counts = built.document.result
    result = PipelineResult(
        name=name,
        seconds=stages.seconds,
        skipped=stages.skipped,
        dataset={
            "sha256": built.digest,
            **{key: counts[key] for key in ("intents", "train", "validation", "test")},
        },
        test={
            "accuracy": measured.get("in_scope_accuracy"),
            "macro_f1": measured.get("macro_f1"),
            "oos_auroc": measured.get("oos_auroc"),
        },
        variants=[
            {
                "name": variant.name,
                "format": variant.format,
                "precision": variant.precision,
                "bytes": variant.bytes,
                **msgspec.to_builtins(variant.quality),
                "p50_ms": latency.document.result[variant.name]["p50_ms"],
            }
            for variant in variants
        ],
        refused=refused,
        component={
            "name": live.name,
            "version": live.version,
            "answer": {key: live.answer[key] for key in ("text", "intent", "confidence")},
        },
    )
    write_atomically(folder / "pipeline.json", canonical_json(result))
    return result


def print_summary(result: PipelineResult, build: Path = BUILD) -> None:
    """Print the table that ends a pipeline."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=100)
    auroc = result.test["oos_auroc"]
    found = f", out-of-scope AUROC {auroc:.3f}" if auroc is not None else ""
    measured = "nothing tells how good it is"
    if result.test["accuracy"] is not None:
        measured = (
            f"test accuracy {result.test['accuracy']:.2%}, "
            f"macro-F1 {result.test['macro_f1']:.3f}{found}"
        )
    console.print(
        f"\n[bold]{result.name}[/bold]: {result.dataset['intents']} intents, "
        f"{result.dataset['train']} training and {result.dataset['test']} test utterances; "
        f"{measured}"
    )
    table = Table(
        "variant", "file", "size", "accuracy", "changed answers", "max logit diff.", "p50"
    )
    for variant in result.variants:
        table.add_row(
            variant["name"],
            f"{variant['format']} {variant['precision']}",
            f"{variant['bytes'] / 1e6:.1f} MB",
            "" if variant["accuracy"] is None else f"{variant['accuracy']:.2%}",
            f"{variant['changed_answers']:.2%}",
            f"{variant['max_logit_difference']:.2g}",
            f"{variant['p50_ms']:.2f} ms",
        )
    console.print(table)
    for refused in result.refused:
        console.print(f"left out: {refused['name']}: {'; '.join(refused['reasons'])}")
    answer = result.component["answer"]
    said = answer["intent"] or "out of scope"
    console.print(
        f"{result.component['name']} {result.component['version']} answered live: "
        f"{answer['text']!r} -> [bold]{said}[/bold] ({answer['confidence']:.1%})"
    )
    times = ", ".join(
        f"{stage} {seconds:.1f} s{' (skipped)' if stage in result.skipped else ''}"
        for stage, seconds in result.seconds.items()
    )
    console.print(f"{times}; total {sum(result.seconds.values()):.1f} s")
    console.print(f"results: {build / result.name / 'pipeline.json'}")


@task(
    help={
        "data": DATA_HELP,
        "test": "utterances for the test alone, in the same forms",
        "name": "the model's name; results go to build/<name>/",
        "json": "print one JSON object: the content of pipeline.json",
    }
)
def pipeline(
    _: Context,
    data: str = str(EXAMPLE),
    test: str | None = None,
    name: str = "smart-home",
    *,
    json: bool = False,
) -> None:
    """Run the whole line: utterances in, a live answer from an edge component out."""
    import sys

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    with reporting_errors(), showing_progress() as progress:
        result = run_pipeline(data, name, test=test, say=say, progress=progress)
    if json:
        print_json(result)
    else:
        print_summary(result)


@task(
    help={
        "quick": "leave out what takes long: the tests marked slow or terraform",
        "only": "run pytest alone, with this expression for its -k",
    }
)
def test(context: Context, *, quick: bool = False, only: str = "") -> None:
    """Check style, types and layers, and run the tests."""
    import sys

    # No test may reach for a model hub, and none of them needs one.
    environment = {"HF_HUB_OFFLINE": "1"}
    interpreter = f'"{sys.executable}"'
    python = f"{interpreter} -m"
    typed = "trainer compiler tasks.py edge-runtime/src/edge_runtime"
    checks = [
        ("ruff check", f"{python} ruff check --quiet ."),
        ("ruff format", f"{python} ruff format --quiet --check ."),
        ("mypy", f"{python} mypy --no-error-summary {typed} {COMPONENTS_SOURCE}"),
        ("import-linter", f'"{Path(sys.executable).with_name("lint-imports")}"'),
    ]
    # A file stays in one process, because its tests share what is slow to start.
    shared_out = "-n logical --maxprocesses 4 --dist loadfile"
    suites = [("pytest, the quick part", f'{shared_out} -m "not slow and not terraform"')]
    if not quick:
        # Much of this part waits, for Terraform's provider above all: more processes than
        # processors. The longest files come first and keep their order; a class of tests may go
        # to another process than the rest of its file.
        slow_part = '-n 3 --dist loadscope --no-loadscope-reorder -m "slow or terraform"'
        suites.append(("pytest, the slow part", slow_part))
    if only:
        checks, suites = [], [("pytest", f'-k "{only}"')]
    steps = checks + [(title, f"{python} pytest -q {flags}") for title, flags in suites]
    if not quick and not only:
        steps.insert(0, ("programs", f"{interpreter} tests/install_programs.py"))
        # A test whose program could not be installed then fails, and is not skipped.
        environment["EDGEWISE_ALL_TESTS"] = "1"
    # Each of pytest's processes has a processor at best: more threads would only wait for it.
    environment["OMP_NUM_THREADS"] = "1"
    with context.cd(str(ROOT)):
        for title, command in steps:
            start = time.monotonic()
            print(f"== {title}", flush=True)
            done = context.run(command, env=environment, warn=True, pty=False)
            print(f"== {title}: {time.monotonic() - start:.0f} s", flush=True)
            if done is None or done.exited:
                raise SystemExit(1)


@task(help={"json": "print one JSON object"})
def doctor(_: Context, *, json: bool = False) -> None:
    """Tell what this machine has and what is missing, without changing anything."""
    from greengrass_components.doctor import examine

    with reporting_errors():
        findings = examine(ROOT)
    if json:
        print_json({"findings": findings})
    else:
        for finding in findings:
            mark = {"ok": "ok     ", "missing": "MISSING", "optional": "-      "}[finding.state]
            print(f"{mark} {finding.what}: {finding.detail}")
    if any(finding.state == "missing" for finding in findings):
        raise SystemExit(1)


benchmarks.namespace.add_task(compiled_benchmarks.quality)
benchmarks.namespace.add_task(compiled_benchmarks.added_intent)
namespace = Collection(
    pipeline,
    test,
    doctor,
    data.namespace,
    training.namespace,
    evaluation.namespace,
    benchmarks.namespace,
    compiling.namespace,
    bundling.namespace,
    intents.namespace,
    component.namespace,
    device.namespace,
    infra.namespace,
    cloud.namespace,
)
