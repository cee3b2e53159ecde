"""Tasks of the namespace ``infra``: the cloud side, by Terraform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors
from greengrass_components.commands.stack_reports import check, cost, graph
from greengrass_components.commands.stacks import (
    STACK_HELP,
    ask_for_the_name,
    open_from_flags,
    source_and_values,
)

if TYPE_CHECKING:
    from greengrass_components.infrastructure.plan_review import Loss
    from greengrass_components.infrastructure.terraform import StackChanges

__all__ = ["namespace"]

_PLAN_ONLY = "show what would be done, and stop"
_CONFIRM = "the stack's name, when data may be lost; a terminal is asked for it"
_REPLACE = "address of a resource to make anew; may be given several times"


@task(help={**STACK_HELP, "confirm": _CONFIRM}, iterable=["var", "var_file"])
def bootstrap(
    _: Context,
    env: str = "dev",
    *,
    confirm: str | None = None,
    var: list[str] | None = None,
    var_file: list[str] | None = None,
    timeout: str | None = None,
    json: bool = False,
) -> None:
    """Make the bucket that Terraform's state lies in; once for each environment."""
    from greengrass_components.infrastructure.bootstrap import bootstrap_state

    with reporting_errors():
        bucket, changes = bootstrap_state(
            env,
            confirm=ask_for_the_name(confirm),
            **source_and_values(var=var, var_file=var_file, timeout=timeout),
        )
        if json:
            print_json({"bucket": bucket, "made": changes is not None and not changes.empty})
        else:
            done = "is there already" if changes is None or changes.empty else "is made"
            print(f"{bucket} {done}")


@task(help=STACK_HELP, iterable=["var", "var_file"])
def init(
    _: Context,
    env: str = "dev",
    *,
    var: list[str] | None = None,
    var_file: list[str] | None = None,
    timeout: str | None = None,
    json: bool = False,
) -> None:
    """Check account and state, and get Terraform's modules and provider ready."""
    with reporting_errors():
        stack = open_from_flags(env, var=var, var_file=var_file, timeout=timeout)
        if json:
            print_json({"stack": stack.name, "caller": stack.caller, "work": stack.work})
        else:
            where = f"account {stack.caller.account_id}, {stack.caller.region}"
            print(f"{stack.name} is ready in {stack.work} ({where})")


@task(
    help={**STACK_HELP, "destroy": "plan to delete everything", "replace": _REPLACE},
    iterable=["replace", "var", "var_file"],
)
def plan(
    _: Context,
    env: str = "dev",
    *,
    destroy: bool = False,
    replace: list[str] | None = None,
    var: list[str] | None = None,
    var_file: list[str] | None = None,
    timeout: str | None = None,
    json: bool = False,
) -> None:
    """Show what an apply would change, and which data it would lose."""
    with reporting_errors():
        _plan(
            env,
            destroy=destroy,
            replace=replace,
            var=var,
            var_file=var_file,
            timeout=timeout,
            json=json,
        )


@task(
    help={**STACK_HELP, "plan_only": _PLAN_ONLY, "replace": _REPLACE, "confirm": _CONFIRM},
    iterable=["replace", "var", "var_file"],
)
def apply(
    _: Context,
    env: str = "dev",
    *,
    plan_only: bool = False,
    replace: list[str] | None = None,
    confirm: str | None = None,
    var: list[str] | None = None,
    var_file: list[str] | None = None,
    timeout: str | None = None,
    json: bool = False,
) -> None:
    """Make the cloud side as the configuration says."""
    from greengrass_components.infrastructure.changes import apply_stack

    with reporting_errors():
        if plan_only:
            _plan(
                env,
                replace=replace,
                var=var,
                var_file=var_file,
                timeout=timeout,
                json=json,
            )
            return
        stack = open_from_flags(env, var=var, var_file=var_file, timeout=timeout)
        result = apply_stack(stack, confirm=ask_for_the_name(confirm), replace=replace or ())
        if json:
            told = msgspec.to_builtins(result.changes)
            print_json({**told, "adopted": result.adopted, "outputs": result.outputs})
            return
        _print_changes("done", result.changes)
        for address in result.adopted:
            print(f"  taken over from an interrupted apply: {address}")
        _print_outputs(result.outputs)


