"""Tasks of the namespace ``bench`` that compile what they measure."""

from __future__ import annotations

import sys
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from compiler.config import (
    DEFAULTS,
    IntentSettings,
    load_distillation_settings,
    load_line_settings,
)
from edge_runtime.console import print_json, reporting_errors, showing_progress
from edge_runtime.settings import load_settings
from trainer.commands.benchmark_output import OUTPUT_HELP, plan_record
from trainer.commands.locations import DATA_HELP, PROJECT

__all__ = ["added_intent", "quality"]

# What these tasks measure besides the trainer.
_PACKAGE = Path(__file__).resolve().parents[1]


@task(
    help={
        "data": DATA_HELP,
        "test": "utterances for the test alone, in the same forms",
        "protocol": "full, fewshot-5 or fewshot-10",
        "seeds": "how many models",
        "trainings": "how many trainings each model is the mean of, as soup.trainings",
        "student": "measure a student of each model: layers-4, layers-3, layers-2 or static",
        "variant": "measure a compiled form of each model: int8, q8_0 or fp32",
        "folder": "where everything is kept; what is up to date there is not made again",
        "output": OUTPUT_HELP,
        "data_set": "the data set's name in that file; by default that of --data",
        "model": "what is trained, in words, in that file",
        "json": "print one JSON object",
    }
)
def quality(
    _: Context,
    data: str,
    test: str | None = None,
    protocol: str = "full",
    seeds: int = 3,
    trainings: int | None = None,
    student: str | None = None,
    variant: str | None = None,
    folder: str = "build/bench/quality",
    output: str | None = None,
    data_set: str | None = None,
    model: str = "edgewise",
    *,
    json: bool = False,
) -> None:
    """Train with several seeds and measure on the official test."""
    from compiler.variant_quality import variant_to_measure
    from trainer.quality_benchmark import benchmark_quality

    with reporting_errors(), showing_progress() as progress:
        settings = load_line_settings(project_folder=Path.cwd(), trainings=trainings)
        distillation = (
            load_distillation_settings(project_folder=Path.cwd(), tier=student) if student else None
        )
        form = (
            variant_to_measure(
                variant,
                settings=settings.compile,
                student=distillation.tier if distillation else None,
                progress=progress,
            )
            if variant
            else None
        )
        several = settings.soup.trainings
        mean = f"mean-of-{several}" if several > 1 else None
        name = "-".join(part for part in (protocol, student, mean, variant) if part)
        record = plan_record(
            "bench.quality",
            Path(folder) / f"{name}.json",
            output,
            data_set=data_set or Path(data).stem,
            model=model,
            data=Path(data),
            test=Path(test) if test else None,
            student=student,
            variant=variant,
            protocol=protocol,
            seeds=seeds,
            # Also where the setting and not the flag says so: the command has to give the same.
            trainings=several if several > 1 else None,
        )
        result = benchmark_quality(
            data,
            Path(folder),
            protocol=protocol,
            seeds=seeds,
            data_settings=settings.data,
            train_settings=settings.train,
            calibration_settings=settings.calibration,
            soup=settings.soup,
            distillation=distillation,
            variant=form,
            test_location=test,
            progress=progress,
        )
        record.write(result, packages=(_PACKAGE,))
    if json:
        print_json(result)
        return
    for name, spread in result.measures.items():
        values = ", ".join(f"{value:.4f}" for value in spread.values)
        print(f"{name:18} {spread.mean:.4f} +/- {spread.sd:.4f}  ({values})")
    size = f", {result.variant} of {result.bytes / 1e6:.1f} MB" if result.bytes else ""
    took = "" if result.seconds is None else f", {result.seconds:.0f} s a model"
    print(f"{result.parameters / 1e6:.1f} M parameters{size}{took}")
    for missed in result.missed_gates:
        print(f"{result.variant} would not be in a bundle: {missed}")


@task(
    name="intent",
    help={
        "data": "utterances, as data.build takes them",
        "intents": "how many are left out of training, and added one at a time",
        "examples": "utterances that each is made from",
        "seed": "which intents, and which utterances",
        "taken": "share of the other intents' texts that each may take, by estimate",
        "folder": "where everything is kept; what is up to date there is not made again",
        "output": OUTPUT_HELP,
        "data_set": "the data set's name in that file; by default that of --data",
        "model": "what is trained, in words, in that file",
        "json": "print one JSON object",
    },
)
def added_intent(
    _: Context,
    data: str,
    intents: int = 10,
    examples: int = 10,
    seed: int = 1,
    taken: float | None = None,
    folder: str = "build/bench/intent",
    output: str | None = None,
    data_set: str | None = None,
    model: str = "edgewise",
    *,
    json: bool = False,
) -> None:
    """Measure what an intent that is added without training costs the others."""
    from compiler.intent_benchmark import benchmark_addition

    with reporting_errors(), showing_progress() as progress:
        record = plan_record(
            "bench.intent",
            output,
            data_set=data_set or Path(data).stem,
            model=model,
            data=Path(data),
            intents=intents,
            examples=examples,
            seed=seed,
            taken=taken,
        )
        result = benchmark_addition(
            data,
            Path(folder),
            intents=intents,
            examples=examples,
            seed=seed,
            settings=load_line_settings(project_folder=Path.cwd()),
            of_intent=load_settings(
                IntentSettings,
                "intent",
                defaults=DEFAULTS,
                project_folder=Path.cwd(),
                flags={"taken": taken},
            ),
            command=[sys.executable, "-m", "invoke", f"--search-root={PROJECT}", "intent.add"],
            progress=progress,
        )
        record.write(result, packages=(_PACKAGE,))
    if json:
        print_json(result)
        return
    before, falls = result.before, result.others_fall
    print(
        f"others {before.accuracy:.2%} by the best intent, down by {falls.mean:.2%} (at most "
        f"{max(falls.values):.2%}); {before.answered:.2%} are answered with it, down by "
        f"{result.others_answered_fall.mean:.2%}; {before.rejected:.2%} are called out of scope, "
        f"with an addition {result.others_rejected.mean:.2%}"
    )
    print(
        f"a new intent answers {result.found.mean:.2%} of its own, {result.found_best.mean:.2%} by "
        f"the best intent; {result.seconds.median:.2f} s an addition, "
        f"{result.command_seconds.median:.2f} s by a task of its own; {len(result.refused)} of "
        f"{len(result.intents)} refused, {len(result.warned)} with a warning"
    )
