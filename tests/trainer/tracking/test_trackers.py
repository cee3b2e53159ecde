"""What every tracker promises: MLflow on a SQLite file, and the one in memory."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from edge_runtime.errors import SettingsError
from edge_runtime.storage import replace_folder
from trainer.errors import TrackingError
from trainer.tracking import Measurement, MemoryTracker, MlflowTracker, Tracker


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow takes seconds to make its tables, so the tests share them."""
    return tmp_path_factory.mktemp("mlflow") / "new folder" / "mlflow.db"


@pytest.fixture(params=["memory", "mlflow"])
def tracker(
    request: pytest.FixtureRequest, database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Tracker:
    if request.param == "memory":
        return MemoryTracker()
    return MlflowTracker(
        f"sqlite:///{database}",
        experiment=request.node.name.replace("[", " ").rstrip("]"),
        artifacts=tmp_path_factory.mktemp("artifacts"),
    )


def test_a_run_holds_what_it_was_begun_with(tracker: Tracker) -> None:
    run = tracker.begin("lamp", params={"train.seed": "1"}, tags={"edgewise.inputs": "abc"})
    (found,) = tracker.runs(tags={}, limit=10)
    assert (found.id, found.name, found.status) == (run, "lamp", "running")
    assert found.params == {"train.seed": "1"}
    assert found.tags["edgewise.inputs"] == "abc"
    assert found.started.endswith("+00:00")


def test_of_a_metric_the_value_of_the_highest_step_counts(tracker: Tracker) -> None:
    run = tracker.begin("lamp", params={}, tags={})
    tracker.log(run, metrics=[Measurement("epoch/loss", 0.5, 2), Measurement("test/ece", 0.25)])
    tracker.log(run, metrics=[Measurement("epoch/loss", 2.0, 1)])
    (found,) = tracker.runs(tags={}, limit=10)
    assert found.metrics == {"epoch/loss": 0.5, "test/ece": 0.25}


def test_tags_are_set_anew(tracker: Tracker) -> None:
    run = tracker.begin("lamp", params={}, tags={"a": "1", "b": "1"})
    tracker.log(run, tags={"b": "2"})
    (found,) = tracker.runs(tags={}, limit=10)
    assert (found.tags["a"], found.tags["b"]) == ("1", "2")


@pytest.mark.parametrize("status", ["finished", "failed", "killed", "running"])
def test_a_run_ends_and_is_taken_up(tracker: Tracker, status) -> None:
    run = tracker.begin("lamp", params={}, tags={})
    tracker.set_status(run, "killed")
    tracker.set_status(run, status)
    (found,) = tracker.runs(tags={}, limit=10)
    assert found.status == status


def test_runs_are_found_by_all_of_their_tags_newest_first(tracker: Tracker) -> None:
    for tags in ({"a": "1", "b": "1"}, {"a": "1", "b": "2"}, {"a": "1", "b": "2", "c": "3"}):
        tracker.begin("lamp", params={}, tags=tags)
    found = tracker.runs(tags={"a": "1", "b": "2"}, limit=10)
    assert [run.tags.get("c") for run in found] == ["3", None]
    assert len(tracker.runs(tags={"a": "1"}, limit=2)) == 2
    assert tracker.runs(tags={"a": "2"}, limit=10) == []


def test_a_run_takes_hundreds_of_settings_and_metrics_and_long_values(tracker: Tracker) -> None:
    names = [f"n{number}" for number in range(250)]
    run = tracker.begin("lamp", params=dict.fromkeys(names, "x" * 9000), tags={})
    tracker.log(run, metrics=[Measurement(name, 1.0) for name in names])
    (found,) = tracker.runs(tags={}, limit=10)
    assert set(found.params) == set(found.metrics) == set(names)


def test_a_run_that_is_not_there_is_an_error(tracker: Tracker) -> None:
    tracker.begin("lamp", params={}, tags={})
    with pytest.raises(TrackingError):
        tracker.set_status("nothing", "finished")


def test_memory_keeps_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "c" / "adapter").mkdir(parents=True)
    (tmp_path / "c" / "labels.json").write_bytes(b"[]")
    (tmp_path / "c" / "adapter" / "a.bin").write_bytes(b"1")
    tracker = MemoryTracker()
    run = tracker.begin("lamp", params={}, tags={})
    tracker.attach(run, tmp_path / "c" / "labels.json")
    tracker.attach(run, tmp_path / "c", folder="checkpoint")
    assert tracker.files[run] == {
        "labels.json": b"[]",
        "checkpoint/labels.json": b"[]",
        "checkpoint/adapter/a.bin": b"1",
    }


