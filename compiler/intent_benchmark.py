"""What an intent that is added without training costs the others, and how well it is found."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from compiler.bundle import make_bundle
from compiler.compile import compile_checkpoint
from compiler.config import BundleSettings, CompileSettings
from compiler.errors import IntentAdditionError
from compiler.intent_addition import add_intent
from edge_runtime.artifact import produce_artifact
from edge_runtime.classifier import IntentClassifier
from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import SettingsError
from trainer.config import CalibrationSettings, DataSettings, TrainSettings
from trainer.dataset import Dataset, Split, build_dataset, read_dataset, write_dataset
from trainer.evaluate import evaluate
from trainer.quality_benchmark import Spread, spread_of
from trainer.train import train

__all__ = ["AdditionResult", "LineSettings", "benchmark_addition"]

_KIND = "dataset"
_REVISION = 1
_NAME = "benchmark"


class LineSettings(NamedTuple):
    """The settings of every stage up to the bundle."""

    data: DataSettings
    train: TrainSettings
    calibration: CalibrationSettings
    compile: CompileSettings
    bundle: BundleSettings


class AdditionResult(msgspec.Struct, frozen=True):
    """What ``bench.intent`` prints. Accuracies are of the best intent, on the test."""

    others_before: float
    """Accuracy of the intents that were trained, before one was added."""
    others_fall: Spread
    """How much of it each added intent takes."""
    found: Spread
    """Share of an added intent's own test utterances that it gets."""
    seconds: Spread
    """Wall time of each addition."""
    intents: tuple[str, ...]
    """Added one at a time, in this order."""
    refused: tuple[str, ...]
    """Intents whose addition would have changed a golden sample's answer."""
    examples: int
    """Utterances that each was made from."""


def benchmark_addition(
    location: str,
    folder: Path,
    *,
    intents: int,
    examples: int,
    seed: int,
    settings: LineSettings,
    progress: Progress = no_progress,
) -> AdditionResult:
    """Train without some intents, then add each of them to the bundle, one at a time.

    What is up to date in ``folder`` is not made again.

    Args:
        location: utterances, see ``build_dataset``.
        folder: where everything is kept.
        intents: how many are left out of training.
        examples: training utterances of each that the addition is given.
        seed: of which intents and which utterances.
        settings: of every stage.
        progress: told each step.

    Raises:
        SettingsError: there are too few intents, or utterances of one.
        EdgeError: see the stages.
    """
    build_dataset(location, folder / "whole", settings=settings.data, progress=progress)
    whole = read_dataset(folder / "whole")
    if not 1 <= intents <= len(whole.labels) - 2:
        raise SettingsError(
            f"--intents is {intents}; of {len(whole.labels)} intents 1 to {len(whole.labels) - 2} "
            "can be left out"
        )
    chance = random.Random(seed)  # noqa: S311 - which intents are left out, no secret
    added = chance.sample(whole.labels, intents)
    given = {intent: _draw(whole.train, intent, examples, chance) for intent in added}
    bundle = _make_bundle(whole, frozenset(added), folder, settings, progress)
    others = _rows(whole.test, frozenset(whole.labels) - frozenset(added))
    before = _accuracy(bundle, others)
    falls, found, seconds, refused = [], [], [], []
    for number, intent in enumerate(added, start=1):
        start = time.monotonic()
        try:
            add_intent(bundle, folder / "added", intent=intent, examples=given[intent])
        except IntentAdditionError:
            refused.append(intent)
            continue
        seconds.append(time.monotonic() - start)
        falls.append(before - _accuracy(folder / "added", others))
        found.append(_accuracy(folder / "added", _rows(whole.test, frozenset([intent]))))
        progress("adding", number, intents, intent)
    if not falls:
        raise SettingsError(
            f"none of {intents} intents could be added: each would change a golden sample's "
            "answer; give more --examples"
        )
    return AdditionResult(
        others_before=before,
        others_fall=spread_of(falls),
        found=spread_of(found),
        seconds=spread_of(seconds),
        intents=tuple(added),
        refused=tuple(refused),
        examples=examples,
    )


def _draw(split: Split, intent: str, count: int, chance: random.Random) -> list[str]:
    own = _rows(split, frozenset([intent])).texts
    if len(own) < count:
        raise SettingsError(
            f"intent {intent!r} has {len(own)} training utterances, --examples asks for {count}",
            intent=intent,
        )
    return chance.sample(own, count)


def _rows(split: Split, intents: frozenset[str]) -> Split:
    return split.rows([row for row, intent in enumerate(split.intents) if intent in intents])


def _without(split: Split, intents: frozenset[str]) -> Split:
    return split.rows([row for row, intent in enumerate(split.intents) if intent not in intents])


def _make_bundle(
    whole: Dataset,
    left_out: frozenset[str],
    folder: Path,
    settings: LineSettings,
    progress: Progress,
) -> Path:
    dataset = folder / "dataset"

    def make(partial: Path) -> dict[str, Any]:
        kept = msgspec.structs.replace(
            whole,
            labels=tuple(label for label in whole.labels if label not in left_out),
            train=_without(whole.train, left_out),
            validation=_without(whole.validation, left_out),
            test=_without(whole.test, left_out),
        )
        write_dataset(kept, partial)
        return {"intents": len(kept.labels), "train": len(kept.train.texts)}

    produce_artifact(
        dataset,
        kind=_KIND,
        revision=_REVISION,
        settings={"left_out": sorted(left_out)},
        parents={"dataset": whole.digest},
        make=make,
    )
    checkpoint, evaluation = folder / "checkpoint", folder / "evaluation"
    compiled, bundle = folder / "compiled", folder / "bundle"
    train(dataset, checkpoint, settings=settings.train, progress=progress)
    evaluate(checkpoint, dataset, evaluation, settings=settings.calibration, progress=progress)
    compile_checkpoint(
        checkpoint, dataset, evaluation, compiled, settings=settings.compile, progress=progress
    )
    make_bundle(
        compiled, checkpoint, dataset, evaluation, bundle, name=_NAME, settings=settings.bundle
    )
    return bundle


def _accuracy(bundle: Path, split: Split) -> float:
    with IntentClassifier.open(bundle) as classifier:
        answers = classifier.classify_many(split.texts)
    right = sum(
        answer.candidates[0].intent == intent
        for answer, intent in zip(answers, split.intents, strict=True)
    )
    return right / len(split.texts)
