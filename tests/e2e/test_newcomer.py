"""What the README and the quickstart promise, done as they say it, with the real base model."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# On a processor without bf16, and beside other tests, the training takes many minutes.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which ``./inv pipeline`` has run once, with every default."""
    folder = tmp_path_factory.mktemp("newcomer")
    shared = ROOT / "build" / "cache"
    shared.mkdir(parents=True, exist_ok=True)
    (folder / "build").mkdir()
    (folder / "build" / "cache").symlink_to(shared, target_is_directory=True)
    done = inv(folder, "pipeline")
    assert done.returncode == 0, done.stderr
    assert "answered live" in done.stdout
    return folder


def inv(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``inv`` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "invoke", "--search-root", str(ROOT), *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def result_of(folder: Path) -> dict[str, Any]:
    """The pipeline's JSON."""
    result: dict[str, Any] = json.loads((folder / "build/smart-home/pipeline.json").read_text())
    return result


def test_the_example_reaches_its_accuracy_on_the_hand_written_test(folder: Path) -> None:
    result = result_of(folder)
    variants = {variant["name"]: variant for variant in result["variants"]}
    assert result["dataset"]["intents"] >= 24
    assert result["dataset"]["train"] >= 2400
    assert result["dataset"]["test"] >= 240
    assert variants["int8"]["accuracy"] >= 0.93
    assert variants["fp32"]["max_logit_difference"] <= 1e-4
    assert result["component"]["answer"]["intent"] is not None


def test_a_second_run_skips_everything_but_the_question(folder: Path) -> None:
    assert inv(folder, "pipeline").returncode == 0
    skipped = result_of(folder)["skipped"]
    line = ["data", "train", "eval", "report", "compile", "bundle", "latency", "component"]
    assert skipped == line


def test_every_task_of_the_quickstart_works_as_written(folder: Path) -> None:
    page = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\$ ((?:[A-Z_]+=\S+ )*)\./inv (.+)$", page, re.MULTILINE)
    assert len(lines) >= 10
    for variables, command in lines:
        environment = dict(word.split("=", 1) for word in variables.split())
        done = inv(folder, *shlex.split(command), **environment)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert done.stdout.strip(), command
