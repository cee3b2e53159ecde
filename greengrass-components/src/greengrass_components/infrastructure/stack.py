"""The cloud side of one environment: opening it, and freeing its state.

Every way in goes through ``open_stack``: the values are read, the account is checked, the
state's bucket is there, Terraform is ready. What is then done is in ``changes``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from greengrass_components.child_process import LineSink
from greengrass_components.errors import StateLockedError
from greengrass_components.infrastructure.account import Caller, check_account, find_caller
from greengrass_components.infrastructure.configuration import prepare_stack
from greengrass_components.infrastructure.environments import Environment, load_environment
from greengrass_components.infrastructure.state import backend_settings, check_state_bucket
from greengrass_components.infrastructure.terraform import Terraform

__all__ = ["Stack", "find_environment", "open_stack", "unlock_stack"]


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
    environment, caller = find_environment(
        name, source=source, variable_files=variable_files, variables=variables
    )
    folder = work / name
    terraform = Terraform(folder, on_line=on_line, timeout_s=timeout_s)
    terraform.version()
    check_state_bucket(environment, caller)
    prepare_stack(
        source,
        work=folder,
        # Written also when it is null: a variable of the shell must not set it.
        variables={**environment.given, "aws_endpoint": endpoint},
        backend=backend_settings(environment, caller, endpoint=endpoint),
    )
    terraform.init()
    return Stack(environment=environment, caller=caller, work=folder, terraform=terraform)


def find_environment(
    name: str,
    *,
    source: Path,
    variable_files: Sequence[Path] = (),
    variables: Mapping[str, Any] | None = None,
) -> tuple[Environment, Caller]:
    """Read the values of an environment, and find whose account it will work in.

    Args: as ``open_stack``.

    Raises:
        VariableError: no such environment, file or variable.
        WrongAccountError: the credentials are of another account.
        CloudError: AWS does not answer or does not accept the credentials.
    """
    environment = load_environment(
        name, source=source, variable_files=variable_files, variables=variables
    )
    caller = find_caller(region=environment.resolved["aws_region"])
    check_account(environment, caller)
    return environment, caller


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
