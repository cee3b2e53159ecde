"""The run of one training, written while it goes on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from edge_runtime.artifact import Artifact
from trainer.config import TrackSettings
from trainer.errors import TrackingError
from trainer.tracking.energy import Cost, CostMeter, check_country
from trainer.tracking.fields import (
    CHECKPOINT,
    INPUTS,
    LAST_EPOCH,
    PLACE,
    cost_measurements,
    cost_of,
    cost_tags,
    epoch_measurements,
    flat_settings,
    inputs_digest,
    name_of_run,
    numbered_passes,
    place_of,
    training_tags,
)
from trainer.tracking.tracker import Tracker

if TYPE_CHECKING:
    from trainer.training_state import EpochRecord

__all__ = ["TrainingRecord", "close_training"]

# Small, and they say what was trained. The weights are a setting.
_FILES = ("checkpoint.json", "labels.json", "config.json", "text.json")
_MANY = 1000


class TrainingRecord:
    """Watches one training: the observer that ``Recorder.training`` gives.

    Args:
        tracker: ``None`` records nothing.
        folder: the checkpoint's.
        settings: see ``TrackSettings``.
        log_every_s: seconds between two writes, at least.
        forgiving: gives a block that may fail at recording.
    """

    def __init__(
        self,
        tracker: Tracker | None,
        folder: Path,
        *,
        settings: TrackSettings,
        log_every_s: float,
        forgiving: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._tracker, self._folder, self._settings = tracker, folder, settings
        self._every_s, self._forgiving = log_every_s, forgiving
        self._inputs: Mapping[str, Any] = {}
        self._resumed = False
        self._meter: CostMeter | None = None
        self._run: str | None = None
        self._before = Cost(seconds=0.0)
        self._cost_tags: dict[str, str] = {}
        self._written = 0  # the last pass that the run has
        self._waiting: list[tuple[int, EpochRecord]] = []
        self._is_down = False
        self._wrote_at = time.monotonic()

    @property
    def has_run(self) -> bool:
        """Whether this training is recorded."""
        return self._run is not None

    def begin(self, inputs: Mapping[str, Any], *, resumed: bool) -> None:
        """See ``TrainingObserver``.

        Raises:
            SettingsError: ``track.country`` is none whose electricity is known.
        """
        if self._tracker is None:
            return
        check_country(self._settings.country)
        self._inputs, self._resumed = inputs, resumed
        self._meter = CostMeter(country=self._settings.country)
        self._cost_tags = cost_tags(self._meter.read())
        with self._trying(self._tracker) as tracker:
            self._open(tracker)

    def epoch(self, number: int, record: EpochRecord) -> None:
        """See ``TrainingObserver``."""
        if self._tracker is None:
            return
        # A resumed training repeats passes that the run has, with the same values.
        if number > self._written:
            self._waiting.append((number, record))
        is_due = time.monotonic() - self._wrote_at >= self._every_s
        # A server that does not answer costs seconds; it is asked again at the end.
        if is_due and not self._is_down and self._run is not None and self._meter is not None:
            with self._trying(self._tracker) as tracker:
                self._write(tracker, self._run, self._meter.read())

    def finish(self, trained: Artifact) -> Cost | None:
        """Close the run of a training that succeeded.

        Returns:
            What the training took; ``None`` when it was up to date or is not recorded.
        """
        if self._tracker is None or self._meter is None:
            return None
        cost = self._meter.stop()
        self._meter = None
        with self._trying(self._tracker) as tracker:
            run = self._run or self._open(tracker)
            # The checkpoint knows every pass, also those that could not be written.
            passes = numbered_passes(trained.document.result)
            self._waiting = [one for one in passes if one[0] > self._written]
            self._write(tracker, run, cost)
            close_training(tracker, run, trained, settings=self._settings)
        return cost.plus(self._before)

    def break_off(self, status: Literal["failed", "killed"]) -> None:
        """Mark the run of a training that came to no end."""
        if self._tracker is None or self._meter is None:
            return
        cost = self._meter.stop()
        self._meter = None
        if self._run is None or self._is_down:
            return
        with self._trying(self._tracker) as tracker:
            self._write(tracker, self._run, cost)
            tracker.set_status(self._run, status)

    @contextlib.contextmanager
    def _trying(self, tracker: Tracker) -> Iterator[Tracker]:
        with self._forgiving():
            try:
                yield tracker
            except TrackingError:
                self._is_down = True
                raise

    def _open(self, tracker: Tracker) -> str:
        """Take up the run of a killed training, or begin one."""
        place = place_of(self._folder)
        digest = inputs_digest(self._inputs)
        # One training at a time writes to a folder: what seems to run there is dead.
        dead = tracker.runs(tags={PLACE: place}, limit=_MANY)
        mine = [one for one in dead if one.status != "finished" and one.tags.get(INPUTS) == digest]
        own = mine[0] if self._resumed and mine else None
        for one in dead:
            if one.status == "running" and one is not own:
                tracker.set_status(one.id, "killed")
        if own is None:
            settings = msgspec.to_builtins(self._inputs["settings"])
            self._run = tracker.begin(
                name_of_run(self._folder),
                params=flat_settings("train", settings),
                tags={
                    **training_tags(self._folder, self._inputs),
                    **self._cost_tags,
                },
            )
        else:
            tracker.set_status(own.id, "running")
            self._run = own.id
            self._before = cost_of(own) or self._before
            self._written = int(own.metrics.get(LAST_EPOCH, 0))
        return self._run

    def _write(self, tracker: Tracker, run: str, cost: Cost) -> None:
        """Write the passes that wait, and what it took until now."""
        last = self._waiting[-1][0] if self._waiting else self._written
        total = cost.plus(self._before)
        tracker.log(
            run,
            metrics=[*epoch_measurements(self._waiting), *cost_measurements(total, step=last)],
        )
        self._written, self._waiting = last, []
        self._wrote_at = time.monotonic()


def close_training(
    tracker: Tracker, run: str, trained: Artifact, *, settings: TrackSettings
) -> None:
    """Give a run what the finished checkpoint says, and its files."""
    counts = {
        f"edgewise.{name}": str(value)
        for name, value in trained.document.result.items()
        if isinstance(value, int)
    }
    tracker.log(run, tags={CHECKPOINT: trained.digest, **counts})
    tracker.set_status(run, "finished")
    for name in _FILES:
        if (trained.folder / name).is_file():
            tracker.attach(run, trained.folder / name)
    if settings.log_checkpoint == "always":
        tracker.attach(run, trained.folder, folder="checkpoint")
