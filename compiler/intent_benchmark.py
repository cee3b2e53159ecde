"""What an intent that is added without training costs the others, and how well it is found."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from compiler.config import IntentSettings, LineSettings
from compiler.errors import NotRecognisedError
from compiler.intent_addition import add_intent
from compiler.line import build_line
from edge_runtime.artifact import produce_artifact
from edge_runtime.bundle import open_bundle, read_bundle_head
from edge_runtime.classifier import IntentClassifier
from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import SettingsError
from edge_runtime.session import choose_variant
from edge_runtime.storage import write_atomically
from trainer.calibration import predict
from trainer.dataset import Dataset, Split, build_dataset, read_dataset, write_dataset
from trainer.errors import MeasuringError
from trainer.held_out import require_test
from trainer.quality_benchmark import Spread, spread_of

__all__ = ["AdditionResult", "Answered", "benchmark_addition"]

_KIND = "dataset"
_REVISION = 1
_NAME = "benchmark"


class _Embedded(NamedTuple):
    """A split as one variant sees it."""

    variant: str
    rows: NDArray[np.float32]
    intents: list[str | None]


class Answered(msgspec.Struct, frozen=True):
    """How utterances of some intents are answered; shares of them, 0 to 1."""

    accuracy: float
    """Whose best intent is right, whatever the threshold."""
    answered: float
    """That a device answers rightly: the best intent is right, and not below the threshold."""
    rejected: float
    """That are called out of scope."""


class AdditionResult(msgspec.Struct, frozen=True):
    """What ``bench.intent`` prints; measured on the test, with the first variant."""

    before: Answered
    """The intents that were trained, before one was added."""
    others_fall: Spread
    """How much of their accuracy each added intent takes."""
    others_answered_fall: Spread
    """How much of their right answers, the threshold counted."""
    others_rejected: Spread
    """Their share that is called out of scope with each added intent."""
    found: Spread
    """Share of an intent's own test utterances that are answered with it, the threshold counted;
    0 for a refused one."""
    found_best: Spread
    """Share of them whose best intent it is, whatever the threshold; 0 for a refused one."""
    found_rejected: Spread
    """Share of an added intent's own utterances that are called out of scope."""
    seconds: Spread
    """Wall time of each addition."""
    command_seconds: Spread
    """Wall time of the task for each, from its start as a process to its end."""
    intents: tuple[str, ...]
    """Added one at a time, in this order."""
    refused: tuple[str, ...]
    """Intents that could not be added: none of their examples would have been recognised."""
    warned: tuple[str, ...]
    """Intents that were added with a warning: few of their examples are recognised."""
    examples: int
    """Utterances that each was made from."""
    seed: int
    """Of which intents and which utterances."""
    data: str
    """SHA-256 of the dataset, all intents in it."""
    settings: dict[str, Any]
    """Of data, training, calibration, compiling, the bundle and the addition."""


