"""Makes the place that an environment's state lies in, from ``terraform/bootstrap``.

Its own state is a file in the working folder, which may be lost: what is there is then known
by its names and tags, as after an interrupted apply.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from greengrass_components.child_process import LineSink
from greengrass_components.errors import BucketNameError
from greengrass_components.infrastructure.account import Caller
from greengrass_components.infrastructure.changes import Confirm, apply_stack
from greengrass_components.infrastructure.configuration import prepare_stack
from greengrass_components.infrastructure.environments import Environment
from greengrass_components.infrastructure.preflight import owner_of_bucket
from greengrass_components.infrastructure.stack import Stack, find_environment
from greengrass_components.infrastructure.state import state_bucket, state_bucket_gaps
from greengrass_components.infrastructure.terraform import StackChanges, Terraform

__all__ = ["bootstrap_state"]

logger = logging.getLogger(__name__)

_ROOT = "bootstrap"


def bootstrap_state(
    name: str,
    *,
    source: Path,
    work: Path,
    confirm: Confirm,
    variable_files: Sequence[Path] = (),
    variables: Mapping[str, Any] | None = None,
    endpoint: str | None = None,
    on_line: LineSink | None = None,
    timeout_s: float = 1800.0,
) -> tuple[str, StackChanges | None]:
    """Make the bucket that an environment's state lies in; once for each environment.

    A bucket that an interrupted bootstrap left half made is made whole.

    Args: as ``open_stack``, and ``confirm`` as ``apply_stack``.

    Returns:
        The bucket's name, and what was done: None when another machine made it.

    Raises:
        BucketNameError: there is a bucket of that name, and it is not this environment's.
        ConfirmationError: something would be lost, and was not confirmed.
        VariableError, WrongAccountError, CloudError, TerraformError: as ``open_stack``.
    """
    environment, caller = find_environment(
        name, source=source, variable_files=variable_files, variables=variables
    )
    bucket = state_bucket(environment, caller)
    # Two environments, or one in two accounts, have two buckets.
    folder = work / bucket
    root = folder / _ROOT
    terraform = Terraform(root, on_line=on_line, timeout_s=timeout_s)
    terraform.version()
    is_there = _is_there(bucket, environment, caller)
    if is_there and not (root / "terraform.tfstate").exists():
        gaps = state_bucket_gaps(bucket, region=caller.region)
        if not gaps:
            return bucket, None
        logger.info("the bucket %s lacks %s", bucket, ", ".join(gaps))
    prepare_stack(
        source,
        root=_ROOT,
        work=folder,
        variables={
            "account_id": caller.account_id,
            "aws_endpoint": endpoint,
            "aws_region": caller.region,
            "bucket_name": bucket,
            "caller_guards": name == "dev" or endpoint is not None,
            "environment": name,
            "guardian_arns": _guardians(environment, caller),
            "name": environment.resolved["name"],
            "tags": environment.resolved["tags"],
        },
    )
    terraform.init()
    place = Stack(environment=environment, caller=caller, work=root, terraform=terraform)
    return bucket, apply_stack(place, confirm=confirm).changes


def _is_there(bucket: str, environment: Environment, caller: Caller) -> bool:
    """Say whether the bucket is there; refuse one that is not this environment's."""
    owner = owner_of_bucket(bucket, caller=caller)
    if owner is not None and owner != environment.stack:
        raise BucketNameError(
            f"the bucket for Terraform's state, {bucket}, is there already and belongs to {owner} "
            f"(it has no tag Stack = {environment.stack}); choose another bucket_prefix or "
            "bucket_suffix, or delete it if nobody needs it",
            name=bucket,
        )
    return owner is not None


def _guardians(environment: Environment, caller: Caller) -> list[str]:
    """Return who may change what guards the state: the same as for the stack's buckets.

    ``main.tf`` has the reasons; whoever applies is added by the configuration.
    """
    account = f"arn:{caller.partition}:iam::{caller.account_id}"
    administrators = (
        f"{account}:role/aws-reserved/sso.amazonaws.com/"
        f"*AWSReservedSSO_{environment.stack}-administrator_*"
    )
    return [
        f"{account}:root",
        *environment.resolved["administrator_arns"],
        *([] if environment.name == "dev" else [administrators]),
    ]
