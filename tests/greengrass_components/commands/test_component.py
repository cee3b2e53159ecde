"""The tasks of the namespace component, as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = (
    "from invoke.program import Program\n"
    "from greengrass_components.commands.component import namespace\n"
    "Program(namespace=namespace).run()\n"
)


def run(
    folder: Path, *arguments: str, code: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result


@pytest.mark.slow
def test_a_bundle_is_built_into_components_that_answer(tiny_bundle: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "component")
    words = ["build", "--bundle", str(tiny_bundle), "--folder", folder, "--json"]
    built = json.loads(run(ROOT, *words).stdout)
    again = json.loads(run(ROOT, *words).stdout)
    asked = run(ROOT, "run", "--folder", folder, "--text", "lights on", "--json")
    answered = json.loads(asked.stdout)

    assert (built["skipped"], again["skipped"]) == (False, True)
    assert built["components"] == again["components"]
    assert answered["answer"]["intent"] == "lights_on"
    assert answered["name"] == built["components"][1]["name"]


def test_a_missing_bundle_is_one_line(tmp_path: Path) -> None:
    words = ["build", "--bundle", "nowhere", "--folder", str(tmp_path / "component")]
    result = run(ROOT, *words, code=1)

    assert result.stderr.startswith("error: no bundle at nowhere")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "component").exists()


def test_a_wrong_setting_is_one_line(tiny_bundle: Path, tmp_path: Path) -> None:
    words = ["build", "--bundle", str(tiny_bundle), "--folder", str(tmp_path / "component")]
    result = run(ROOT, *words, code=1, EDGEWISE_COMPONENT_PORT="many")

    assert result.stderr.startswith("error: component.port: expected `int`")


def test_a_missing_component_is_one_line(tmp_path: Path) -> None:
    result = run(tmp_path, "run", "--folder", "nowhere", code=1)

    assert "error: no component at nowhere: component.json is missing" in result.stderr
