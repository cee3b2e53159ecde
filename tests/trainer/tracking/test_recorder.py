"""Trainings and evaluations are recorded, and never lost for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edge_runtime.artifact import Artifact, read_artifact
from edge_runtime.errors import SettingsError
from trainer.config import CalibrationSettings, TrackSettings, TrainSettings
from trainer.evaluate import evaluate
from trainer.tracking import MemoryTracker, Recorder, open_recorder
from trainer.tracking.training_record import TrainingRecord
from trainer.train import train
from trainer.training_state import EpochRecord

INPUTS = {"settings": {"seed": 1, "epochs": 3}, "dataset": "d" * 64, "base_model": "b" * 64}


class Notes:
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def tracker() -> MemoryTracker:
    return MemoryTracker()


@pytest.fixture
def recorder(tracker: MemoryTracker, track_settings: TrackSettings, notes: Notes) -> Recorder:
    return Recorder(tracker, settings=track_settings, warn=notes, log_every_s=0.0)


@pytest.fixture
def checkpoint(tiny_line, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint, at the place that a recorder is told."""
    shutil.copytree(tiny_line.checkpoint, tmp_path / "lamp" / "checkpoint")
    return tmp_path / "lamp" / "checkpoint"


@pytest.fixture
def trained(checkpoint: Path) -> Artifact:
    return read_artifact(checkpoint, "checkpoint")


def passes(record: TrainingRecord, *, first: int, last: int) -> None:
    for number in range(first, last + 1):
        record.epoch(number, EpochRecord(epoch=number, loss=1 / number, validation_accuracy=0.5))


def epochs_of(trained: Artifact, *, after: int) -> list[int]:
    """The passes of the tiny checkpoint after which validation was looked at."""
    numbers = [one["epoch"] for one in trained.document.result["history"]]
    return [number for number in numbers if number > after]


def logged(tracker: MemoryTracker, run: str, name: str) -> list[tuple[int, float]]:
    return [(one.step, one.value) for one in tracker.measurements[run] if one.name == name]


def test_a_training_is_a_run_with_settings_passes_digests_cost_and_files(
    tiny_line,
    tiny_train_settings: TrainSettings,
    tracker: MemoryTracker,
    recorder: Recorder,
    tmp_path: Path,
    notes: Notes,
) -> None:
    folder = tmp_path / "lamp" / "checkpoint"
    settings = msgspec.structs.replace(tiny_train_settings, minimum_steps=12, epochs=3)
    with recorder.training(folder) as record:
        made = train(tiny_line.dataset, folder, settings=settings, observer=record)
        cost = record.finish(made)
    (run,) = tracker.runs(tags={}, limit=10)
    history = made.document.result["history"]
    assert (run.name, run.status, notes.lines) == ("lamp", "finished", [])
    assert (run.params["train.epochs"], run.params["train.method"]) == ("3", "full")
    assert logged(tracker, run.id, "epoch/loss") == [(one["epoch"], one["loss"]) for one in history]
    assert run.tags["edgewise.checkpoint"] == made.digest
    assert run.tags["edgewise.dataset"] == made.document.parents["dataset"]
    assert len(run.tags["edgewise.code.sha256"]) == 64
    assert {"edgewise.version.torch", "edgewise.version.python"} <= run.tags.keys()
    assert cost is not None
    assert run.metrics["cost/energy_wh"] == cost.energy_wh
    assert run.tags["edgewise.energy"] == cost.method
    assert tracker.files[run.id]["checkpoint.json"] == (folder / "checkpoint.json").read_bytes()
    assert "checkpoint/weights.safetensors" in tracker.files[run.id]


