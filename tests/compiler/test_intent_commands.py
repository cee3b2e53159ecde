"""The task ``intent.add``, as people and programs call it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from invoke.context import Context

from compiler.commands.intents import add
from edge_runtime.bundle import open_bundle
from edge_runtime.classifier import IntentClassifier
from edge_runtime.head import Head

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_tiny_bundle: Callable[..., Path]
) -> Path:
    """A project with a bundle and examples; the current directory."""
    unit = np.eye(4, dtype=np.float32)
    head = Head(
        weight=unit,
        bias=np.zeros(4, dtype=np.float32),
        normalized=False,
        whitening=unit * 2,
        whitened_means=unit * 12,
    )
    make_tiny_bundle(tmp_path / "bundle", head=head)
    (tmp_path / "storm.txt").write_text("off rain\nrain off please\nweather off\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_task_adds_an_intent_and_prints_one_json_object(project: Path) -> None:
    command = [sys.executable, "-m", "invoke", "--search-root", str(ROOT), "intent.add", "storm"]
    options = ["--examples", "storm.txt", "--bundle", "bundle", "--json"]
    done = subprocess.run(
        [*command, *options], cwd=project, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert len(found.pop("digest")) == 64
    assert found == {
        "folder": str(project / "bundle-with-storm"),
        "name": "tiny",
        "version": "1.1.0",
        "intent": "storm",
        "examples": 3,
        "recognised": 3,
        "recognised_unseen": 3,
        "variants": ["int8", "fp32"],
        "untested": [],
        "warning": "",
    }
    with IntentClassifier.open(project / "bundle-with-storm") as classifier:
        assert classifier.classify("rain off").intent == "storm"


def test_people_are_told_what_to_expect(capsys: pytest.CaptureFixture[str]) -> None:
    add(Context(), "storm", examples="storm.txt", bundle="bundle")
    captured = capsys.readouterr()
    assert "tiny 1.1.0: storm from 3 examples, 3 of which it recognises\n" in captured.out
    assert "3 of 3 when each is left out in turn" in captured.out
    assert captured.err == ""


def test_a_warning_goes_to_stderr(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "weak.txt").write_text("off rain\noff\nrain\n")
    add(Context(), "storm", examples="weak.txt", bundle="bundle", json=True)
    captured = capsys.readouterr()
    assert captured.err == f"warning: {json.loads(captured.out)['warning']}\n"
    assert "recognises 1 of 3 examples" in captured.err


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("a/b", {}, "no folder can be named after the intent 'a/b'"),
        ("../x", {}, "no folder can be named after the intent '../x'"),
        ("x" * 300, {}, "no folder can be named after"),
        ("oos", {}, "'oos' is no name for an intent"),
        ("storm", {"folder": "x" * 300}, "choose another folder"),
        ("storm", {"taken": "0"}, "intent.taken"),
        ("storm", {"taken": "0.6"}, "intent.taken"),
        ("storm", {"version": "abc"}, "'abc' is no semantic version"),
        ("storm", {"version": "1.0.0"}, "version 1.0.0 is not above 1.0.0"),
        ("storm", {"examples": "nothing.txt"}, "cannot read examples from nothing.txt"),
    ],
)
def test_whatever_is_wrong_gives_one_line_and_leaves_nothing(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    options: dict[str, str],
    said: str,
) -> None:
    before = sorted(project.rglob("*"))
    with pytest.raises(SystemExit) as exit_:
        add(Context(), name, **({"examples": "storm.txt", "bundle": "bundle"} | options))
    captured = capsys.readouterr()
    assert (exit_.value.code, captured.out) == (1, "")
    (line,) = captured.err.splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert sorted(project.rglob("*")) == before


def test_how_much_it_may_take_is_a_setting_of_the_project(project: Path) -> None:
    def taken(**flags: str) -> float:
        add(Context(), "storm", examples="storm.txt", bundle="bundle", folder="new", **flags)
        (addition,) = open_bundle(project / "new").manifest.provenance["added_intents"]
        return float(addition["taken"])

    assert taken() == 0.0007
    (project / "edgewise.toml").write_text("[intent]\ntaken = 0.01\n")
    assert taken() == 0.01
    assert taken(taken="0.02") == 0.02


def test_any_label_may_stand_in_a_folder_that_is_named(project: Path) -> None:
    add(Context(), "storm/wind", examples="storm.txt", bundle="bundle", folder="new")
    with IntentClassifier.open(project / "new") as classifier:
        assert classifier.manifest.labels[-1] == "storm/wind"
