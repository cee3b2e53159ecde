"""Tasks of the namespace ``infra``: the cloud side, by Terraform."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors
from greengrass_components.commands.checkout import CHECKOUT
from greengrass_components.commands.numbers import whole_number

if TYPE_CHECKING:
    from greengrass_components.infrastructure.terraform import StackChanges, Terraform

__all__ = ["namespace"]

_SOURCE = CHECKOUT / "terraform"
_WORK = "build/infra"

_HELP = {
    "endpoint": "URL that answers for AWS; AWS_ENDPOINT_URL when left out, else AWS itself",
    "var": "a Terraform variable as NAME=VALUE; may be given several times",
    "work": "folder for Terraform's copy of the configuration and its state",
    "timeout": "seconds that Terraform may take; 1800 by default",
    "json": "print one JSON object",
}


@task(help=_HELP, iterable=["var"])
def init(
    _: Context,
    *,
    endpoint: str = "",
    var: list[str] | None = None,
    work: str = _WORK,
    timeout: str | None = None,
    json: bool = False,
) -> None:
    """Get Terraform's modules and provider ready."""
    with reporting_errors():
        _ready(work=work, endpoint=endpoint, var=var, timeout=timeout)
        if json:
            print_json({"work": work})
        else:
            print(f"ready in {work}")


@task(help=_HELP, iterable=["var"])
def plan(
    _: Context,
    *,
    endpoint: str = "",
    var: list[str] | None = None,
    work: str = _WORK,
    timeout: str | None = None,
    json: bool = False,
) -> None:
    """Show what an apply would change."""
    with reporting_errors():
        changes = _ready(work=work, endpoint=endpoint, var=var, timeout=timeout).plan()
        _report("to do", changes, json=json)


@task(help=_HELP, iterable=["var"])
def apply(
    _: Context,
    *,
    endpoint: str = "",
    var: list[str] | None = None,
    work: str = _WORK,
    timeout: str | None = None,
    json: bool = False,
) -> None:
    """Make the cloud side as the configuration says."""
    with reporting_errors():
        terraform = _ready(work=work, endpoint=endpoint, var=var, timeout=timeout)
        changes = terraform.apply()
        outputs = terraform.outputs()
        _report("done", changes, json=json, outputs=outputs)


@task(help={**_HELP, "yes": "really delete"}, iterable=["var"])
def destroy(
    _: Context,
    *,
    yes: bool = False,
    endpoint: str = "",
    var: list[str] | None = None,
    work: str = _WORK,
    timeout: str | None = None,
    json: bool = False,
) -> None:
    """Delete the cloud side; asks for --yes."""
    if not yes:
        raise Exit("this deletes the cloud side; say so with --yes", code=2)
    with reporting_errors():
        changes = _ready(work=work, endpoint=endpoint, var=var, timeout=timeout).destroy()
        _report("done", changes, json=json)


@task(help={"work": _HELP["work"], "json": _HELP["json"]})
def output(_: Context, *, work: str = _WORK, json: bool = False) -> None:
    """Show the outputs of the last apply."""
    from greengrass_components.infrastructure.terraform import Terraform

    with reporting_errors():
        outputs = Terraform(Path(work)).outputs()
        if json:
            print_json(outputs)
        else:
            _print_outputs(outputs)


def _ready(*, work: str, endpoint: str, var: list[str] | None, timeout: str | None) -> Terraform:
    from greengrass_components.infrastructure.terraform import Terraform, prepare_stack

    variables = dict(_variable(entry) for entry in var or [])
    if address := endpoint or os.environ.get("AWS_ENDPOINT_URL"):
        variables["aws_endpoint"] = address
    prepare_stack(_SOURCE, work=Path(work), variables=variables)
    seconds = whole_number("timeout", timeout, default=1800)
    terraform = Terraform(Path(work), on_line=_say, timeout_s=seconds)
    terraform.init()
    return terraform


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


def _report(
    what: str, changes: StackChanges, *, json: bool, outputs: dict[str, Any] | None = None
) -> None:
    if json:
        told = msgspec.to_builtins(changes)
        print_json(told if outputs is None else {**told, "outputs": outputs})
        return
    if changes.empty:
        print("nothing to change")
    else:
        print(f"{what}: add {changes.add}, change {changes.change}, destroy {changes.destroy}")
    if outputs is not None:
        _print_outputs(outputs)


def _print_outputs(outputs: dict[str, Any]) -> None:
    width = max((len(name) for name in outputs), default=0)
    for name, value in outputs.items():
        print(f"{name:<{width}}  {value}")


namespace = Collection("infra", init, plan, apply, destroy, output)
