"""Tasks of the namespace ``infra``: the cloud side, by Terraform."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors
from greengrass_components.commands.checkout import CHECKOUT
from greengrass_components.commands.stack_reports import cost, graph
from greengrass_components.commands.stacks import (
    CONFIGURATION,
    STACK_HELP,
    ask_for_the_name,
    open_from_flags,
    source_and_values,
)

if TYPE_CHECKING:
    from greengrass_components.infrastructure.checks import CheckReport
    from greengrass_components.infrastructure.plan_review import Loss
    from greengrass_components.infrastructure.terraform import StackChanges

__all__ = ["namespace"]

_log = logging.getLogger(__name__)

_TEST_FOLDER = Path("build/infra-test")
_REFUSED = 3
_PLAN_ONLY = "show what would be done, and stop"
_CONFIRM = "the stack's name, when data may be lost; a terminal is asked for it"


@task(help=STACK_HELP, iterable=["var", "var_file"])
def bootstrap(
    _: Context,
    env: str = "dev",
    *,
    var: list[str] | None = None,
    var_file: list[str] | None = None,
    timeout: str | None = None,
    json: bool = False,
) -> None:
    """Make the bucket that Terraform's state lies in; once for each environment."""
    from greengrass_components.infrastructure.stack import bootstrap_state

    with reporting_errors():
        bucket, changes = bootstrap_state(
            env, **source_and_values(var=var, var_file=var_file, timeout=timeout)
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
    help={**STACK_HELP, "destroy": "plan to delete everything"},
    iterable=["var", "var_file"],
)
def plan(
    _: Context,
    env: str = "dev",
    *,
    destroy: bool = False,
    var: list[str] | None = None,
    var_file: list[str] | None = None,
    timeout: str | None = None,
    json: bool = False,
) -> None:
    """Show what an apply would change, and which data it would lose."""
    with reporting_errors():
        _plan(env, destroy=destroy, var=var, var_file=var_file, timeout=timeout, json=json)


@task(
    help={**STACK_HELP, "plan_only": _PLAN_ONLY, "confirm": _CONFIRM},
    iterable=["var", "var_file"],
)
def apply(
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
    """Make the cloud side as the configuration says."""
    from greengrass_components.infrastructure.stack import apply_stack

    with reporting_errors():
        if plan_only:
            _plan(env, destroy=False, var=var, var_file=var_file, timeout=timeout, json=json)
            return
        stack = open_from_flags(env, var=var, var_file=var_file, timeout=timeout)
        result = apply_stack(stack, confirm=ask_for_the_name(confirm))
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
    from greengrass_components.infrastructure.stack import destroy_stack

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


@task(
    name="test",
    help={
        "env": "the environment that is applied to an emulator",
        "json": "print one JSON object",
    },
)
def check(_: Context, env: str = "dev", *, json: bool = False) -> None:
    """Check the configuration, and apply it whole to an emulator; no account is needed."""
    from greengrass_components.errors import ProviderUnreachableError, TerraformMissingError
    from greengrass_components.infrastructure.checks import check_configuration

    with reporting_errors():
        try:
            report = check_configuration(
                CONFIGURATION,
                picture=CHECKOUT / "docs" / "architecture.svg",
                folder=Path.cwd() / _TEST_FOLDER,
                environment=env,
                on_step=_say_step,
                on_line=_log.debug,
            )
        except (TerraformMissingError, ProviderUnreachableError) as error:
            print(f"skipped: {error.message}", file=sys.stderr)
            if json:
                print_json({"skipped": error.message})
            return
    if json:
        print_json(
            {
                "resources": report.stack.resources,
                "second_plan_changes": len(report.stack.second_plan),
                "left_after_destroy": len(report.stack.left),
                "policy_rows": report.stack.policy_rows,
                "policy_failures": len(report.stack.policy_failures),
                "checkov": {
                    "passed": report.checkov.passed,
                    "failed": len(report.checkov.failed),
                    "waived": len(report.checkov.waived),
                },
                "terraform_tests": {
                    "passed": report.tests.passed,
                    "failed": len(report.tests.failed),
                },
                "apply_seconds": round(report.stack.apply_seconds, 1),
                "failures": report.failures,
            }
        )
    else:
        _print_report(report)
    if report.failures:
        raise SystemExit(_REFUSED)


def _print_report(report: CheckReport) -> None:
    stack, checkov = report.stack, report.checkov
    print(f"terraform test: {report.tests.passed} passed, {len(report.tests.failed)} failed")
    print(
        f"stack: {stack.resources} resources applied in {stack.apply_seconds:.0f} s, "
        f"{len(stack.second_plan)} changes in a second plan, {len(stack.left)} left after destroy"
    )
    print(f"policies: {stack.policy_rows} rows, {len(stack.policy_failures)} failures")
    print(
        f"checkov: {checkov.passed} passed, {len(checkov.failed)} failed, "
        f"{len(checkov.waived)} waived with a reason"
    )
    for failure in report.failures:
        print(f"  {failure}")


def _say_step(line: str) -> None:
    print(f"== {line}", file=sys.stderr, flush=True)


def _plan(
    env: str,
    *,
    destroy: bool,
    var: list[str] | None,
    var_file: list[str] | None,
    timeout: str | None,
    json: bool,
) -> None:
    from greengrass_components.infrastructure.stack import plan_stack

    stack = open_from_flags(env, var=var, var_file=var_file, timeout=timeout)
    result = plan_stack(stack, destroy=destroy)
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