def test_mlflow_keeps_files_and_folders_beside_its_database(tmp_path: Path) -> None:
    (tmp_path / "c" / "adapter").mkdir(parents=True)
    (tmp_path / "c" / "labels.json").write_bytes(b"[]")
    (tmp_path / "c" / "adapter" / "a.bin").write_bytes(b"1")
    place = tmp_path / "artifacts"
    tracker = MlflowTracker(f"sqlite:///{tmp_path}/m.db", experiment="e", artifacts=place)
    run = tracker.begin("lamp", params={}, tags={})
    tracker.attach(run, tmp_path / "c" / "labels.json")
    tracker.attach(run, tmp_path / "c", folder="checkpoint")
    kept = {path.relative_to(place / run).as_posix() for path in place.rglob("*.*")}
    assert kept == {
        "artifacts/labels.json",
        "artifacts/checkpoint/labels.json",
        "artifacts/checkpoint/adapter/a.bin",
    }


def test_files_on_this_disk_are_linked_and_keep_what_they_were(tmp_path: Path) -> None:
    weights = tmp_path / "c" / "weights.bin"
    weights.parent.mkdir()
    weights.write_bytes(b"first")
    place = tmp_path / "artifacts"
    tracker = MlflowTracker(f"sqlite:///{tmp_path}/m.db", experiment="e", artifacts=place)
    run = tracker.begin("lamp", params={}, tags={})
    for _ in range(2):  # a run that is taken up again attaches again
        tracker.attach(run, weights.parent, folder="checkpoint")
    kept = place / run / "artifacts" / "checkpoint" / "weights.bin"
    assert kept.samefile(weights)
    with replace_folder(weights.parent) as partial:
        (partial / "weights.bin").write_bytes(b"second")
    assert (kept.read_bytes(), weights.read_bytes()) == (b"first", b"second")


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no second disk to try it with")
def test_files_on_another_disk_are_copied(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if Path(other).stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("the folder of temporary files is on the same disk")
        (tmp_path / "labels.json").write_bytes(b"[]")
        tracker = MlflowTracker(f"sqlite:///{tmp_path}/m.db", experiment="e", artifacts=Path(other))
        run = tracker.begin("lamp", params={}, tags={})
        tracker.attach(run, tmp_path / "labels.json")
        assert (Path(other) / run / "artifacts" / "labels.json").read_bytes() == b"[]"


def test_mlflow_says_nothing_while_it_makes_a_database(
    tmp_path: Path, empty_current_directory: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tracker = MlflowTracker(f"sqlite:///{tmp_path}/m.db", experiment="e")
    tracker.set_status(tracker.begin("lamp", params={}, tags={}), "finished")
    assert capfd.readouterr() == ("", "")
    assert list(empty_current_directory.iterdir()) == []


def test_looking_for_runs_makes_no_database(tmp_path: Path) -> None:
    tracker = MlflowTracker(f"sqlite:///{tmp_path}/new/m.db", experiment="e")
    assert tracker.runs(tags={}, limit=10) == []
    assert not (tmp_path / "new").exists()


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "m.db").write_bytes(b"no database at all, but long enough to look at" * 100)
    tracker = MlflowTracker(f"sqlite:///{tmp_path}/m.db", experiment="e")
    with pytest.raises(TrackingError, match="does not answer"):
        tracker.begin("lamp", params={}, tags={})


def test_a_server_that_does_not_answer_is_an_error_without_its_password() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        uri = f"http://user:secret@127.0.0.1:{unused.getsockname()[1]}"
        tracker = MlflowTracker(uri, experiment="e")
        with pytest.raises(TrackingError) as refused:
            tracker.begin("lamp", params={}, tags={})
    assert refused.value.message.startswith("MLflow at http://127.0.0.1:")
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("uri", ["ftp://there", "arn:aws:sagemaker", "htp://me:secret@typo"])
def test_an_address_that_mlflow_does_not_know_is_a_wrong_setting(uri: str) -> None:
    with pytest.raises(SettingsError, match=r"MLFLOW_TRACKING_URI is .*neither MLflow") as refused:
        MlflowTracker(uri, experiment="e")
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("uri", ["databricks", "databricks://profile", "uc:http://there"])
def test_an_address_that_mlflow_alone_knows_is_taken(uri: str) -> None:
    assert MlflowTracker(uri, experiment="e").uri == uri


def test_an_address_that_a_plugin_of_mlflow_knows_is_taken(tmp_path: Path) -> None:
    described = tmp_path / "shelf-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[mlflow.tracking_store]\narn = shelf:Store\n")
    (tmp_path / "shelf.py").write_text("class Store: pass\n")
    program = (
        "from trainer.tracking import MlflowTracker\n"
        "MlflowTracker('arn:aws:sagemaker:eu-central-1:1:mlflow-app/a', experiment='e')\n"
    )
    root = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), root])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
