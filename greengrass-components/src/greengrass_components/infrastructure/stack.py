"""The cloud side of one environment, from opening it to its outputs: the table of contents.

Every way in goes through ``open_stack``: the values are read, the account is checked, the
state's bucket is there, Terraform is ready. What is applied is the very plan that was
reviewed, and nothing that holds data is lost unless somebody typed the stack's name.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.storage import canonical_json, write_atomically
from greengrass_components.child_process import LineSink
from greengrass_components.errors import (
    ConfirmationError,
    StateLockedError,
    TerraformFailedError,
)
from greengrass_components.infrastructure.account import Caller, check_account, find_caller
from greengrass_components.infrastructure.adoption import (
    check_adoptions,
    import_blocks,
    import_id,
    is_name_conflict,
)
from greengrass_components.infrastructure.configuration import prepare_stack
from greengrass_components.infrastructure.environments import Environment, load_environment
from greengrass_components.infrastructure.leftovers import find_leftovers
from greengrass_components.infrastructure.plan_review import (
    Loss,
    planned_creations,
    review_losses,
)
from greengrass_components.infrastructure.preflight import check_bucket_names
from greengrass_components.infrastructure.state import (
    backend_settings,
    check_state_bucket,
    state_bucket,
    state_bucket_exists,
)
from greengrass_components.infrastructure.terraform import StackChanges, Terraform

__all__ = [
    "ApplyResult",
    "Confirm",
    "PlanResult",
    "Stack",
    "apply_stack",
    "bootstrap_state",
    "destroy_stack",
    "open_stack",
    "plan_stack",
    "unlock_stack",
]

logger = logging.getLogger(__name__)

Confirm = Callable[[str, tuple[Loss, ...]], str]
"""Called with the stack's name and what would be lost; returns what was typed."""

_BOOTSTRAP = "bootstrap"
_PLAN = "reviewed.tfplan"
_IMPORTS = "adopted.tf.json"
# Each round can bring to light what stands behind the conflicts that it solved.
_ROUNDS = 6


class Stack(msgspec.Struct, frozen=True):
    """An environment that is ready to be worked on."""

    environment: Environment
    """Its values."""
    caller: Caller
    """Whose account, and where."""
    work: Path
    """Terraform's working folder."""
    terraform: Terraform
    """Terraform in that folder."""

    @property
    def name(self) -> str:
        """The stack's name, such as ``edgewise-dev``."""
        return self.environment.stack


class PlanResult(msgspec.Struct, frozen=True):
    """What an apply or a destroy would do."""

    changes: StackChanges
    """Counts and addresses."""
    losses: tuple[Loss, ...]
    """Data that would be lost."""


class ApplyResult(msgspec.Struct, frozen=True):
    """What an apply did."""

    changes: StackChanges
    """Counts and addresses."""
    adopted: tuple[str, ...]
    """Addresses of what an interrupted apply had left and is now in the state."""
    outputs: dict[str, Any]
    """Value of every output by name."""


def open_stack(
    name: str,
    *,
    source: Path,
    work: Path,
    variable_files: Sequence[Path] = (),
    variables: Mapping[str, Any] | None = None,
    endpoint: str | None = None,
    on_line: LineSink | None = None,
    timeout_s: float = 1800.0,
) -> Stack:
    """Make an environment ready, without changing anything in the cloud.

    Args:
        name: the environment, such as ``dev``.
        source: folder of the configuration.
        work: folder below which each environment has its own.
        variable_files: files with further values.
        variables: single values, over everything else.
        endpoint: URL that answers for AWS; None is AWS itself.
        on_line: called with each line that Terraform says.
        timeout_s: seconds that one command of Terraform may take.

    Raises:
        VariableError: no such environment, file or variable.
        WrongAccountError: the credentials are of another account.
        StateMissingError: the bucket for the state is not there.
        CloudError: AWS does not answer or does not accept the credentials.
        TerraformError: Terraform cannot be made ready.
    """
    environment, caller = _who_and_where(
        name, source=source, variable_files=variable_files, variables=variables
    )
    folder = work / name
    terraform = Terraform(folder, on_line=on_line, timeout_s=timeout_s)
    terraform.version()
    check_state_bucket(environment, caller)
    prepare_stack(
        source,
        work=folder,
        variables=_with_endpoint(environment.given, endpoint),
        backend=backend_settings(environment, caller, endpoint=endpoint),
    )
    terraform.init()
    return Stack(environment=environment, caller=caller, work=folder, terraform=terraform)


