"""The trainer's tasks ask no host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Whatever reaches for a host fails; every name that is looked up is one too many.
OFFLINE = """
import socket, sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        raise RuntimeError(f"{event} {arguments}")
sys.addaudithook(watch)
import runpy
sys.argv = ["invoke", *sys.argv[1:]]
runpy.run_module("invoke", run_name="__main__")
"""
ROOT = Path(__file__).parents[2]


def run(folder: Path, *arguments: str | Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, "--search-root", ROOT, *arguments, "--json"],
        cwd=folder,
        # With leave to ask a hub, it does not.
        env={**os.environ, "HF_HUB_OFFLINE": "0", "EDGEWISE_TRAIN_MINIMUM_STEPS": "10"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.slow
def test_a_check_asks_no_host_and_leaves_only_its_report(
    tiny_base_model: Path, tiny_utterances: Path, tmp_path: Path
) -> None:
    (tmp_path / "edgewise.toml").write_text(f'[train]\nbase_model = "{tiny_base_model}"\n')
    assert run(tmp_path, "data.check", tiny_utterances, "--report", "report")["builds"]
    assert {path.name for path in tmp_path.iterdir()} == {"edgewise.toml", "report"}


@pytest.mark.slow
def test_neither_does_a_recorded_training_with_its_energy_nor_an_evaluation(
    tiny_line, tiny_base_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "edgewise.toml").write_text(f'[train]\nbase_model = "{tiny_base_model}"\n')
    given = ("--dataset", tiny_line.dataset)
    trained = run(tmp_path, "train", *given, "--folder", "checkpoint")
    assert trained["cost"]["energy_wh"] > 0
    given = (*given, "--checkpoint", "checkpoint", "--folder", "evaluation")
    assert run(tmp_path, "eval", *given)["test"]["in_scope_accuracy"] > 0
    (recorded,) = run(tmp_path, "train.runs")["runs"]
    assert recorded["test"]["in_scope_accuracy"] > 0
