"""Runs the tasks as a user does: real processes, a folder of one's own, a tiny real model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Everything that ends a stage; none of them holds a time, so equal runs have equal bytes.
DOCUMENTS = (
    "dataset/dataset.json",
    "checkpoint/checkpoint.json",
    "evaluation/evaluation.json",
    "compiled/compiled.json",
    "bundle/manifest.json",
    "component/component.json",
)


class Workspace:
    """A folder in which tasks are run with the tiny base model."""

    def __init__(self, folder: Path, base_model: Path, *, records: Path | None) -> None:
        self.folder = folder
        self.result: dict[str, Any] = {}
        """What the last pipeline printed."""
        # Wheels of the runtime are fetched once a machine, not once a test.
        shared = ROOT / "build" / "cache"
        shared.mkdir(parents=True, exist_ok=True)
        (folder / "build").mkdir(parents=True)
        (folder / "build" / "cache").symlink_to(shared, target_is_directory=True)
        if records is not None:
            shutil.copy(records, folder / "build" / "mlflow.db")
        self.environment = {
            **os.environ,
            "EDGEWISE_TRAIN_BASE_MODEL": str(base_model),
            "EDGEWISE_TRAIN_MINIMUM_STEPS": "20",
            "EDGEWISE_TRAIN_THREADS": "1",
            "EDGEWISE_COMPILE_MAXIMUM_CHANGED_ANSWERS": "1",
            "EDGEWISE_COMPILE_MAXIMUM_ACCURACY_DROP": "1",
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``inv`` with these arguments, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "invoke", "--search-root", str(ROOT), *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def inv(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``inv`` with these arguments to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=600)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def pipeline(self, data: Path, *flags: str) -> dict[str, Any]:
        """Run the pipeline named ``small``; return its JSON."""
        done = self.inv("pipeline", "--data", str(data), "--name", "small", "--json", *flags)
        assert done.returncode == 0, done.stderr
        self.result = json.loads(done.stdout)
        return self.result

    def documents(self) -> dict[str, bytes]:
        """What ends each stage of the pipeline named ``small``."""
        small = self.folder / "build" / "small"
        return {name: (small / name).read_bytes() for name in DOCUMENTS}


@pytest.fixture(scope="session")
def empty_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database without a run, as it is in a folder where edgewise was used before."""
    with warnings.catch_warnings(action="ignore"):
        from mlflow.tracking import MlflowClient

        path = tmp_path_factory.mktemp("records") / "mlflow.db"
        MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def new_workspace(
    tiny_base_model: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Callable[..., Workspace]:
    """Makes workspaces, each in a folder of its own; in one of a later use MLflow is ready."""

    def make(*, later: bool = False) -> Workspace:
        # Most tests record nothing, and MLflow takes seconds to make its database.
        records = request.getfixturevalue("empty_records") if later else None
        return Workspace(tmp_path_factory.mktemp("work"), tiny_base_model, records=records)

    return make


@pytest.fixture
def workspace(new_workspace: Callable[..., Workspace]) -> Workspace:
    """One workspace."""
    return new_workspace()


@pytest.fixture(scope="session")
def finished(
    tiny_base_model: Path, tiny_utterances: Path, tmp_path_factory: pytest.TempPathFactory
) -> Workspace:
    """A workspace of a first use in which the pipeline has run; not to be changed."""
    made = Workspace(tmp_path_factory.mktemp("finished"), tiny_base_model, records=None)
    made.pipeline(tiny_utterances)
    return made


@pytest.fixture
def finished_workspace(new_workspace: Callable[..., Workspace], finished: Workspace) -> Workspace:
    """A workspace of one's own in which the pipeline has run."""
    workspace = new_workspace(later=True)
    shutil.copytree(finished.folder / "build" / "small", workspace.folder / "build" / "small")
    return workspace