def bootstrap_state(
    name: str,
    *,
    source: Path,
    work: Path,
    variable_files: Sequence[Path] = (),
    variables: Mapping[str, Any] | None = None,
    endpoint: str | None = None,
    on_line: LineSink | None = None,
    timeout_s: float = 1800.0,
) -> tuple[str, StackChanges | None]:
    """Make the bucket that an environment's state lies in; once for each environment.

    Args: as ``open_stack``.

    Returns:
        The bucket's name, and what was done: None when another machine made it.

    Raises: as ``open_stack``.
    """
    environment, caller = _who_and_where(
        name, source=source, variable_files=variable_files, variables=variables
    )
    bucket = state_bucket(environment, caller)
    folder = work / f"{name}-state"
    terraform = Terraform(folder / _BOOTSTRAP, on_line=on_line, timeout_s=timeout_s)
    terraform.version()
    is_ours = (folder / _BOOTSTRAP / "terraform.tfstate").exists()
    if not is_ours and state_bucket_exists(bucket, region=caller.region):
        return bucket, None
    prepare_stack(
        source,
        root=_BOOTSTRAP,
        work=folder,
        variables=_with_endpoint(
            {
                "account_id": caller.account_id,
                "aws_region": caller.region,
                "bucket_name": bucket,
                "environment": name,
                "name": environment.resolved["name"],
            },
            endpoint,
        ),
    )
    terraform.init()
    return bucket, terraform.apply()


def plan_stack(stack: Stack, *, destroy: bool = False) -> PlanResult:
    """Compare the configuration with the cloud; change nothing.

    Args:
        stack: the opened stack.
        destroy: plan to delete everything.

    Raises:
        BucketNameError: a bucket cannot have its name.
        StateLockedError: another Terraform works with the state.
        TerraformFailedError: Terraform refused.
    """
    with _imports(stack) as adopted:
        changes, shown = _reviewed_plan(stack, adopted, destroy=destroy)
    return PlanResult(changes=changes, losses=review_losses(shown))


def apply_stack(stack: Stack, *, confirm: Confirm) -> ApplyResult:
    """Make the cloud as the configuration says.

    What an interrupted apply of this stack left is taken over; see ``adoption``.

    Args:
        stack: the opened stack.
        confirm: asked when data would be lost; must return the stack's name.

    Raises:
        BucketNameError: a bucket cannot have its name.
        ConfirmationError: data would be lost, and something else was typed.
        StateLockedError: another Terraform works with the state.
        TerraformFailedError: Terraform refused.
    """
    with _imports(stack) as adopted:
        for round_left in reversed(range(_ROUNDS)):
            planned, shown = _reviewed_plan(stack, adopted)
            _confirm(stack, review_losses(shown), confirm)
            try:
                changes = stack.terraform.apply(_PLAN)
                break
            except TerraformFailedError as error:
                found = _conflicts(error, shown, stack.caller)
                if round_left == 0 or not found.keys() - adopted.keys():
                    raise
                logger.info("left by an interrupted apply: %s", ", ".join(sorted(found)))
                adopted.update(found)
                _write_imports(stack, adopted)
        return ApplyResult(
            changes=msgspec.structs.replace(changes, actions=planned.actions),
            adopted=tuple(sorted(adopted)),
            outputs=stack.terraform.outputs(),
        )


