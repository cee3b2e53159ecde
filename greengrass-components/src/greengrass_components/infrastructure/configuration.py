"""Terraform's working folder: a copy of the configuration with its values.

The committed folder is never written. What is generated lies only in the copy: the values,
the backend and the packed code of functions.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edge_runtime.storage import canonical_json, translating_storage_errors, write_atomically
from greengrass_components.archive import pack
from greengrass_components.errors import TerraformFailedError, VariableError
from greengrass_components.infrastructure.hcl import read_defaults

__all__ = ["check_names", "declared_variables", "pack_functions", "prepare_stack"]

VARIABLES_FILE = "edgewise.auto.tfvars.json"
"""Terraform reads every ``*.auto.tfvars.json`` of its working folder by itself."""

BACKEND_FILE = "backend_override.tf.json"
"""Terraform lays every ``*_override.tf.json`` over what the other files say."""

FUNCTION_FILE = "handler.py"
"""A folder of a module that holds this file is the code of a Lambda function."""


def declared_variables(source: Path) -> dict[str, Any]:
    """Return the variables of a root module with their defaults.

    Raises:
        TerraformFailedError: ``source`` holds no configuration.
        VariableError: it is not in Terraform's language.
    """
    files = sorted(source.glob("*.tf"))
    if not files:
        raise TerraformFailedError(
            f"no Terraform configuration in {source}: it holds no .tf file", source=source
        )
    return read_defaults(files)


def check_names(names: Iterable[str], *, declared: Mapping[str, Any], where: str) -> None:
    """Refuse names that are no variables.

    Args:
        names: names of values that were given.
        declared: the variables that there are.
        where: where the values come from, for the message.

    Raises:
        VariableError: a name is unknown; the message says which one may be meant.
    """
    for name in sorted(set(names) - declared.keys()):
        near = difflib.get_close_matches(name, declared, n=1)
        hint = f"did you mean {near[0]}" if near else f"there are {', '.join(sorted(declared))}"
        raise VariableError(
            f"no Terraform variable {name} ({where}); {hint}", name=name, where=where
        )


def prepare_stack(
    source: Path,
    *,
    work: Path,
    variables: Mapping[str, Any],
    root: str = ".",
    backend: Mapping[str, Any] | None = None,
) -> Path:
    """Copy a Terraform configuration into a working folder and set its values.

    Args:
        source: folder of the configuration, with its ``modules/``.
        work: folder to make or update; a state in it is kept.
        variables: values by name; they replace those of an earlier call.
        root: folder of the root module below ``source``.
        backend: settings of the S3 backend, for a configuration that has one.

    Returns:
        The root module's folder in the copy, where Terraform runs.

    Raises:
        TerraformFailedError: ``source`` holds no configuration.
        VariableError: there is no such variable.
        StorageError: the working folder cannot be written.
    """
    check_names(variables, declared=declared_variables(source / root), where="a value")
    patterns = (f"{root}/*.tf", "modules/**/*.tf")
    files = {
        path.relative_to(source): path.read_bytes()
        for pattern in patterns
        for path in source.glob(pattern)
    }
    with translating_storage_errors(work):
        work.mkdir(parents=True, exist_ok=True)
        for path in (path for pattern in patterns for path in work.glob(pattern)):
            if path.relative_to(work) not in files:
                path.unlink()
    for name, content in files.items():
        write_atomically(work / name, content)
    pack_functions(source, work)
    write_atomically(work / root / VARIABLES_FILE, canonical_json(dict(variables)))
    if backend is not None:
        override = {"terraform": {"backend": {"s3": dict(backend)}}}
        write_atomically(work / root / BACKEND_FILE, canonical_json(override))
    return work / root


def pack_functions(source: Path, work: Path) -> None:
    """Pack the code of each Lambda function into an archive beside its place in a copy.

    Args:
        source: folder of the configuration.
        work: folder of its copy.

    Raises:
        StorageError: the working folder cannot be written.
    """
    for handler in source.glob(f"modules/*/*/{FUNCTION_FILE}"):
        archive = (work / handler.parent.relative_to(source)).with_suffix(".zip")
        pack({file.name: file for file in handler.parent.glob("*.py")}, archive)
