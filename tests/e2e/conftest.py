"""Runs the tasks as a user does: real processes, a folder of one's own, a tiny real model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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

    def __init__(self, folder: Path, base_model: Path) -> None:
        self.folder = folder
        # Wheels of the runtime are fetched once a machine, not once a test.
        shared = ROOT / "build" / "cache"
        shared.mkdir(parents=True, exist_ok=True)
        (folder / "build").mkdir(parents=True)
        (folder / "build" / "cache").symlink_to(shared, target_is_directory=True)
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
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def documents(self) -> dict[str, bytes]:
        """What ends each stage of the pipeline named ``small``."""
        small = self.folder / "build" / "small"
        return {name: (small / name).read_bytes() for name in DOCUMENTS}


@pytest.fixture
def new_workspace(
    tiny_base_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Workspace]:
    """Makes workspaces, each in a folder of its own."""
    return lambda: Workspace(tmp_path_factory.mktemp("work"), tiny_base_model)


@pytest.fixture
def workspace(new_workspace: Callable[[], Workspace]) -> Workspace:
    """One workspace."""
    return new_workspace()