def destroy_stack(stack: Stack, *, confirm: Confirm) -> StackChanges:
    """Delete everything that the state knows of; the bucket of the state stays.

    Args:
        stack: the opened stack.
        confirm: asked when data would be lost; must return the stack's name.

    Raises:
        ConfirmationError: something else was typed.
        StateLockedError: another Terraform works with the state.
        TerraformFailedError: Terraform refused.
    """
    with _imports(stack):
        changes = stack.terraform.plan(destroy=True, keep=_PLAN)
        if changes.empty:
            return changes
        _confirm(stack, review_losses(stack.terraform.show(_PLAN)), confirm)
        done = stack.terraform.apply(_PLAN)
        return msgspec.structs.replace(done, actions=changes.actions)


def unlock_stack(stack: Stack, lock_id: str) -> None:
    """Free the state after a Terraform that is gone for good.

    Args:
        stack: the opened stack.
        lock_id: what the refusal said.

    Raises:
        StateLockedError: a Terraform works in this very folder.
        TerraformFailedError: there is no such lock.
    """
    if (other := stack.terraform.running()) is not None:
        raise StateLockedError(
            f"Terraform still works on {stack.name} (process {other}); wait until it is done",
            pid=other,
        )
    stack.terraform.unlock(lock_id)


def _who_and_where(
    name: str,
    *,
    source: Path,
    variable_files: Sequence[Path],
    variables: Mapping[str, Any] | None,
) -> tuple[Environment, Caller]:
    environment = load_environment(
        name, source=source, variable_files=variable_files, variables=variables
    )
    caller = find_caller(region=environment.resolved["aws_region"])
    check_account(environment, caller)
    return environment, caller


def _with_endpoint(variables: Mapping[str, Any], endpoint: str | None) -> dict[str, Any]:
    return dict(variables) if endpoint is None else {**variables, "aws_endpoint": endpoint}


def _reviewed_plan(
    stack: Stack, adopted: dict[str, str], *, destroy: bool = False
) -> tuple[StackChanges, dict[str, Any]]:
    """Plan, with what is known to have been left already imported."""
    while True:
        changes = stack.terraform.plan(destroy=destroy, keep=_PLAN)
        shown = stack.terraform.show(_PLAN)
        creations = planned_creations(shown)
        left = check_bucket_names(creations, stack=stack.name, caller=stack.caller)
        left |= find_leftovers(creations, stack=stack.name, caller=stack.caller)
        if not left.keys() - adopted.keys():
            check_adoptions(shown, stack=stack.name)
            return changes, shown
        # What stands in an adopted bucket is known only when the bucket is.
        adopted.update(left)
        _write_imports(stack, adopted)


def _confirm(stack: Stack, losses: tuple[Loss, ...], confirm: Confirm) -> None:
    if not losses:
        return
    typed = confirm(stack.name, losses)
    if typed != stack.name:
        told = ", ".join(f"{loss.action} {loss.address}" for loss in losses[:3])
        more = f" and {len(losses) - 3} more" if len(losses) > 3 else ""
        raise ConfirmationError(
            f"this would lose data ({told}{more}) and was not confirmed; nothing was changed. "
            f"If it is meant, say so with --confirm {stack.name}",
            losses=losses,
        )


def _conflicts(
    error: TerraformFailedError, shown: dict[str, Any], caller: Caller
) -> dict[str, str]:
    """Return what an apply could not make because it is there: address -> import id."""
    planned = {resource.address: resource for resource in planned_creations(shown)}
    found = {}
    for address, text in error.data["failures"]:
        if address in planned and is_name_conflict(text):
            identifier = import_id(planned[address], caller)
            if identifier is not None:
                found[address] = identifier
    return found


@contextlib.contextmanager
def _imports(stack: Stack) -> Iterator[dict[str, str]]:
    """Give the imports of one run, by address; they are gone at its end."""
    # A killed run may have left its own.
    _remove_generated(stack)
    try:
        yield {}
    finally:
        _remove_generated(stack)


def _remove_generated(stack: Stack) -> None:
    for name in (_IMPORTS, _PLAN):
        (stack.work / name).unlink(missing_ok=True)


def _write_imports(stack: Stack, adopted: dict[str, str]) -> None:
    write_atomically(stack.work / _IMPORTS, canonical_json(import_blocks(adopted)))
