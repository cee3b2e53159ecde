"""Environments: which value wins, and which names are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from greengrass_components.errors import VariableError
from greengrass_components.infrastructure.environments import (
    environment_names,
    load_environment,
)

CONFIGURATION = Path(__file__).parents[3] / "terraform"

VARIABLES = """
variable "name" {
  default = "edgewise"
}
variable "environment" {}
variable "account_id" {
  default = null
}
variable "days" {
  default = 7
}
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "environments").mkdir(parents=True)
    (folder / "variables.tf").write_text(VARIABLES)
    (folder / "environments/dev.tfvars").write_text("days = 1\n")
    (folder / "environments/prod.tfvars").write_text('account_id = "123456789012"\n')
    return folder


def test_the_environments_are_those_with_a_file(source: Path) -> None:
    assert environment_names(source) == ["dev", "prod"]


def test_a_stack_is_named_after_its_environment(source: Path) -> None:
    assert load_environment("prod", source=source).stack == "edgewise-prod"


def test_later_values_win(source: Path, tmp_path: Path) -> None:
    file = tmp_path / "more.tfvars"
    file.write_text('days = 2\nname = "voice"\n')

    own = load_environment("dev", source=source)
    with_file = load_environment("dev", source=source, variable_files=[file])
    with_value = load_environment(
        "dev", source=source, variable_files=[file], variables={"days": 3}
    )

    assert [one.resolved["days"] for one in (own, with_file, with_value)] == [1, 2, 3]
    assert with_value.stack == "voice-dev"


def test_defaults_are_resolved_but_not_given_to_terraform(source: Path) -> None:
    environment = load_environment("prod", source=source)

    assert environment.resolved["days"] == 7
    assert environment.given == {"account_id": "123456789012", "environment": "prod"}


def test_an_unknown_environment_is_refused_with_those_there_are(source: Path) -> None:
    with pytest.raises(VariableError, match="no environment 'qa'; there are dev, prod"):
        load_environment("qa", source=source)


def test_an_environment_is_no_path(source: Path) -> None:
    with pytest.raises(VariableError, match="no environment '../environments/dev'"):
        load_environment("../environments/dev", source=source)


def test_an_unknown_name_in_a_file_is_refused_with_the_file(source: Path, tmp_path: Path) -> None:
    file = tmp_path / "more.tfvars"
    file.write_text("dayz = 2\n")

    with pytest.raises(VariableError, match=r"no Terraform variable dayz .*more\.tfvars.* days"):
        load_environment("dev", source=source, variable_files=[file])


def test_an_unknown_single_name_is_refused(source: Path) -> None:
    with pytest.raises(VariableError, match=r"no Terraform variable colour \(--var\); there are"):
        load_environment("dev", source=source, variables={"colour": "red"})


def test_values_of_another_environment_are_refused(source: Path) -> None:
    with pytest.raises(VariableError, match="of environment 'prod', not 'dev'"):
        load_environment("dev", source=source, variables={"environment": "prod"})


def test_the_endpoint_is_not_a_value(tmp_path: Path) -> None:
    file = tmp_path / "more.tfvars"
    file.write_text('aws_endpoint = "http://127.0.0.1:9"\n')

    for given in (
        {"variable_files": [file]},
        {"variables": {"aws_endpoint": "http://127.0.0.1:9"}},
        {"variables": {"aws_endpoint": None}},
    ):
        with pytest.raises(VariableError, match="the endpoint is that of AWS_ENDPOINT_URL"):
            load_environment("dev", source=CONFIGURATION, **given)


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_the_committed_environments_can_be_loaded(name: str) -> None:
    environment = load_environment(name, source=CONFIGURATION)

    assert environment.stack == f"edgewise-{name}"
    assert (environment.account_id is None) == (name == "dev")


def test_an_account_that_looks_like_a_number_is_text(source: Path) -> None:
    environment = load_environment("dev", source=source, variables={"account_id": 123456789012})

    assert environment.account_id == environment.given["account_id"] == "123456789012"


@pytest.mark.parametrize("value", [["edgewise"], True, {"a": 1}])
def test_a_name_that_is_no_text_is_refused(source: Path, value: object) -> None:
    with pytest.raises(VariableError, match="name must be text"):
        load_environment("dev", source=source, variables={"name": value})
