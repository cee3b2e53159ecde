"""The tasks of the namespace infra, as a user runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from greengrass_components.emulator import start_emulator

PROGRAM = (
    "from invoke.program import Program\n"
    "from greengrass_components.commands.infra import namespace\n"
    "Program(namespace=namespace).run()\n"
)


def run(
    folder: Path, *arguments: str, code: int = 0, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result


def test_a_destroy_wants_to_be_meant(tmp_path: Path) -> None:
    assert "--yes" in run(tmp_path, "destroy", code=2).stderr


def test_a_variable_without_a_value_is_wrong_usage(tmp_path: Path) -> None:
    assert "NAME=VALUE" in run(tmp_path, "plan", "--var", "name", code=2).stderr


def test_outputs_before_anything_was_made_are_one_line_on_stderr(tmp_path: Path) -> None:
    result = run(tmp_path, "output", code=1)

    assert result.stdout == ""
    assert result.stderr.startswith("error: there is no Terraform folder build/infra")
    assert result.stderr.count("\n") == 1


def test_a_machine_without_terraform_is_told_so_in_one_line(tmp_path: Path) -> None:
    result = run(tmp_path, "plan", code=1, environment={"PATH": str(tmp_path)})

    assert result.stderr.startswith("error: cannot run 'terraform'")
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.terraform
@pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no Terraform here")
def test_a_plan_against_an_endpoint_is_told_in_json(tmp_path: Path) -> None:
    with start_emulator(tmp_path / "emulator") as emulator:
        arguments = ["plan", "--json", "--var", "name=voice-gateway", "--var", "force_destroy=true"]
        result = run(tmp_path, *arguments, environment=emulator.environment)

    told = json.loads(result.stdout)
    assert (told["add"], told["empty"]) == (9, False)
    assert "module.artifact_bucket.aws_s3_bucket.this: Plan to create" in result.stderr
    variables = json.loads((tmp_path / "build/infra/edgewise.auto.tfvars.json").read_text())
    assert variables == {
        "aws_endpoint": emulator.endpoint,
        "force_destroy": True,
        "name": "voice-gateway",
    }