def benchmark_addition(
    location: str,
    folder: Path,
    *,
    intents: int,
    examples: int,
    seed: int,
    settings: LineSettings,
    of_intent: IntentSettings,
    command: Sequence[str],
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
        of_intent: how each is added.
        command: what starts the task ``intent.add``, such as ``python -m invoke intent.add``.
        progress: told each step.

    Raises:
        MeasuringError: the command failed.
        SettingsError: there are too few intents, or utterances of one for training or the test.
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
    require_test(whole, intents=added)
    require_test(_left_of(whole, frozenset(added)))
    given = {intent: _draw(whole.train, intent, examples, chance) for intent in added}
    bundle = _make_bundle(whole, frozenset(added), folder, settings, progress)
    rest = frozenset(whole.labels) - frozenset(added)
    embedded = _embed(bundle, whole.test)
    before = _judge(bundle, embedded, rest)
    after: list[Answered] = []
    own: list[Answered] = []
    seconds, of_command, refused, warned = [], [], [], []
    for number, intent in enumerate(added, start=1):
        start = time.monotonic()
        try:
            addition = add_intent(
                bundle,
                folder / "added",
                intent=intent,
                examples=given[intent],
                settings=settings.data,
                taken=of_intent.taken,
            )
        except NotRecognisedError:
            refused.append(intent)
            continue
        seconds.append(time.monotonic() - start)
        of_command.append(
            _time_command(
                command,
                folder,
                intent=intent,
                examples=given[intent],
                bundle=bundle,
                taken=of_intent.taken,
            )
        )
        if addition.warning:
            warned.append(intent)
        after.append(_judge(folder / "added", embedded, rest))
        own.append(_judge(folder / "added", embedded, frozenset([intent])))
        progress("adding", number, intents, intent)
    if not after:
        raise SettingsError(
            f"none of {intents} intents could be added: each lies within the others; give more "
            "--examples"
        )
    nothing = [0.0] * len(refused)
    return AdditionResult(
        before=before,
        others_fall=spread_of([before.accuracy - one.accuracy for one in after]),
        others_answered_fall=spread_of([before.answered - one.answered for one in after]),
        others_rejected=spread_of([one.rejected for one in after]),
        found=spread_of([one.answered for one in own] + nothing),
        found_best=spread_of([one.accuracy for one in own] + nothing),
        found_rejected=spread_of([one.rejected for one in own]),
        seconds=spread_of(seconds),
        command_seconds=spread_of(of_command),
        intents=tuple(added),
        refused=tuple(refused),
        warned=tuple(warned),
        examples=examples,
        seed=seed,
        data=whole.digest,
        settings={
            **{name: msgspec.to_builtins(one) for name, one in settings._asdict().items()},
            "intent": msgspec.to_builtins(of_intent),
        },
    )


def _draw(split: Split, intent: str, count: int, chance: random.Random) -> list[str]:
    own = _rows(split, frozenset([intent])).texts
    if len(own) < count:
        raise SettingsError(
            f"intent {intent!r} has {len(own)} training utterances, --examples asks for {count}; "
            f"give at most {len(own)}",
            intent=intent,
        )
    return chance.sample(own, count)


def _rows(split: Split, intents: frozenset[str]) -> Split:
    return split.rows([row for row, intent in enumerate(split.intents) if intent in intents])


def _without(split: Split, intents: frozenset[str]) -> Split:
    return split.rows([row for row, intent in enumerate(split.intents) if intent not in intents])


def _left_of(whole: Dataset, left_out: frozenset[str]) -> Dataset:
    return msgspec.structs.replace(
        whole,
        labels=tuple(label for label in whole.labels if label not in left_out),
        train=_without(whole.train, left_out),
        validation=_without(whole.validation, left_out),
        test=_without(whole.test, left_out),
    )


def _make_bundle(
    whole: Dataset,
    left_out: frozenset[str],
    folder: Path,
    settings: LineSettings,
    progress: Progress,
) -> Path:
    dataset = folder / "dataset"

    def make(partial: Path) -> dict[str, Any]:
        kept = _left_of(whole, left_out)
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
    line = build_line(dataset, folder, name=_NAME, settings=settings, progress=progress)
    return line.bundled.bundle.path


def _time_command(
    command: Sequence[str],
    folder: Path,
    *,
    intent: str,
    examples: Sequence[str],
    bundle: Path,
    taken: float,
) -> float:
    file = folder / "examples.txt"
    write_atomically(file, "".join(f"{example}\n" for example in examples).encode())
    flags = {"name": intent, "examples": file, "bundle": bundle, "taken": taken}
    flags["folder"] = folder / "added"
    words = [*command, *(f"--{name}={value}" for name, value in flags.items())]
    start = time.monotonic()
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - start
    if ended.returncode:
        raise MeasuringError(
            f"adding {intent!r} by the task ended with exit code {ended.returncode}: "
            f"{(ended.stderr.strip().splitlines() or ['nothing was said'])[-1]}",
            exit_code=ended.returncode,
        )
    return seconds


def _embed(bundle: Path, split: Split) -> _Embedded:
    # An addition leaves the encoder as it is: one look at every text is enough.
    with IntentClassifier.open(bundle) as classifier:
        rows = np.stack([classifier.embedding(text) for text in split.texts])
        return _Embedded(classifier.variant.name, rows, split.intents)


def _judge(folder: Path, embedded: _Embedded, intents: frozenset[str]) -> Answered:
    bundle = open_bundle(folder)
    labels = bundle.manifest.labels
    variant = choose_variant(bundle.manifest, embedded.variant)
    wanted = [row for row, intent in enumerate(embedded.intents) if intent in intents]
    found = predict(
        embedded.rows[wanted], head=read_bundle_head(bundle), calibration=variant.calibration
    )
    truth = np.array([labels.index(str(embedded.intents[row])) for row in wanted])
    answers = found.answers()
    return Answered(
        accuracy=float((found.logits.argmax(axis=1) == truth).mean()),
        answered=float((answers == truth).mean()),
        rejected=float((answers < 0).mean()),
    )