@task(
    help={**STACK_HELP, "plan_only": _PLAN_ONLY, "confirm": _CONFIRM},
    iterable=["var", "var_file"],
)
def destroy(
    _: Context,
    env: str = "dev",
    *,
    plan_only: bool = False,
    confirm: str | None = None,
    var: list[str] | None = None,
    var_file: list[str] | None = None,
    timeout: str | None = None,
    json: bool = False,
) -> None:
    """Delete the cloud side; its name must be typed."""
    from greengrass_components.infrastructure.changes import destroy_stack

    with reporting_errors():
        if plan_only:
            _plan(env, destroy=True, var=var, var_file=var_file, timeout=timeout, json=json)
            return
        stack = open_from_flags(env, var=var, var_file=var_file, timeout=timeout)
        changes = destroy_stack(stack, confirm=ask_for_the_name(confirm))
        if json:
            print_json(changes)
        else:
            _print_changes("done", changes)


@task(help=STACK_HELP, iterable=["var", "var_file"])
def output(
    _: Context,
    env: str = "dev",
    *,
    var: list[str] | None = None,
    var_file: list[str] | None = None,
    timeout: str | None = None,
    json: bool = False,
) -> None:
    """Show the outputs of the last apply."""
    with reporting_errors():
        stack = open_from_flags(env, var=var, var_file=var_file, timeout=timeout)
        outputs = stack.terraform.outputs()
        if json:
            print_json(outputs)
        else:
            _print_outputs(outputs)


@task(
    help={**STACK_HELP, "lock_id": "the id that the refusal named"},
    iterable=["var", "var_file"],
)
def unlock(
    _: Context,
    env: str = "dev",
    *,
    lock_id: str,
    var: list[str] | None = None,
    var_file: list[str] | None = None,
    timeout: str | None = None,
    json: bool = False,
) -> None:
    """Free the state after a Terraform that is gone for good."""
    from greengrass_components.infrastructure.stack import unlock_stack

    with reporting_errors():
        stack = open_from_flags(env, var=var, var_file=var_file, timeout=timeout)
        unlock_stack(stack, lock_id)
        if json:
            print_json({"freed": lock_id})
        else:
            print(f"freed; now run infra.apply --env {env}, which goes on where it was broken off")


def _plan(
    env: str,
    *,
    destroy: bool = False,
    replace: list[str] | None = None,
    var: list[str] | None,
    var_file: list[str] | None,
    timeout: str | None,
    json: bool,
) -> None:
    from greengrass_components.infrastructure.changes import plan_stack

    stack = open_from_flags(env, var=var, var_file=var_file, timeout=timeout)
    result = plan_stack(stack, destroy=destroy, replace=replace or ())
    if json:
        print_json({**msgspec.to_builtins(result.changes), "losses": result.losses})
        return
    _print_changes("to do", result.changes)
    _print_losses(result.losses)


def _print_changes(what: str, changes: StackChanges) -> None:
    if changes.empty:
        print("nothing to change")
        return
    adopted = f", take over {changes.adopt}" if changes.adopt else ""
    print(f"{what}: add {changes.add}, change {changes.change}, destroy {changes.destroy}{adopted}")


def _print_losses(losses: tuple[Loss, ...]) -> None:
    for loss in losses:
        print(f"  LOSES DATA: {loss.action} {loss.address}: {loss.what}")


def _print_outputs(outputs: dict[str, Any]) -> None:
    width = max((len(name) for name in outputs), default=0)
    for name, value in outputs.items():
        shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        print(f"{name:<{width}}  {shown}")


namespace = Collection(
    "infra", bootstrap, init, plan, apply, destroy, output, graph, cost, unlock, check
)
