"""Reads what edgewise needs of Terraform's own language: variables and their values.

Terraform itself only warns of a value for a variable that does not exist, and only after it
has been to the network; here such a name is known before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from greengrass_components.errors import VariableError

__all__ = ["read_defaults", "read_values"]


def read_defaults(files: Iterable[Path]) -> dict[str, Any]:
    """Read the variables that a configuration declares.

    Args:
        files: the ``*.tf`` files of one module.

    Returns:
        The default by name; None where there is none, or where it is null.

    Raises:
        VariableError: a file is not HCL.
    """
    return {
        name: body.get("default")
        for file in files
        for block in _parse(file).get("variable", [])
        for name, body in block.items()
    }


def read_values(file: Path) -> dict[str, Any]:
    """Read a file of variable values (``*.tfvars``).

    Raises:
        VariableError: there is no such file, it is not HCL, or a value is an expression.
    """
    values = _parse(file)
    for name, value in values.items():
        if _is_expression(value):
            raise VariableError(
                f"{file} gives {name} an expression; a variable file holds plain values only",
                file=file,
                name=name,
            )
    return values


def _parse(file: Path) -> dict[str, Any]:
    import hcl2
    from lark.exceptions import LarkError

    options = hcl2.SerializationOptions(
        with_comments=False, explicit_blocks=False, strip_string_quotes=True
    )
    try:
        # Without an end of line after the last line the parser gives up.
        parsed: dict[str, Any] = hcl2.loads(
            file.read_text(encoding="utf-8") + "\n", serialization_options=options
        )
    except FileNotFoundError as error:
        raise VariableError(f"there is no variable file {file}", file=file) from error
    except (OSError, UnicodeDecodeError) as error:
        raise VariableError(f"cannot read {file}: {error}", file=file) from error
    except LarkError as error:
        reason = str(error).partition("\n")[0]
        raise VariableError(
            f"{file} is not in Terraform's language: {reason}", file=file
        ) from error
    return parsed


def _is_expression(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_is_expression(part) for part in value.values())
    if isinstance(value, list):
        return any(_is_expression(part) for part in value)
    return isinstance(value, str) and "${" in value
