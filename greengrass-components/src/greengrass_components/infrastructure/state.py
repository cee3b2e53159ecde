"""Where Terraform's state lies, and who holds its lock.

The state is an object in a bucket of its own. Terraform locks it with a second object beside
it that S3 creates only if there is none
(https://developer.hashicorp.com/terraform/language/backend/s3#state-locking).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from greengrass_components.aws_errors import error_code, translating_aws_errors
from greengrass_components.errors import StateMissingError
from greengrass_components.infrastructure.account import Caller
from greengrass_components.infrastructure.environments import Environment

__all__ = [
    "StateLock",
    "backend_settings",
    "bucket_suffix",
    "check_state_bucket",
    "parse_lock",
    "state_bucket",
    "state_bucket_exists",
    "state_bucket_gaps",
]

KEY = "stack.tfstate"
"""Key of the state in its bucket."""

_LOCK_LINE = re.compile(r"^\s*(ID|Operation|Who|Created):[ \t]*(.*?)\s*$", re.MULTILINE)


class StateLock(msgspec.Struct, frozen=True):
    """What Terraform tells of a lock that somebody holds."""

    id: str
    """Needed to free it."""
    who: str
    """``user@host``."""
    since: str
    """When it was taken, such as ``2026-11-20 07:00:00 +0000 UTC``."""
    operation: str
    """What its holder does, such as ``apply``."""


def bucket_suffix(environment: Environment, caller: Caller) -> str:
    """Return the end of every bucket's name, as ``main.tf`` makes it."""
    chosen: str | None = environment.resolved["bucket_suffix"]
    return chosen or f"{environment.name}-{caller.account_id}-{caller.region}"


def state_bucket(environment: Environment, caller: Caller) -> str:
    """Return the name of the bucket that holds the state."""
    prefix = environment.resolved["bucket_prefix"]
    return f"{prefix}-terraform-state-{bucket_suffix(environment, caller)}"


def backend_settings(
    environment: Environment, caller: Caller, *, endpoint: str | None
) -> dict[str, Any]:
    """Return the settings of Terraform's S3 backend.

    Args:
        environment: whose state.
        caller: whose account.
        endpoint: URL that answers for S3; None is AWS.
    """
    settings: dict[str, Any] = {
        "bucket": state_bucket(environment, caller),
        "key": KEY,
        "region": caller.region,
        "use_lockfile": True,
    }
    if endpoint is not None:
        settings |= {
            "endpoints": {"s3": endpoint, "sts": endpoint, "iam": endpoint},
            "use_path_style": True,
            "skip_credentials_validation": True,
            "skip_metadata_api_check": True,
            "skip_region_validation": True,
            "skip_requesting_account_id": True,
        }
    return settings


def state_bucket_exists(name: str, *, region: str) -> bool:
    """Say whether the state bucket is there and readable.

    Raises:
        CloudError: AWS does not say.
    """
    import boto3
    from botocore.exceptions import ClientError

    with translating_aws_errors(f"look for the state bucket {name}"):
        try:
            boto3.session.Session(region_name=region).client("s3").head_bucket(Bucket=name)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchBucket"}:
                return False
            raise
        return True


def state_bucket_gaps(name: str, *, region: str) -> tuple[str, ...]:
    """Say what the state bucket lacks of what ``terraform/bootstrap`` gives it.

    Args:
        name: a bucket that is there.
        region: where it is.

    Returns:
        What is missing, in words; nothing when the bucket is whole.

    Raises:
        CloudError: AWS does not say.
    """
    import boto3

    with translating_aws_errors(f"look whether the state bucket {name} is whole"):
        s3 = boto3.session.Session(region_name=region).client("s3")
        answers = {what: _answer(s3, call, name) for what, (call, _) in _PROTECTIONS.items()}
    return tuple(what for what, (_, holds) in _PROTECTIONS.items() if not holds(answers[what]))


def _answer(s3: Any, call: str, bucket: str) -> dict[str, Any]:
    from botocore.exceptions import ClientError

    try:
        return dict(getattr(s3, call)(Bucket=bucket))
    except ClientError as error:
        # NoSuchBucketPolicy, NoSuchPublicAccessBlockConfiguration and their like.
        if error_code(error).startswith("NoSuch") or "NotFound" in error_code(error):
            return {}
        raise


def _is_versioned(told: dict[str, Any]) -> bool:
    return told.get("Status") == "Enabled"


def _is_encrypted(told: dict[str, Any]) -> bool:
    rules = told.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    defaults = [rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in rules]
    return any(default.get("SSEAlgorithm") == "aws:kms" for default in defaults)


def _is_private(told: dict[str, Any]) -> bool:
    blocked = told.get("PublicAccessBlockConfiguration", {})
    return bool(blocked) and all(blocked.values())


def _is_guarded(told: dict[str, Any]) -> bool:
    statements = msgspec.json.decode(told.get("Policy", "{}")).get("Statement", [])
    return any(statement["Effect"] == "Deny" for statement in statements)


_PROTECTIONS: dict[str, tuple[str, Callable[[dict[str, Any]], bool]]] = {
    "versioning": ("get_bucket_versioning", _is_versioned),
    "encryption with a key": ("get_bucket_encryption", _is_encrypted),
    "the block of public access": ("get_public_access_block", _is_private),
    "the policy of its guardians": ("get_bucket_policy", _is_guarded),
}
"""What guards the state: how S3 tells of it, and whether the answer will do."""


def check_state_bucket(environment: Environment, caller: Caller) -> None:
    """Refuse to go on without a place for the state.

    Raises:
        StateMissingError: the bucket is not there.
        CloudError: AWS does not say.
    """
    name = state_bucket(environment, caller)
    if not state_bucket_exists(name, region=caller.region):
        raise StateMissingError(
            f"the bucket for Terraform's state, {name}, does not exist yet; "
            f"make it once with infra.bootstrap --env {environment.name}",
            bucket=name,
        )


def parse_lock(text: str) -> StateLock | None:
    """Find in Terraform's words who holds the lock; None when they do not say."""
    found = dict(_LOCK_LINE.findall(text))
    if not found.get("ID"):
        return None
    return StateLock(
        id=found["ID"],
        who=found.get("Who", "somebody"),
        since=found.get("Created", "an unknown time").partition(".")[0].removesuffix(" +0000 UTC"),
        operation=found.get("Operation", "").removeprefix("OperationType").lower() or "work",
    )
