"""Environments: one file of values each, over the defaults of the configuration.

Order, low to high: defaults of ``variables.tf`` < ``environments/<name>.tfvars`` < further
variable files < single values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from greengrass_components.errors import VariableError
from greengrass_components.infrastructure.configuration import check_names, declared_variables
from greengrass_components.infrastructure.hcl import read_values

__all__ = ["Environment", "environment_names", "load_environment"]

# What names are made of, before Terraform has looked at a value.
_TEXTS = ("account_id", "aws_region", "bucket_prefix", "bucket_suffix", "name")

FOLDER = "environments"
"""Where the files lie, below the configuration."""


class Environment(msgspec.Struct, frozen=True):
    """The values of one environment."""

    name: str
    """Name, such as ``dev``."""
    given: dict[str, Any]
    """Values that differ from a default, for Terraform."""
    resolved: dict[str, Any]
    """Values of all variables; None where only AWS or the user's settings know."""

    @property
    def stack(self) -> str:
        """The name of the stack, which starts every name of its resources."""
        return f"{self.resolved['name']}-{self.name}"

    @property
    def account_id(self) -> str | None:
        """The AWS account that the environment belongs to; None when it does not say."""
        account: str | None = self.resolved["account_id"]
        return account


def environment_names(source: Path) -> list[str]:
    """Return the environments that a configuration comes with, sorted."""
    return sorted(path.stem for path in (source / FOLDER).glob("*.tfvars"))


def load_environment(
    name: str,
    *,
    source: Path,
    variable_files: Sequence[Path] = (),
    variables: Mapping[str, Any] | None = None,
) -> Environment:
    """Gather the values of an environment.

    Args:
        name: one of ``environment_names``.
        source: folder of the configuration.
        variable_files: further files, later ones over earlier ones.
        variables: single values, over everything else.

    Raises:
        VariableError: there is no such environment, file or variable, or it is not for a user
            to set.
        TerraformFailedError: ``source`` holds no configuration.
    """
    declared = declared_variables(source)
    own = source / FOLDER / f"{name}.tfvars"
    if name not in environment_names(source):
        raise VariableError(
            f"there is no environment {name!r}; there are {', '.join(environment_names(source))}",
            name=name,
        )
    given: dict[str, Any] = {}
    for file in (own, *variable_files):
        values = read_values(file)
        check_names(values, declared=declared, where=str(file))
        given.update(values)
    single = dict(variables or {})
    check_names(single, declared=declared, where="--var")
    given.update(single)
    if "aws_endpoint" in given:
        raise VariableError(
            "aws_endpoint is no value to set: the endpoint is that of AWS_ENDPOINT_URL, which "
            "every task obeys; leave aws_endpoint out of variable files and --var",
            name="aws_endpoint",
        )
    if given.get("environment", name) != name:
        raise VariableError(
            f"the values are of environment {given['environment']!r}, not {name!r}; "
            "leave environment out of variable files",
            name=name,
        )
    given["environment"] = name
    for text in _TEXTS:
        # An account looks like a number, and --var and HCL take it for one.
        if isinstance(given.get(text), int) and not isinstance(given[text], bool):
            given[text] = str(given[text])
        if not isinstance(given.get(text), str | None):
            raise VariableError(f"{text} must be text, not {given[text]!r}", name=text)
    return Environment(name=name, given=given, resolved={**declared, **given})
