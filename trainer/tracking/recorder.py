"""Records trainings and their evaluations. What cannot be recorded never costs a training."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from edge_runtime.artifact import Artifact, read_artifact
from trainer.config import TrackSettings
from trainer.errors import TrackingError
from trainer.tracking.cloudwatch import CloudWatchMetrics
from trainer.tracking.energy import Cost
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
    name_of_run,
    numbered_passes,
    result_metrics,
    training_tags,
)
from trainer.tracking.mlflow_tracker import MlflowTracker
from trainer.tracking.tracker import Measurement, Run, Tracker
from trainer.tracking.training_record import TrainingRecord, close_training

__all__ = ["Recorder", "open_recorder", "open_tracker"]

_LOG_EVERY_S = 5.0
_FILES = ("evaluation.json", "report.json", "report.html")


class Recorder:
    """Records with a tracker; the first thing that fails is told, and work goes on.

    Args:
        tracker: ``None`` records nothing.
        settings: see ``TrackSettings``.
        warn: told one line when something could not be recorded.
        log_every_s: seconds between two writes while a training runs, at least.
    """

    def __init__(
        self,
        tracker: Tracker | None,
        *,
        settings: TrackSettings,
        warn: Callable[[str], None],
        log_every_s: float = _LOG_EVERY_S,
    ) -> None:
        self._tracker, self._settings, self._warn = tracker, settings, warn
        self._log_every_s = log_every_s
        self._has_warned = False
        self._trained = False

    @contextlib.contextmanager
    def training(self, folder: Path) -> Iterator[TrainingRecord]:
        """Record a training: give the observer for ``train``, whose ``finish`` takes the result.

        An unfinished run of the same training is taken up when the training is; runs that were
        left unfinished in this folder are marked as killed. When the block fails, so does the run.

        Args:
            folder: the checkpoint's.
        """
        record = TrainingRecord(
            self._tracker,
            folder,
            settings=self._settings,
            log_every_s=self._log_every_s,
            forgiving=self._forgiving,
        )
        try:
            yield record
        except BaseException as error:
            record.break_off("killed" if isinstance(error, KeyboardInterrupt) else "failed")
            raise
        self._trained = record.has_run

    def evaluation(
        self,
        evaluated: Artifact,
        checkpoint: Path,
        *,
        report: Artifact | None = None,
        publish: bool = True,
    ) -> int:
        """Add an evaluation to the run of the training that it judges.

        A checkpoint without a run gets one. What was up to date is recorded already, unless a
        training was recorded just before it, or it could not be recorded when it was made: then
        there is an empty file ``<evaluation>.unrecorded``.

        Args:
            evaluated: made by ``evaluate``.
            checkpoint: the folder of what it judges.
            report: a folder of its own with ``report.html`` or ``report.json``.
            publish: send metrics to CloudWatch, where the settings ask for that. There an
                experiment has one value of each: that of the model which is shipped.

        Returns:
            How many metrics went to CloudWatch.
        """
        made = [evaluated] if report is None else [evaluated, report]
        unrecorded = evaluated.folder.with_name(f"{evaluated.folder.name}.unrecorded")
        is_known = all(one.skipped for one in made) and not self._trained
        if self._tracker is None or (is_known and not unrecorded.exists()):
            return 0
        metrics = result_metrics(evaluated.document.result)
        everything = metrics
        with contextlib.suppress(OSError):
            unrecorded.touch()
        with self._forgiving():
            run = self._run_of(self._tracker, evaluated.document.parents["checkpoint"], checkpoint)
            everything = run.metrics | metrics
            self._tracker.log(
                run.id,
                metrics=[Measurement(*item) for item in metrics.items()],
                # A checkpoint may be judged again with others, and a run's params are for ever.
                tags={
                    "edgewise.evaluation": evaluated.digest,
                    **flat_settings("calibration", evaluated.document.settings),
                },
            )
            for path in [one.folder / name for one in made for name in _FILES]:
                if path.is_file():
                    self._tracker.attach(run.id, path)
            with contextlib.suppress(OSError):
                unrecorded.unlink(missing_ok=True)
        return self._publish(everything) if publish else 0

    def cost_of_trainings(self, mean: Artifact) -> Cost | None:
        """What the trainings took whose mean a checkpoint is, also those of an earlier start.

        Args:
            mean: made by ``train_soup``.

        Returns:
            ``None`` when one of them is not recorded.
        """
        cost = None
        if self._tracker is not None:
            with self._forgiving():
                cost = _cost_of_trainings(self._tracker, mean)
        return cost

    def _run_of(self, tracker: Tracker, digest: str, checkpoint: Path) -> Run:
        tags = {CHECKPOINT: digest}
        found = tracker.runs(tags=tags, limit=1)
        if not found:
            trained = read_artifact(checkpoint, "checkpoint")
            document = trained.document
            fields = training_tags(checkpoint, {"settings": document.settings, **document.parents})
            own = {name: fields[name] for name in (PLACE, INPUTS)}
            # A training that was killed between its last byte and its record has one that runs.
            unfinished = [
                one for one in tracker.runs(tags=own, limit=1) if one.status != "finished"
            ]
            if unfinished:
                run, written = unfinished[0].id, int(unfinished[0].metrics.get(LAST_EPOCH, 0))
            else:
                run, written = (
                    tracker.begin(
                        name_of_run(checkpoint),
                        params=flat_settings("train", document.settings),
                        tags=fields,
                    ),
                    0,
                )
            passes = numbered_passes(document.result)
            missing = [one for one in passes if one[0] > written]
            tracker.log(run, metrics=epoch_measurements(missing))
            cost = _cost_of_trainings(tracker, trained)
            if cost is not None:
                tracker.log(run, metrics=cost_measurements(cost, step=0), tags=cost_tags(cost))
            close_training(tracker, run, trained, settings=self._settings)
            found = tracker.runs(tags=tags, limit=1)
        return found[0]

    def _publish(self, metrics: Mapping[str, float]) -> int:
        namespace = self._settings.cloudwatch_namespace
        if namespace is None:
            return 0
        sink = CloudWatchMetrics(namespace, experiment=self._settings.experiment)
        sent = 0
        with self._forgiving():
            sent += sink.publish(metrics)
        return sent

    @contextlib.contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except TrackingError as error:
            if not self._has_warned:
                self._warn(f"{error.message}; going on without a record")
            self._has_warned = True


def _cost_of_trainings(tracker: Tracker, mean: Artifact) -> Cost | None:
    costs = []
    for one in mean.document.result.get("trainings", []):
        found = tracker.runs(tags={CHECKPOINT: one["checkpoint"]}, limit=1)
        cost = cost_of(found[0]) if found else None
        if cost is None:
            return None
        costs.append(cost)
    return functools.reduce(lambda before, one: one.plus(before), costs) if costs else None


def open_tracker(
    settings: TrackSettings, *, folder: Path, environment: Mapping[str, str] | None = None
) -> MlflowTracker:
    """Choose where records are; nothing is made or asked there yet.

    Args:
        settings: see ``TrackSettings``.
        folder: where ``mlflow.db`` is kept without ``MLFLOW_TRACKING_URI``.
        environment: variables to look at; the process's own by default.

    Raises:
        SettingsError: ``MLFLOW_TRACKING_URI`` is nothing that MLflow knows.
    """
    variables = os.environ if environment is None else environment
    return MlflowTracker(
        variables.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(folder / 'mlflow.db').absolute()}",
        experiment=settings.experiment,
        artifacts=folder.absolute() / "mlflow-artifacts",
    )


def open_recorder(
    settings: TrackSettings,
    *,
    folder: Path,
    warn: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
) -> Recorder:
    """Give what records trainings; nothing when ``track.enabled`` is false.

    Args:
        settings: see ``TrackSettings``.
        folder: see ``open_tracker``.
        warn: told one line when something could not be recorded.
        environment: variables to look at; the process's own by default.

    Raises:
        SettingsError: see ``open_tracker``.
    """
    variables = os.environ if environment is None else environment
    # Of several processes that train one model together, the first one records.
    is_wanted = settings.enabled and variables.get("RANK", "0") == "0"
    tracker = open_tracker(settings, folder=folder, environment=variables) if is_wanted else None
    return Recorder(tracker, settings=settings, warn=warn)