def test_the_checkpoint_is_the_same_without_a_record(
    tiny_line, tiny_train_settings: TrainSettings, recorder: Recorder, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    with recorder.training(folder) as record:
        made = train(tiny_line.dataset, folder, settings=tiny_train_settings, observer=record)
        record.finish(made)
    assert made.digest == read_artifact(tiny_line.checkpoint, "checkpoint").digest


def test_a_checkpoint_that_is_up_to_date_makes_no_run(
    tiny_line,
    tiny_train_settings: TrainSettings,
    tracker: MemoryTracker,
    recorder: Recorder,
    checkpoint: Path,
) -> None:
    with recorder.training(checkpoint) as record:
        made = train(tiny_line.dataset, checkpoint, settings=tiny_train_settings, observer=record)
        assert record.finish(made) is None
    assert made.skipped
    assert tracker.runs(tags={}, limit=10) == []


def test_an_evaluation_goes_to_the_run_of_its_training(
    tiny_line,
    calibration_settings: CalibrationSettings,
    tracker: MemoryTracker,
    recorder: Recorder,
    checkpoint: Path,
    trained: Artifact,
    tmp_path: Path,
) -> None:
    with recorder.training(checkpoint) as record:
        record.begin(INPUTS, resumed=False)
        record.finish(trained)
    folder = tmp_path / "evaluation"
    judged = evaluate(checkpoint, tiny_line.dataset, folder, settings=calibration_settings)
    reported = msgspec.structs.replace(judged, folder=tmp_path / "report")
    reported.folder.mkdir()
    (reported.folder / "report.html").write_text("<p>a report</p>")
    recorder.evaluation(judged, checkpoint, report=reported)
    (run,) = tracker.runs(tags={}, limit=10)
    result = judged.document.result
    assert run.metrics["test/in_scope_accuracy"] == result["test"]["in_scope_accuracy"]
    assert run.metrics["validation/ece"] == result["validation"]["ece"]
    assert run.metrics["cost/seconds"] > 0
    assert run.tags["calibration.scores"] == "energy,nearest-prototype"
    assert tracker.files[run.id]["report.html"] == b"<p>a report</p>"
    assert tracker.files[run.id]["evaluation.json"] == (folder / "evaluation.json").read_bytes()


def test_a_checkpoint_without_a_run_gets_one_with_its_evaluation(
    tiny_line, tracker: MemoryTracker, recorder: Recorder, checkpoint: Path, trained: Artifact
) -> None:
    judged = read_artifact(tiny_line.evaluation, "evaluation")
    recorder.evaluation(judged, checkpoint)
    recorder.evaluation(judged, checkpoint)
    (run,) = tracker.runs(tags={}, limit=10)
    assert (run.status, run.tags["edgewise.checkpoint"]) == ("finished", trained.digest)
    assert run.params["train.minimum_steps"] == "60"
    steps = [step for step, _ in logged(tracker, run.id, "epoch/loss")]
    assert steps == epochs_of(trained, after=0)
    assert "test/in_scope_accuracy" in run.metrics
    assert "cost/seconds" not in run.metrics


def test_an_evaluation_that_is_up_to_date_is_not_recorded_again(
    tiny_line, tracker: MemoryTracker, recorder: Recorder, checkpoint: Path
) -> None:
    judged = read_artifact(tiny_line.evaluation, "evaluation")
    same = msgspec.structs.replace(judged, skipped=True)
    recorder.evaluation(same, checkpoint, report=same)
    assert tracker.runs(tags={}, limit=10) == []
    recorder.evaluation(same, checkpoint, report=judged)  # a new report of the same evaluation
    assert len(tracker.runs(tags={}, limit=10)) == 1


def test_a_training_that_failed_is_marked(
    tracker: MemoryTracker, recorder: Recorder, tmp_path: Path
) -> None:
    with (
        pytest.raises(ValueError, match="not finite"),
        recorder.training(tmp_path / "checkpoint") as record,
    ):
        record.begin(INPUTS, resumed=False)
        passes(record, first=1, last=2)
        raise ValueError("not finite")
    (run,) = tracker.runs(tags={}, limit=10)
    assert (run.status, run.metrics["epoch/number"]) == ("failed", 2)
    assert run.metrics["cost/seconds"] > 0


def test_an_interrupted_training_is_killed(
    tracker: MemoryTracker, recorder: Recorder, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt), recorder.training(tmp_path / "checkpoint") as record:
        record.begin(INPUTS, resumed=False)
        raise KeyboardInterrupt
    assert [run.status for run in tracker.runs(tags={}, limit=10)] == ["killed"]


@pytest.fixture
def dead_run(tracker: MemoryTracker, recorder: Recorder, checkpoint: Path) -> Iterator[str]:
    """The run that a SIGKILL after the third pass leaves; its meter ends with the test."""
    with recorder.training(checkpoint) as record:
        record.begin(INPUTS, resumed=False)
        passes(record, first=1, last=3)
        yield tracker.runs(tags={}, limit=1)[0].id
        record.break_off("failed")


def test_a_killed_training_that_goes_on_goes_on_in_its_run(
    dead_run: str, tracker: MemoryTracker, recorder: Recorder, checkpoint: Path, trained: Artifact
) -> None:
    (before,) = tracker.runs(tags={}, limit=10)
    with recorder.training(checkpoint) as record:
        record.begin(INPUTS, resumed=True)
        # The state was older than the kill: two passes are made again.
        passes(record, first=2, last=5)
        record.finish(trained)
    (run,) = tracker.runs(tags={}, limit=10)
    steps = [step for step, _ in logged(tracker, run.id, "epoch/loss")]
    assert steps == [1, 2, 3, 4, 5, *epochs_of(trained, after=5)]
    assert (run.id, run.status) == (dead_run, "finished")
    assert run.metrics["cost/seconds"] > before.metrics["cost/seconds"]
    assert run.metrics["cost/energy_wh"] > before.metrics["cost/energy_wh"]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_training_that_begins_anew_marks_the_dead_run_and_makes_its_own(
    dead_run: str, tracker: MemoryTracker, recorder: Recorder, checkpoint: Path, seed: int
) -> None:
    with recorder.training(checkpoint) as record:
        record.begin({**INPUTS, "settings": {"seed": seed}}, resumed=False)
        passes(record, first=1, last=1)
        new, old = tracker.runs(tags={}, limit=10)
        record.break_off("killed")
    assert (old.id, old.status) == (dead_run, "killed")
    assert (new.status, new.params["train.seed"]) == ("running", str(seed))


def test_runs_of_another_folder_are_left_alone(
    dead_run: str, tracker: MemoryTracker, recorder: Recorder, tmp_path: Path
) -> None:
    with recorder.training(tmp_path / "other" / "checkpoint") as record:
        record.begin(INPUTS, resumed=False)
        statuses = {run.id: run.status for run in tracker.runs(tags={}, limit=10)}
        record.break_off("killed")
    assert statuses[dead_run] == "running"


def test_a_training_killed_before_its_record_was_closed_is_closed_by_the_evaluation(
    tiny_line, tracker: MemoryTracker, recorder: Recorder, checkpoint: Path, trained: Artifact
) -> None:
    inputs = {"settings": trained.document.settings, **trained.document.parents}
    with recorder.training(checkpoint) as record:
        record.begin(inputs, resumed=False)
        passes(record, first=1, last=1)
        recorder.evaluation(read_artifact(tiny_line.evaluation, "evaluation"), checkpoint)
        (run,) = tracker.runs(tags={}, limit=10)
        record.break_off("killed")
    assert (run.status, run.tags["edgewise.checkpoint"]) == ("finished", trained.digest)
    steps = [step for step, _ in logged(tracker, run.id, "epoch/loss")]
    assert steps == [1, *epochs_of(trained, after=1)]


def test_a_tracker_that_is_away_costs_one_line(
    tiny_line,
    tracker: MemoryTracker,
    recorder: Recorder,
    checkpoint: Path,
    trained: Artifact,
    notes: Notes,
    tmp_path: Path,
) -> None:
    tracker.reachable = False
    with recorder.training(checkpoint) as record:
        record.begin(INPUTS, resumed=False)
        passes(record, first=1, last=3)
        cost = record.finish(trained)
    shutil.copytree(tiny_line.evaluation, tmp_path / "evaluation")
    recorder.evaluation(read_artifact(tmp_path / "evaluation", "evaluation"), checkpoint)
    assert notes.lines == ["the records of trainings cannot be reached; going on without a record"]
    assert cost is not None
    assert cost.energy_wh is not None


def test_an_evaluation_that_could_not_be_recorded_is_when_it_is_asked_for_again(
    tiny_line,
    tracker: MemoryTracker,
    recorder: Recorder,
    checkpoint: Path,
    trained: Artifact,
    tmp_path: Path,
) -> None:
    shutil.copytree(tiny_line.evaluation, tmp_path / "evaluation")
    judged = read_artifact(tmp_path / "evaluation", "evaluation")
    tracker.reachable = False
    recorder.evaluation(judged, checkpoint)
    tracker.reachable = True
    same = msgspec.structs.replace(judged, skipped=True)
    recorder.evaluation(same, checkpoint)
    (run,) = tracker.runs(tags={}, limit=10)
    assert run.tags["edgewise.checkpoint"] == trained.digest
    assert "test/in_scope_accuracy" in run.metrics
    # And then no more.
    assert not (tmp_path / "evaluation.unrecorded").exists()
    tracker.reachable = False
    recorder.evaluation(same, checkpoint)
    assert not (tmp_path / "evaluation.unrecorded").exists()


def test_a_tracker_that_comes_back_gets_everything_at_the_end(
    tracker: MemoryTracker, recorder: Recorder, checkpoint: Path, trained: Artifact
) -> None:
    with recorder.training(checkpoint) as record:
        record.begin(INPUTS, resumed=False)
        passes(record, first=1, last=1)
        tracker.reachable = False
        passes(record, first=2, last=3)
        tracker.reachable = True
        record.finish(trained)
    (run,) = tracker.runs(tags={}, limit=10)
    steps = [step for step, _ in logged(tracker, run.id, "epoch/loss")]
    assert steps == [1, *epochs_of(trained, after=1)]
    assert run.status == "finished"


@pytest.mark.parametrize(("wanted", "is_kept"), [("always", True), ("never", False)])
def test_the_checkpoint_is_kept_as_the_setting_says(
    track_settings: TrackSettings,
    checkpoint: Path,
    trained: Artifact,
    notes: Notes,
    wanted,
    is_kept: bool,
) -> None:
    tracker = MemoryTracker()
    settings = msgspec.structs.replace(track_settings, log_checkpoint=wanted)
    with Recorder(tracker, settings=settings, warn=notes).training(checkpoint) as record:
        record.begin(INPUTS, resumed=False)
        record.finish(trained)
    (run,) = tracker.runs(tags={}, limit=10)
    assert ("checkpoint/weights.safetensors" in tracker.files[run.id]) == is_kept


def test_an_unknown_country_stops_before_training(
    track_settings: TrackSettings, tracker: MemoryTracker, notes: Notes, tmp_path: Path
) -> None:
    settings = msgspec.structs.replace(track_settings, country="XXX")
    recorder = Recorder(tracker, settings=settings, warn=notes)
    with (
        pytest.raises(SettingsError, match="track.country"),
        recorder.training(tmp_path / "checkpoint") as record,
    ):
        record.begin(INPUTS, resumed=False)
    assert tracker.runs(tags={}, limit=10) == []


@pytest.mark.parametrize(
    ("enabled", "environment"), [(False, {}), (True, {"RANK": "1"})], ids=["off", "second process"]
)
def test_nothing_is_recorded_when_it_is_off_or_another_process_does(
    track_settings: TrackSettings,
    tmp_path: Path,
    checkpoint: Path,
    trained: Artifact,
    notes: Notes,
    tiny_line,
    enabled: bool,
    environment: dict[str, str],
) -> None:
    recorder = open_recorder(
        msgspec.structs.replace(track_settings, enabled=enabled),
        folder=tmp_path / "build",
        warn=notes,
        environment=environment,
    )
    with recorder.training(checkpoint) as record:
        record.begin(INPUTS, resumed=False)
        passes(record, first=1, last=1)
        assert record.finish(trained) is None
    recorder.evaluation(read_artifact(tiny_line.evaluation, "evaluation"), checkpoint)
    assert not (tmp_path / "build").exists()


def test_other_errors_are_not_hidden(
    track_settings: TrackSettings, checkpoint: Path, notes: Notes
) -> None:
    class Broken(MemoryTracker):
        def begin(self, name, *, params, tags) -> str:
            raise ZeroDivisionError

    recorder = Recorder(Broken(), settings=track_settings, warn=notes)
    with pytest.raises(ZeroDivisionError), recorder.training(checkpoint) as record:
        record.begin(INPUTS, resumed=False)
