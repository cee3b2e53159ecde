"""Everything that is checked of the cloud side without an account: the body of ``infra.test``.

Format, validity, the modules' own tests, checkov; then the whole stack on an emulator: apply,
a second plan that must be empty, every policy linted and held against the table of who may
do what, destroy, and a census of what is left.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import python_terraform

from greengrass_components.child_process import LineSink
from greengrass_components.emulator import start_emulator
from greengrass_components.errors import ChecksError
from greengrass_components.infrastructure.account import find_caller
from greengrass_components.infrastructure.architecture_picture import draw_architecture
from greengrass_components.infrastructure.bootstrap import bootstrap_state
from greengrass_components.infrastructure.census import take_census
from greengrass_components.infrastructure.changes import (
    apply_stack,
    destroy_stack,
    plan_stack,
)
from greengrass_components.infrastructure.check_report import (
    CheckReport,
    CheckSettings,
    StackReport,
    TestsReport,
)
from greengrass_components.infrastructure.checkov import prepare_checkov, run_checkov
from greengrass_components.infrastructure.configuration import pack_functions
from greengrass_components.infrastructure.cost import COMMITTED, take_inventory
from greengrass_components.infrastructure.stack import open_stack
from greengrass_components.infrastructure.terraform import Terraform
from greengrass_components.infrastructure.terraform_messages import first_error, json_messages
from greengrass_components.policies.access import check_access
from greengrass_components.policies.lint import lint_policies
from greengrass_components.policies.names import managed_resources

__all__ = ["check_configuration"]

TABLE = Path("tests/access.toml")
"""Who may do what, below the configuration."""

EVERYTHING = Path("examples/full.tfvars")
"""Values that switch on every part of the configuration."""

_OWN_SETTINGS = ("AWS_", "TF_VAR_")


def check_configuration(
    source: Path,
    *,
    picture: Path,
    folder: Path,
    settings: CheckSettings,
    environment: str = "dev",
    on_step: LineSink,
    on_line: LineSink,
) -> CheckReport:
    """Check the configuration of the cloud side in every way.

    Only an emulator of its own is called, whatever AWS settings this process has.

    Args:
        source: the configuration.
        picture: the committed drawing of the stack.
        folder: for copies, state and logs; emptied first.
        settings: what is expected.
        environment: the environment to apply.
        on_step: told of each step, and how long it took.
        on_line: told what Terraform says.

    Raises:
        TerraformError: Terraform or the provider is missing, or the configuration cannot be
            applied at all.
        ChecksError: checkov does not work.
    """
    shutil.rmtree(folder, ignore_errors=True)
    copy = folder / "configuration"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    pack_functions(source, copy)
    steps = _Steps(on_step)
    with _without_own_settings():
        terraform = Terraform(copy, on_line=on_line)
        bootstrap = Terraform(copy / "bootstrap", on_line=on_line)
        steps.run("init", lambda: _init(terraform, bootstrap))
        badly_formatted = steps.run("fmt", lambda: _badly_formatted(terraform))
        steps.run("validate", lambda: _validate(terraform, bootstrap))
        tests = steps.run("terraform test", lambda: _run_tests(terraform))
        program = prepare_checkov(on_line=on_step)
        checkov = steps.run("checkov", lambda: run_checkov(program, copy))
        with start_emulator(folder / "emulator") as emulator, using(emulator.environment):
            stack = _try_stack(
                source,
                picture=picture,
                work=folder / "work",
                settings=settings,
                environment=environment,
                endpoint=emulator.endpoint,
                steps=steps,
                on_line=on_line,
            )
    return CheckReport(badly_formatted=badly_formatted, tests=tests, stack=stack, checkov=checkov)


class _Steps:
    def __init__(self, on_step: LineSink) -> None:
        self._on_step = on_step
        self.seconds: dict[str, float] = {}

    def run(self, what: str, work: Callable[[], Any]) -> Any:
        start = time.monotonic()
        result = work()
        self.seconds[what] = time.monotonic() - start
        self._on_step(f"{what}: {self.seconds[what]:.1f} s")
        return result


def _badly_formatted(terraform: Terraform) -> tuple[str, ...]:
    result = terraform.cmd(
        "fmt",
        show=False,
        check=python_terraform.IsFlagged,
        recursive=python_terraform.IsFlagged,
    )
    return tuple(result.out.split())


def _init(*roots: Terraform) -> None:
    for root in roots:
        root.init(backend=False)


def _validate(*roots: Terraform) -> None:
    for root in roots:
        result = root.cmd("validate", show=False, json=python_terraform.IsFlagged)
        told = msgspec.json.decode(result.out)
        if not told["valid"] or told["warning_count"]:
            first = told["diagnostics"][0]
            raise ChecksError(
                f"the configuration is not valid: {first['summary']}: {first['detail']}"
            )


def _run_tests(terraform: Terraform) -> TestsReport:
    result = terraform.cmd("test", json=python_terraform.IsFlagged)
    passed, failed = 0, []
    for message in json_messages(result.out):
        if message.get("type") == "test_run" and message["test_run"].get("progress") == "complete":
            run = message["test_run"]
            if run["status"] == "pass":
                passed += 1
            else:
                failed.append(f"{run['path']} {run['run']}: {run['status']}")
        elif message.get("type") == "diagnostic" and message["@level"] == "error":
            failed.append(str(message["@message"]))
    if result.code != 0 and not failed:
        failed.append(first_error(result))
    if not passed:
        failed.append("no test ran")
    return TestsReport(passed=passed, failed=tuple(failed))


def _try_stack(
    source: Path,
    *,
    picture: Path,
    work: Path,
    settings: CheckSettings,
    environment: str,
    endpoint: str,
    steps: _Steps,
    on_line: LineSink,
) -> StackReport:
    options: dict[str, Any] = {
        "source": source,
        "work": work,
        "endpoint": endpoint,
        "on_line": on_line,
        "variable_files": [source / EVERYTHING],
        # The emulator is thrown away with all that is in it.
        "variables": {"force_destroy": True} if environment != "prod" else {},
    }
    steps.run("bootstrap", lambda: bootstrap_state(environment, confirm=_typed, **options))
    caller = find_caller()
    before = take_census(caller)
    stack = open_stack(environment, **options)
    steps.run("apply", lambda: apply_stack(stack, confirm=_typed))
    state = stack.terraform.show()
    second = steps.run("second plan", lambda: plan_stack(stack).changes)
    access = steps.run("policies", lambda: check_access(state, source / TABLE))
    findings = steps.run("policy lint", lambda: lint_policies(state))
    steps.run("destroy", lambda: destroy_stack(stack, confirm=_typed))
    left = take_census(caller) - before
    return StackReport(
        resources=len(list(managed_resources(state))),
        apply_seconds=steps.seconds["apply"],
        apply_limit_seconds=settings.apply_limit_s,
        second_plan=second.actions,
        left=tuple(sorted(left)),
        policy_rows=access.rows,
        policy_failures=(*access.failures, *(str(finding) for finding in findings)),
        # Both are of dev with everything switched on.
        out_of_date=tuple(_out_of_date(state, picture)) if environment == "dev" else (),
    )


def _out_of_date(state: Mapping[str, Any], picture: Path) -> Iterator[str]:
    if not picture.is_file() or picture.read_text(encoding="utf-8") != draw_architecture(state):
        yield (
            f"{picture.name}: apply with --var-file {EVERYTHING}, then draw it again with "
            f"infra.graph --to {picture}"
        )
    if take_inventory(state) != COMMITTED:
        yield "the inventory that infra.cost counts with (COMMITTED in cost.py)"


def _typed(stack: str, _: object) -> str:
    return stack


@contextlib.contextmanager
def _without_own_settings() -> Iterator[None]:
    """Take the user's account out of reach."""
    taken = {name: os.environ[name] for name in os.environ if name.startswith(_OWN_SETTINGS)}
    for name in taken:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(taken)


@contextlib.contextmanager
def using(environment: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
