"""Terraform's language, as far as edgewise reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from greengrass_components.errors import VariableError
from greengrass_components.infrastructure.hcl import read_defaults, read_values


def written(folder: Path, text: str, name: str = "values.tfvars") -> Path:
    file = folder / name
    file.write_text(text)
    return file


class TestDefaults:
    def test_variables_of_all_files_are_found(self, tmp_path: Path) -> None:
        one = written(tmp_path, 'variable "name" {\n  default = "edgewise"\n}\n', "one.tf")
        two = written(tmp_path, 'variable "days" {\n  type = number\n  default = 7\n}', "two.tf")

        assert read_defaults([one, two]) == {"name": "edgewise", "days": 7}

    def test_no_default_is_none(self, tmp_path: Path) -> None:
        assert read_defaults([written(tmp_path, 'variable "name" {\n}\n')]) == {"name": None}

    def test_other_blocks_are_passed_over(self, tmp_path: Path) -> None:
        text = 'resource "terraform_data" "this" {\n  input = var.x\n}\nlocals {\n  a = 1\n}\n'

        assert read_defaults([written(tmp_path, text)]) == {}


class TestValues:
    def test_every_kind_of_value_is_read(self, tmp_path: Path) -> None:
        text = """
            # a comment
            name    = "edgewise"
            days    = 7
            locked  = true
            nothing = null
            stages  = ["canary", "general"]
            tags    = { Team = "voice", "Cost centre" = "42" }
        """

        assert read_values(written(tmp_path, text)) == {
            "name": "edgewise",
            "days": 7,
            "locked": True,
            "nothing": None,
            "stages": ["canary", "general"],
            "tags": {"Team": "voice", "Cost centre": "42"},
        }

    def test_a_last_line_needs_no_end(self, tmp_path: Path) -> None:
        assert read_values(written(tmp_path, "days = 7")) == {"days": 7}

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(VariableError, match=r"there is no variable file .*missing\.tfvars"):
            read_values(tmp_path / "missing.tfvars")

    def test_another_language_is_told_with_its_place(self, tmp_path: Path) -> None:
        with pytest.raises(VariableError, match="not in Terraform's language: .*line 1") as raised:
            read_values(written(tmp_path, "name: edgewise\n"))

        assert "\n" not in raised.value.message

    @pytest.mark.parametrize("value", ['"${var.x}"', '["${local.y}"]', "{ a = var.z }"])
    def test_an_expression_is_refused(self, tmp_path: Path, value: str) -> None:
        with pytest.raises(VariableError, match="gives name an expression"):
            read_values(written(tmp_path, f"name = {value}\n"))

    def test_bytes_that_are_no_text_are_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "values.tfvars"
        file.write_bytes(b"\xff\xfe")

        with pytest.raises(VariableError, match="cannot read"):
            read_values(file)
