"""Tasks of the namespaces ``compile``, ``bundle`` and ``intent``."""

from __future__ import annotations

from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from compiler.config import DEFAULTS, BundleSettings, CompileSettings
from edge_runtime.console import print_json, reporting_errors, showing_progress
from edge_runtime.settings import load_settings

__all__ = ["bundling", "compiling", "intents"]

_LINE = Path("build") / "smart-home"
_CHECKPOINT = str(_LINE / "checkpoint")
_DATASET = str(_LINE / "dataset")
_EVALUATION = str(_LINE / "evaluation")
_COMPILED = str(_LINE / "compiled")
_HELP = {
    "checkpoint": "what train.run made",
    "dataset": "what data.build made",
    "evaluation": "what eval.run made",
    "json": "print one JSON object",
}


@task(default=True, help={**_HELP, "folder": "the folder for the variants"})
def run(
    _: Context,
    checkpoint: str = _CHECKPOINT,
    dataset: str = _DATASET,
    evaluation: str = _EVALUATION,
    folder: str = _COMPILED,
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
            Path(dataset),
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
        test = variant["test"]
        print(
            f"  {variant['name']}: {variant['bytes'] / 1e6:.1f} MB, "
            f"test accuracy {test['accuracy']:.2%}, changed answers "
            f"{test['changed_answers']:.2%}, logits within {test['max_logit_difference']:.2g}"
        )
    for refused in result["refused"]:
        print(f"  {refused['name']}: refused: {'; '.join(refused['reasons'])}")


@task(
    help={
        **_HELP,
        "compiled": "what compile.run made",
        "folder": "the bundle's folder",
        "name": "the model's name",
        "version": "semantic version",
    }
)
def make(
    _: Context,
    compiled: str = _COMPILED,
    checkpoint: str = _CHECKPOINT,
    dataset: str = _DATASET,
    evaluation: str = _EVALUATION,
    folder: str = str(_LINE / "bundle"),
    name: str = _LINE.name,
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
            Path(dataset),
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


@task(
    help={
        "name": "the new intent",
        "examples": "a text file with one example a line; five or more are better",
        "bundle": "the bundle to start from; it is not changed",
        "folder": "the new bundle's folder; by default the bundle's with -with-NAME added",
        "version": "of the new bundle; by default the next minor version",
        "json": "print one JSON object",
    }
)
def add(
    _: Context,
    name: str,
    examples: str,
    bundle: str = str(_LINE / "bundle"),
    folder: str | None = None,
    version: str | None = None,
    *,
    json: bool = False,
) -> None:
    """Make a bundle with one more intent, from a few examples, without training."""
    from compiler.intent_addition import add_intent, read_examples

    with reporting_errors():
        source = Path(bundle)
        added = add_intent(
            source,
            Path(folder) if folder else source.with_name(f"{source.name}-with-{name}"),
            intent=name,
            examples=read_examples(Path(examples)),
            version=version,
        )
    manifest = added.bundle.manifest
    if json:
        print_json(
            {
                "folder": str(added.bundle.path),
                "name": manifest.name,
                "version": manifest.version,
                "digest": manifest.digest,
                "intent": added.intent,
                "examples": added.examples,
                "recognised": added.recognised,
            }
        )
        return
    print(
        f"{added.bundle.path}: {manifest.name} {manifest.version}: {added.intent} from "
        f"{added.examples} examples, {added.recognised} of which it recognises"
    )


@task(
    name="intent",
    help={
        "data": "utterances, as data.build takes them",
        "intents": "how many are left out of training, and added one at a time",
        "examples": "utterances that each is made from",
        "seed": "which intents, and which utterances",
        "folder": "where everything is kept; what is up to date there is not made again",
        "json": "print one JSON object",
    },
)
def benchmark_intent(
    _: Context,
    data: str,
    intents: int = 10,
    examples: int = 10,
    seed: int = 1,
    folder: str = "build/bench/intent",
    *,
    json: bool = False,
) -> None:
    """Measure what an intent that is added without training costs the others."""
    from compiler.intent_benchmark import LineSettings, benchmark_addition
    from trainer.config import DEFAULTS as TRAINER_DEFAULTS
    from trainer.config import CalibrationSettings, DataSettings, TrainSettings

    with reporting_errors(), showing_progress() as progress:
        project = Path.cwd()
        result = benchmark_addition(
            data,
            Path(folder),
            intents=intents,
            examples=examples,
            seed=seed,
            settings=LineSettings(
                load_settings(
                    DataSettings, "data", defaults=TRAINER_DEFAULTS, project_folder=project
                ),
                load_settings(
                    TrainSettings, "train", defaults=TRAINER_DEFAULTS, project_folder=project
                ),
                load_settings(
                    CalibrationSettings,
                    "calibration",
                    defaults=TRAINER_DEFAULTS,
                    project_folder=project,
                ),
                load_settings(
                    CompileSettings, "compile", defaults=DEFAULTS, project_folder=project
                ),
                load_settings(BundleSettings, "bundle", defaults=DEFAULTS, project_folder=project),
            ),
            progress=progress,
        )
    if json:
        print_json(result)
        return
    print(
        f"others {result.others_before:.2%}, down by {result.others_fall.mean:.2%} (at most "
        f"{max(result.others_fall.values):.2%}); the new intent finds {result.found.mean:.2%} of "
        f"its own; {result.seconds.median:.2f} s an addition; {len(result.refused)} refused"
    )


compiling = Collection("compile", run)
bundling = Collection("bundle", make)
intents = Collection("intent", add)
