"""What tasks that need the cloud side share: its flags, opening it, and its outputs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from invoke.exceptions import Exit

from greengrass_components.commands.checkout import CHECKOUT
from greengrass_components.commands.numbers import whole_number

if TYPE_CHECKING:
    from greengrass_components.infrastructure.plan_review import Loss
    from greengrass_components.infrastructure.stack import Stack

__all__ = [
    "CONFIGURATION",
    "STACK_HELP",
    "ask_for_the_name",
    "open_from_flags",
    "source_and_values",
]

CONFIGURATION = CHECKOUT / "terraform"
"""Folder of the committed configuration."""

WORK = Path("build/infra")

STACK_HELP = {
    "env": "the environment: dev, staging or prod",
    "var": "a Terraform variable as NAME=VALUE; may be given several times",
    "var_file": "a file of Terraform variables, over the environment's; may be given several times",
    "timeout": "seconds that one command of Terraform may take; 1800 by default",
    "json": "print one JSON object",
}
"""Help of the flags that ``open_from_flags`` takes, and of ``--json``."""


def source_and_values(
    *, var: Sequence[str] | None, var_file: Sequence[str] | None, timeout: str | None
) -> dict[str, Any]:
    """Turn flags into the arguments of ``stack.open_stack`` and its like.

    Raises:
        Exit: a flag cannot be understood.
        NumberError: the timeout is no whole number.
    """
    return {
        "source": CONFIGURATION,
        "work": Path.cwd() / WORK,
        "variable_files": [Path(file) for file in var_file or []],
        "variables": dict(_variable(entry) for entry in var or []),
        # The same setting that boto3 obeys; Terraform has to be told.
        "endpoint": os.environ.get("AWS_ENDPOINT_URL") or None,
        "on_line": _say,
        "timeout_s": whole_number("timeout", timeout, default=1800),
    }


def open_from_flags(
    env: str, *, var: Sequence[str] | None, var_file: Sequence[str] | None, timeout: str | None
) -> Stack:
    """Open the stack that the flags of a task mean.

    Raises:
        TerraformError: it cannot be opened; see ``stack.open_stack``.
        CloudError: AWS cannot be used.
    """
    from greengrass_components.infrastructure.stack import open_stack

    return open_stack(env, **source_and_values(var=var, var_file=var_file, timeout=timeout))


def ask_for_the_name(given: str | None) -> Any:
    """Return the ``Confirm`` of a task: the flag, else what a person types."""

    def confirm(stack: str, losses: tuple[Loss, ...]) -> str:
        for loss in losses:
            _say(f"{loss.action} {loss.address}: {loss.what}")
        if given is not None or not sys.stdin.isatty():
            return given or ""
        question = (
            f"this loses data, or its protection. To go on, type the stack's name ({stack}): "
        )
        print(question, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip()

    return confirm


def _variable(entry: str) -> tuple[str, Any]:
    name, equals, text = entry.partition("=")
    if not (name and equals):
        raise Exit(f"--var wants NAME=VALUE, not {entry!r}", code=2)
    try:
        return name, msgspec.json.decode(text)
    except msgspec.DecodeError:
        # Not a number, true, false, null, list or object: a plain word.
        return name, text


def _say(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)
