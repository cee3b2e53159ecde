"""Whose AWS account a command would work in, known before it does anything there."""

from __future__ import annotations

import msgspec

from greengrass_components.aws_errors import translating_aws_errors
from greengrass_components.errors import WrongAccountError
from greengrass_components.infrastructure.environments import Environment

__all__ = ["Caller", "check_account", "find_caller"]


class Caller(msgspec.Struct, frozen=True):
    """Who the credentials in use belong to, and where they work."""

    account_id: str
    """Twelve digits."""
    arn: str
    """The user, role or session."""
    partition: str
    """``aws``, ``aws-cn`` or ``aws-us-gov``."""
    region: str
    """Region of the calls."""


def find_caller(*, region: str | None = None) -> Caller:
    """Ask AWS who calls.

    Args:
        region: AWS region; None takes that of the environment or the profile.

    Raises:
        CloudCredentialsError: there are no credentials, or they are not accepted.
        CloudUnreachableError: nothing answers.
        CloudError: no region is set, or AWS refuses to say.
    """
    import boto3

    with translating_aws_errors("ask who calls"):
        session = boto3.session.Session(region_name=region)
        client = session.client("sts")
        found = client.get_caller_identity()
        return Caller(
            account_id=found["Account"],
            arn=found["Arn"],
            partition=found["Arn"].split(":")[1],
            region=client.meta.region_name,
        )


def check_account(environment: Environment, caller: Caller) -> None:
    """Refuse credentials of another account than the environment belongs to.

    Raises:
        WrongAccountError: they are another account's.
    """
    expected = environment.account_id
    if expected is not None and expected != caller.account_id:
        raise WrongAccountError(
            f"environment {environment.name} belongs to account {expected}, but the credentials "
            f"are of account {caller.account_id} ({caller.arn}); sign in to the right account, "
            "or mend account_id in the environment's variable file",
            expected=expected,
            account=caller.account_id,
        )
