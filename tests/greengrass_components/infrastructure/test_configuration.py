"""The working copy of a configuration."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from greengrass_components.errors import TerraformFailedError, VariableError
from greengrass_components.infrastructure.configuration import declared_variables, prepare_stack

CONFIGURATION = Path(__file__).parents[3] / "terraform"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "main.tf").write_text('variable "answer" {\n  default = 42\n}\n')
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_source_folder_is_not_written(source: Path, work: Path) -> None:
    prepare_stack(source, work=work, variables={"answer": 1})

    assert files_of(source) == {"main.tf"}


def test_modules_are_copied_and_tests_are_not(source: Path, work: Path) -> None:
    for name in ("modules/one/main.tf", "tests/one.tftest.hcl", ".terraform/x.tf"):
        (source / name).parent.mkdir(parents=True)
        (source / name).write_text("")

    prepare_stack(source, work=work, variables={})

    assert files_of(work) == {"main.tf", "modules/one/main.tf", "edgewise.auto.tfvars.json"}


def test_values_are_those_of_the_last_call(source: Path, work: Path) -> None:
    prepare_stack(source, work=work, variables={"answer": 1})
    prepare_stack(source, work=work, variables={})

    assert json.loads((work / "edgewise.auto.tfvars.json").read_text()) == {}


def test_a_file_that_left_the_source_leaves_the_copy(source: Path, work: Path) -> None:
    (source / "more.tf").write_text("")
    prepare_stack(source, work=work, variables={})
    (source / "more.tf").unlink()

    prepare_stack(source, work=work, variables={})

    assert not (work / "more.tf").exists()


def test_a_state_in_the_copy_is_kept(source: Path, work: Path) -> None:
    prepare_stack(source, work=work, variables={})
    (work / "terraform.tfstate").write_text("{}")

    prepare_stack(source, work=work, variables={})

    assert (work / "terraform.tfstate").read_text() == "{}"


def test_the_backend_is_laid_over_the_configuration(source: Path, work: Path) -> None:
    prepare_stack(source, work=work, variables={}, backend={"bucket": "state"})

    override = json.loads((work / "backend_override.tf.json").read_text())
    assert override == {"terraform": {"backend": {"s3": {"bucket": "state"}}}}


def test_the_code_of_a_function_is_packed_beside_its_place(source: Path, work: Path) -> None:
    function = source / "modules/fleet/hook"
    function.mkdir(parents=True)
    (function / "handler.py").write_text("def handler(event, context): ...\n")
    (function / "handler.pyc").write_bytes(b"")

    prepare_stack(source, work=work, variables={})
    first = (work / "modules/fleet/hook.zip").read_bytes()
    prepare_stack(source, work=work, variables={})

    with zipfile.ZipFile(work / "modules/fleet/hook.zip") as archive:
        assert archive.namelist() == ["handler.py"]
    # A new archive for the same code would be a change of the function at every plan.
    assert (work / "modules/fleet/hook.zip").read_bytes() == first


def test_a_variable_that_does_not_exist_is_named(source: Path, work: Path) -> None:
    with pytest.raises(VariableError, match="no Terraform variable anser .*did you mean answer"):
        prepare_stack(source, work=work, variables={"anser": 1})

    assert not work.exists()


def test_a_folder_without_a_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(TerraformFailedError, match=f"no Terraform configuration in {tmp_path}"):
        prepare_stack(tmp_path, work=tmp_path / "work", variables={})

    assert not (tmp_path / "work").exists()


def test_the_committed_configuration_declares_what_the_tools_read() -> None:
    declared = declared_variables(CONFIGURATION)

    assert declared["name"] == "edgewise"
    assert {"account_id", "aws_region", "bucket_prefix", "bucket_suffix"} <= declared.keys()


def test_every_variable_and_output_is_described() -> None:
    files = [*CONFIGURATION.rglob("variables.tf"), *CONFIGURATION.rglob("outputs.tf")]
    blocks = [
        block
        for file in files
        for block in file.read_text().split("\n}\n")
        if block.lstrip().startswith(("variable", "output"))
    ]

    assert len(blocks) > 20
    assert [block for block in blocks if "  description = " not in block] == []


def test_every_variable_says_its_type_and_whether_it_may_be_null() -> None:
    bare = [
        f"{file.parent.name}: {block.split(chr(34))[1]}"
        for file in CONFIGURATION.rglob("variables.tf")
        for block in file.read_text().split("\n}\n")
        if block.lstrip().startswith("variable")
        and not ("  type " in block and ("  nullable " in block or "= null" in block))
    ]

    assert bare == []
