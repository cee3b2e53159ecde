"""The tasks of the namespace infra, as a user runs them: flags, errors, exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from greengrass_components.emulator import Emulator, start_emulator

PROGRAM = (
    "from invoke.program import Program\n"
    "from greengrass_components.commands.infra import namespace\n"
    "Program(namespace=namespace).run()\n"
)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with start_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


def run(
    folder: Path, *arguments: str, code: int = 0, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={
            **own,
            "HOME": str(folder),
            "AWS_EC2_METADATA_DISABLED": "true",
            **(environment or {}),
        },
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result


def refused(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run what must be refused with one line, and return that line."""
    result = run(folder, *arguments, code=1, environment=environment)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_a_variable_without_a_value_is_wrong_usage(tmp_path: Path) -> None:
    assert "NAME=VALUE" in run(tmp_path, "plan", "--var", "name", code=2).stderr


def test_an_unknown_environment_is_refused(tmp_path: Path) -> None:
    said = refused(tmp_path, "plan", "--env", "qa")

    assert "there is no environment 'qa'; there are dev, prod, staging" in said


def test_a_variable_file_with_an_unknown_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ours.tfvars").write_text('acount_id = "123456789012"\n')

    said = refused(tmp_path, "apply", "--var-file", "ours.tfvars")

    assert "no Terraform variable acount_id (ours.tfvars); did you mean account_id" in said


@pytest.mark.parametrize("task", ["bootstrap", "init", "plan", "apply", "destroy", "output"])
def test_an_endpoint_among_the_values_is_refused(tmp_path: Path, task: str) -> None:
    said = refused(tmp_path, task, "--var", "aws_endpoint=http://127.0.0.1:9")

    assert "the endpoint is that of AWS_ENDPOINT_URL" in said


def test_nobody_signed_in_is_told_what_to_do(tmp_path: Path) -> None:
    said = refused(tmp_path, "plan", "--var", "aws_region=eu-central-1")

    assert "no usable AWS credentials" in said
    assert "cloud.start" in said


def test_another_accounts_credentials_are_refused(tmp_path: Path, emulator: Emulator) -> None:
    said = refused(
        tmp_path, "apply", "--var", 'account_id="210987654321"', environment=emulator.environment
    )

    assert "environment dev belongs to account 210987654321, but the credentials are of" in said


def test_a_machine_without_terraform_is_told_so(tmp_path: Path, emulator: Emulator) -> None:
    said = refused(tmp_path, "plan", environment={**emulator.environment, "PATH": str(tmp_path)})

    assert "cannot run 'terraform'" in said


def test_an_old_terraform_is_refused(tmp_path: Path, emulator: Emulator) -> None:
    program = tmp_path / "terraform"
    program.write_text("""#!/bin/sh\necho '{"terraform_version": "1.10.5"}'\n""")
    program.chmod(0o755)

    said = refused(
        tmp_path, "plan", environment={**emulator.environment, "PATH": f"{tmp_path}:/bin:/usr/bin"}
    )

    assert "Terraform 1.10.5 is too old: install 1.11.0 or newer" in said


@pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no Terraform here")
def test_a_state_without_a_bucket_says_how_to_make_one(tmp_path: Path, emulator: Emulator) -> None:
    said = refused(tmp_path, "apply", environment=emulator.environment)

    assert "make it once with infra.bootstrap --env dev" in said


@pytest.mark.slow
@pytest.mark.terraform
@pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no Terraform here")
def test_a_plan_only_changes_nothing_and_is_told_in_json(
    tmp_path: Path, emulator: Emulator
) -> None:
    environment = emulator.environment | {"HOME": os.environ["HOME"]}
    made = json.loads(run(tmp_path, "bootstrap", "--json", environment=environment).stdout)
    assert made == {"bucket": "slm-terraform-state-dev-123456789012-eu-central-1", "made": True}

    result = run(tmp_path, "apply", "--plan-only", "--json", environment=environment)

    told = json.loads(result.stdout)
    assert told["add"] > 90
    assert (told["empty"], told["losses"]) == (False, [])
    assert "module.keys.aws_kms_key.data: Plan to create" in result.stderr
    assert json.loads(run(tmp_path, "output", "--json", environment=environment).stdout) == {}
