"""The line from a dataset to a bundle, one stage after the other, each in a folder of its own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from compiler.bundle import BundleResult, make_bundle
from compiler.compile import compile_checkpoint
from compiler.config import JudgingSettings, LineSettings
from edge_runtime.artifact import Artifact
from edge_runtime.console import Progress, no_progress
from trainer.evaluate import evaluate
from trainer.report import PAGE, is_due, make_report, read_report, refuse
from trainer.soup import train_soup
from trainer.train import train

if TYPE_CHECKING:
    from trainer.config import TrainSettings
    from trainer.observer import TrainingObserver
    from trainer.teaching import Teaching
    from trainer.tracking import Recorder

__all__ = ["Line", "Stages", "build_line"]

Result = TypeVar("Result")


class Stages:
    """Runs stages one after the other, timing each and telling which were up to date."""

    def __init__(self, say: Callable[[str], None] = lambda _: None) -> None:
        self.seconds: dict[str, float] = {}
        self.skipped: list[str] = []
        self.say = say

    def run(self, name: str, function: Callable[[], Result]) -> Result:
        """Run one stage; its result may carry ``skipped``."""
        self.say(f"{name} ...")
        start = time.monotonic()
        result = function()
        self.seconds[name] = round(time.monotonic() - start, 3)
        if getattr(result, "skipped", False):
            self.skipped.append(name)
            self.say(f"{name}: up to date, skipped")
        else:
            self.say(f"{name}: {self.seconds[name]:.1f} s")
        return result


class Line(NamedTuple):
    """What the stages made."""

    trained: Artifact
    evaluated: Artifact
    compiled: Artifact
    bundled: BundleResult


def build_line(
    dataset: Path,
    folder: Path,
    *,
    name: str,
    settings: LineSettings,
    judging: JudgingSettings | None = None,
    teaching: Teaching | None = None,
    recorder: Recorder | None = None,
    published: Callable[[int], None] = lambda _: None,
    stages: Stages | None = None,
    progress: Progress = no_progress,
) -> Line:
    """Train, evaluate, report, compile and bundle; what is up to date is not made again.

    Args:
        dataset: made by ``build_dataset``.
        folder: gets ``checkpoint``, ``evaluation``, ``evaluation-report``, ``compiled`` and
            ``bundle``.
        name: the model's name in the bundle.
        settings: of every stage.
        judging: the report, whose gates can refuse the model; without, there is no report. It is
            left out too where the dataset holds out nothing, unless a gate is set.
        teaching: trains a small student of this teacher, in place of the base model.
        recorder: records the training and its evaluation.
        published: told how many metrics of the evaluation went to CloudWatch.
        stages: runs each stage.
        progress: told each step.

    Raises:
        QualityGateError: the trained model misses a gate, or a required variant fails its own.
        EdgeError: see the stages.
    """
    stages = stages or Stages()
    checkpoint, evaluation = folder / "checkpoint", folder / "evaluation"
    compiled, bundle = folder / "compiled", folder / "bundle"

    def train_one(place: Path, own: TrainSettings) -> Artifact:
        with _recording(recorder, place, stages) as (observer, finish):
            made = train(
                dataset,
                place,
                settings=own,
                teaching=teaching,
                observer=observer,
                progress=progress,
            )
            finish(made)
            return made

    trained = stages.run(
        "train",
        lambda: train_soup(
            train_one,
            dataset,
            checkpoint,
            settings=settings.train,
            soup=settings.soup,
            teaching=teaching,
            progress=progress,
        ),
    )
    evaluated = stages.run(
        "eval",
        lambda: evaluate(
            checkpoint, dataset, evaluation, settings=settings.calibration, progress=progress
        ),
    )
    reported = None
    report = folder / "evaluation-report"
    if judging is not None:
        if is_due(evaluated, judging.gates):
            reported = stages.run(
                "report",
                lambda: make_report(
                    checkpoint,
                    dataset,
                    evaluation,
                    report,
                    settings=judging.report,
                    gates=judging.gates,
                    progress=progress,
                ),
            )
        else:
            stages.say("report: left out, the dataset holds out nothing to judge the model by")
    if recorder is not None:
        # A student stands beside its teacher: its measures are not those of the project's model.
        written = recorder.evaluation(
            evaluated, checkpoint, report=reported, publish=teaching is None
        )
        published(written)
    if reported is not None:
        refuse(read_report(report), where=str(report / PAGE))
    made = stages.run(
        "compile",
        lambda: compile_checkpoint(
            checkpoint, dataset, evaluation, compiled, settings=settings.compile, progress=progress
        ),
    )
    bundled = stages.run(
        "bundle",
        lambda: make_bundle(
            compiled, checkpoint, dataset, evaluation, bundle, name=name, settings=settings.bundle
        ),
    )
    return Line(trained, evaluated, made, bundled)


@contextlib.contextmanager
def _recording(
    recorder: Recorder | None, checkpoint: Path, stages: Stages
) -> Iterator[tuple[TrainingObserver | None, Callable[[Artifact], None]]]:
    """What watches the training, and what is told its end."""
    if recorder is None:
        yield None, lambda _: None
        return
    with recorder.training(checkpoint) as record:

        def finish(trained: Artifact) -> None:
            cost = record.finish(trained)
            if cost is not None and (words := cost.in_words()):
                stages.say(f"train: {words}")

        yield record, finish
