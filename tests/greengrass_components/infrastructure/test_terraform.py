"""Terraform as an object, tried on small real configurations."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from greengrass_components.errors import (
    ProviderUnreachableError,
    TerraformFailedError,
    TerraformMissingError,
    TerraformTimeoutError,
    TerraformTooOldError,
)
from greengrass_components.infrastructure.configuration import prepare_stack
from greengrass_components.infrastructure.terraform import StackChanges, Terraform

terraform_needed = [
    pytest.mark.terraform,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no Terraform here"),
]

# terraform_data is built into Terraform: no provider to fetch, no cloud to call.
ANSWER = """
variable "answer" {
  type    = number
  default = 42
}

resource "terraform_data" "this" {
  input = var.answer
}

output "answer" {
  value = terraform_data.this.output
}

output "words" {
  value = ["yes", "no"]
}

output "secret" {
  value     = "hush"
  sensitive = true
}
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "main.tf").write_text(ANSWER)
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


def ready(source: Path, work: Path, **variables: object) -> Terraform:
    prepare_stack(source, work=work, variables=variables)
    terraform = Terraform(work)
    terraform.init()
    return terraform


def stub(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


class TestProgram:
    def test_a_missing_program_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(TerraformMissingError, match=r"cannot run 'no-such-terraform'.*install"):
            Terraform(tmp_path, binary="no-such-terraform").init()

    def test_a_program_that_may_not_be_run_is_named(self, tmp_path: Path) -> None:
        program = Path(stub(tmp_path / "terraform", "true"))
        program.chmod(0o644)

        with pytest.raises(TerraformMissingError, match="Permission denied"):
            Terraform(tmp_path, binary=str(program)).init()

    @pytest.mark.parametrize(
        "answer",
        ['{"terraform_version": "1.10.5"}', "Terraform v0.12.31", '{"terraform_version"'],
    )
    def test_an_old_program_is_refused(self, tmp_path: Path, answer: str) -> None:
        binary = stub(tmp_path / "terraform", f"echo '{answer}'")

        with pytest.raises(TerraformTooOldError, match=r"too old: install 1\.11\.0 or newer"):
            Terraform(tmp_path, binary=binary).init()

    @pytest.mark.parametrize("version", ["1.11.0", "1.11.4", "1.15.0-beta1", "2.0.1"])
    def test_a_new_program_is_accepted(self, tmp_path: Path, version: str) -> None:
        binary = stub(tmp_path / "terraform", f"""echo '{{"terraform_version": "{version}"}}'""")

        assert Terraform(tmp_path, binary=binary).version() == version

    def test_a_missing_working_folder_is_not_taken_for_a_missing_program(
        self, tmp_path: Path
    ) -> None:
        with pytest.raises(TerraformFailedError, match=r"run infra\.init first"):
            Terraform(tmp_path / "nowhere").outputs()

    def test_a_misspelt_method_is_no_command(self, tmp_path: Path) -> None:
        with pytest.raises(AttributeError, match="aply"):
            Terraform(tmp_path).aply()

    def test_a_configuration_file_that_is_not_there_is_not_passed_on(self, tmp_path: Path) -> None:
        binary = stub(tmp_path / "terraform", 'echo "file: $TF_CLI_CONFIG_FILE"')
        missing = {**os.environ, "TF_CLI_CONFIG_FILE": str(tmp_path / "missing")}

        result = Terraform(tmp_path, binary=binary, environment=missing).cmd("version")

        assert result.out == "file: \n"

    def test_a_configuration_file_that_is_there_is_passed_on(self, tmp_path: Path) -> None:
        binary = stub(tmp_path / "terraform", 'echo "file: $TF_CLI_CONFIG_FILE"')
        present = {**os.environ, "TF_CLI_CONFIG_FILE": binary}

        result = Terraform(tmp_path, binary=binary, environment=present).cmd("version")

        assert result.out == f"file: {binary}\n"

    @pytest.mark.parametrize(("set_by_user", "passed_on"), [({}, "400"), ({"GOGC": "50"}, "50")])
    def test_garbage_is_collected_seldom_unless_the_user_says_otherwise(
        self, tmp_path: Path, set_by_user: dict[str, str], passed_on: str
    ) -> None:
        binary = stub(tmp_path / "terraform", 'echo "$GOGC"')
        variables = {name: value for name, value in os.environ.items() if name != "GOGC"}

        terraform = Terraform(tmp_path, binary=binary, environment=variables | set_by_user)

        assert terraform.cmd("version").out == f"{passed_on}\n"

    def test_no_variable_file_stays_behind(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        litter = tmp_path / "litter"
        litter.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(litter))
        binary = stub(tmp_path / "terraform", 'echo "$@"; exit 1')

        result = Terraform(tmp_path, binary=binary).cmd("plan", var={"answer": 42})

        assert str(litter) in result.out
        assert list(litter.iterdir()) == []


class TestCommands:
    pytestmark = terraform_needed

    def test_a_plan_counts_and_changes_nothing(self, source: Path, work: Path) -> None:
        terraform = ready(source, work)

        changes = terraform.plan()

        assert changes == StackChanges(
            add=1,
            change=0,
            destroy=0,
            adopt=0,
            actions=("create terraform_data.this",),
            empty=False,
        )
        assert terraform.outputs() == {}

    def test_an_apply_gives_outputs_of_every_type(self, source: Path, work: Path) -> None:
        terraform = ready(source, work, answer=43)

        terraform.apply()

        assert terraform.outputs() == {"answer": 43, "words": ["yes", "no"], "secret": "hush"}

    def test_a_second_apply_and_plan_have_nothing_to_do(self, source: Path, work: Path) -> None:
        terraform = ready(source, work)
        terraform.apply()

        assert terraform.apply().empty
        assert terraform.plan().empty

    def test_a_changed_variable_is_a_change(self, source: Path, work: Path) -> None:
        ready(source, work, answer=1).apply()

        changes = ready(source, work, answer=2).plan()

        assert (changes.change, changes.empty) == (1, False)

    def test_a_destroy_leaves_nothing(self, source: Path, work: Path) -> None:
        terraform = ready(source, work)
        terraform.apply()

        assert terraform.plan(destroy=True, keep="gone").destroy == 1
        assert terraform.apply("gone").destroy == 1
        assert terraform.cmd("state list").out == ""

    def test_progress_is_told_while_terraform_runs(self, source: Path, work: Path) -> None:
        # The resource is complete only when a line about it has been seen.
        (source / "main.tf").write_text("""
            resource "terraform_data" "slow" {
              provisioner "local-exec" {
                command = "while [ ! -e go ]; do sleep 0.05; done"
              }
            }
        """)
        lines: list[str] = []

        def answer(line: str) -> None:
            lines.append(line)
            if line == "terraform_data.slow: Creating...":
                (work / "go").touch()

        prepare_stack(source, work=work, variables={})
        terraform = Terraform(work, on_line=answer, timeout_s=60)
        terraform.init()
        terraform.apply()

        assert "terraform_data.slow: Creating..." in lines

    def test_a_command_that_takes_too_long_is_stopped_and_leaves_no_lock(
        self, source: Path, work: Path
    ) -> None:
        slow = 'resource "terraform_data" "slow" {\n provisioner "local-exec" {\n'
        slow += ' command = "exec sleep 600"\n }\n}'
        (source / "slow.tf").write_text(slow)
        ready(source, work)

        with pytest.raises(
            TerraformTimeoutError, match=r"apply took longer than 3 s.*run it again"
        ):
            Terraform(work, timeout_s=3).apply()

        assert not (work / ".terraform.tfstate.lock.info").exists()
        (source / "slow.tf").unlink()
        assert not ready(source, work).apply().empty

    def test_an_error_is_terraforms_own_first_one(self, source: Path, work: Path) -> None:
        (source / "main.tf").write_text("""
            variable "answer" {}

            resource "terraform_data" "this" {
              lifecycle {
                precondition {
                  condition     = var.answer == 42
                  error_message = "The answer is 42."
                }
              }
            }
        """)
        terraform = ready(source, work, answer=41)

        with pytest.raises(TerraformFailedError) as raised:
            terraform.apply()

        assert raised.value.message == (
            "terraform apply failed: Resource precondition failed in main.tf line 7: "
            "The answer is 42."
        )

    def test_a_configuration_that_cannot_be_read_is_no_matter_of_providers(
        self, source: Path, work: Path
    ) -> None:
        prepare_stack(source, work=work, variables={})
        (work / "main.tf").write_text("resource {")

        with pytest.raises(TerraformFailedError, match=r"terraform init failed: .*main\.tf line 1"):
            Terraform(work).init()

    def test_a_state_that_cannot_be_read_is_an_error(self, source: Path, work: Path) -> None:
        terraform = ready(source, work)
        (work / "terraform.tfstate").write_text("no state")

        with pytest.raises(TerraformFailedError, match="terraform output failed: "):
            terraform.outputs()

    def test_an_empty_mirror_is_a_provider_out_of_reach(self, tmp_path: Path, work: Path) -> None:
        empty = tmp_path / "empty"
        empty.mkdir()
        work.mkdir()
        (work / "versions.tf").write_text(
            'terraform {\n required_providers {\n aws = { source = "hashicorp/aws" }\n }\n}\n'
        )
        terraform = Terraform(
            work, environment={**os.environ, "EDGEWISE_TERRAFORM_PLUGIN_DIR": str(empty)}
        )

        with pytest.raises(ProviderUnreachableError) as raised:
            terraform.init()

        assert "hashicorp/aws" in raised.value.message
        assert "EDGEWISE_TERRAFORM_PLUGIN_DIR" in raised.value.message
