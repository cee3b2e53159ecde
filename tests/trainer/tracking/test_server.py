"""A tracking server, a killed process, and the tasks: everything real."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainer.tracking import MlflowTracker, open_recorder

pytestmark = pytest.mark.slow

# A training that is killed after its fourth pass when it is told so, with the state of each pass.
SCRIPT = """
import os, signal, sys
from pathlib import Path

import msgspec

from edge_runtime.settings import load_settings
from trainer.config import DEFAULTS, TrackSettings, TrainSettings
from trainer.tracking.recorder import Recorder, open_tracker
from trainer.train import train

dataset, folder, base, build, seed, fatal = sys.argv[1:]
flags = {"base_model": base, "minimum_steps": 16, "epochs": 8, "threads": 1, "seed": seed}
flags["early_stopping_epochs"] = 0  # all of the passes
settings = load_settings(TrainSettings, "train", defaults=DEFAULTS, flags=flags)
track = load_settings(TrackSettings, "track", defaults=DEFAULTS)
tracker = open_tracker(track, folder=Path(build))
recorder = Recorder(tracker, settings=track, warn=sys.exit, log_every_s=0.0)
with recorder.training(Path(folder)) as record:
    class Killer:
        def begin(self, inputs, *, resumed):
            record.begin(inputs, resumed=resumed)

        def epoch(self, number, one):
            record.epoch(number, one)
            if number == int(fatal):
                os.kill(os.getpid(), signal.SIGKILL)

    made = train(
        Path(dataset),
        Path(folder),
        settings=settings,
        anew=seed != "1",
        observer=Killer(),
        save_every_s=0,
    )
    record.finish(made)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server on loopback, with its own database and files."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--workers", "1"]
    command += ["--artifacts-destination", str(folder / "files")]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, cwd=folder, start_new_session=True
        )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5)
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.2)
        else:
            pytest.fail((folder / "log").read_text())
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def test_a_server_takes_runs_metrics_files_and_the_weights(
    server: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from trainer.tracking import Measurement

    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "weights.safetensors").write_bytes(bytes(3_000_000))
    tracker = MlflowTracker(server, experiment="lamp")
    run = tracker.begin("lamp", params={"train.seed": "1"}, tags={"a": "it's"})
    tracker.log(run, metrics=[Measurement("test/ece", 0.25)])
    tracker.attach(run, tmp_path / "checkpoint", folder="checkpoint")
    tracker.set_status(run, "finished")
    (found,) = MlflowTracker(server, experiment="lamp").runs(tags={}, limit=10)
    assert (found.status, found.metrics) == ("finished", {"test/ece": 0.25})
    address = f"{server}/get-artifact?path=checkpoint/weights.safetensors&run_id={run}"
    with urllib.request.urlopen(address, timeout=30) as response:
        assert len(response.read()) == 3_000_000
    assert capfd.readouterr() == ("", "")


def test_the_variable_chooses_the_server(server: str, tmp_path: Path, track_settings) -> None:
    recorder = open_recorder(
        track_settings,
        folder=tmp_path,
        warn=pytest.fail,
        environment={"MLFLOW_TRACKING_URI": server},
    )
    inputs = {"settings": {"seed": 7}, "dataset": "d", "base_model": "b"}
    with pytest.raises(KeyboardInterrupt), recorder.training(tmp_path / "here") as record:
        record.begin(inputs, resumed=False)
        raise KeyboardInterrupt
    (found,) = MlflowTracker(server, experiment="edgewise").runs(tags={}, limit=10)
    assert (found.name, found.status, found.params) == ("here", "killed", {"train.seed": "7"})
    assert not (tmp_path / "mlflow.db").exists()


@pytest.fixture
def trained(tiny_line, tiny_base_model: Path, tmp_path: Path):
    """A function that trains in a process of its own, which may kill itself."""
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(SCRIPT))

    def run(*, seed: int = 1, fatal: int = 0) -> subprocess.CompletedProcess[str]:
        words = [tiny_line.dataset, tmp_path / "lamp" / "checkpoint", tiny_base_model]
        return subprocess.run(
            [sys.executable, script, *words, tmp_path / "build", str(seed), str(fatal)],
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_killed_training_is_one_run_when_it_goes_on(trained, tmp_path: Path) -> None:
    tracker = MlflowTracker(f"sqlite:///{tmp_path}/build/mlflow.db", experiment="edgewise")
    killed = trained(fatal=4)
    assert (killed.returncode, killed.stderr) == (-signal.SIGKILL, "")
    (dead,) = tracker.runs(tags={}, limit=10)
    assert (dead.status, dead.metrics["epoch/number"]) == ("running", 4)
    resumed = trained()
    assert (resumed.returncode, resumed.stderr) == (0, "")
    (done,) = tracker.runs(tags={}, limit=10)
    assert (done.id, done.status, done.metrics["epoch/number"]) == (dead.id, "finished", 8)
    assert done.metrics["cost/seconds"] > dead.metrics["cost/seconds"]
    assert done.metrics["cost/energy_wh"] > dead.metrics["cost/energy_wh"]


def test_a_killed_training_that_begins_anew_is_two_runs(trained, tmp_path: Path) -> None:
    tracker = MlflowTracker(f"sqlite:///{tmp_path}/build/mlflow.db", experiment="edgewise")
    assert trained(fatal=4).returncode == -signal.SIGKILL
    begun = trained(seed=2)
    assert (begun.returncode, begun.stderr) == (0, "")
    new, dead = tracker.runs(tags={}, limit=10)
    assert (dead.status, new.status) == ("killed", "finished")
    assert (dead.params["train.seed"], new.params["train.seed"]) == ("1", "2")
