"""What can be known to fail before an apply begins: names of buckets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from greengrass_components.aws_errors import error_code, translating_aws_errors
from greengrass_components.errors import BucketNameError
from greengrass_components.infrastructure.account import Caller
from greengrass_components.infrastructure.plan_review import PlannedResource

__all__ = ["check_bucket_names", "find_own_buckets", "owner_of_bucket"]

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_SOMETHING_ELSE = "something else in this account"
_RESERVED = ("xn--", "sthree-", "amzn-s3-demo-")


def check_bucket_names(
    resources: Iterable[PlannedResource], *, stack: str, caller: Caller
) -> dict[str, str]:
    """Refuse names that a bucket cannot get.

    Args:
        resources: what a plan would create.
        stack: value of the tag ``Stack`` that marks what is this stack's.
        caller: whose account.

    Returns:
        Address -> name of the buckets that an interrupted apply of this stack has made.

    Raises:
        BucketNameError: a name is invalid, taken by another account, or of something else.
        CloudError: AWS does not say.
    """
    buckets = [resource for resource in resources if resource.type == "aws_s3_bucket"]
    for bucket in buckets:
        name = bucket.values["bucket"]
        if not _NAME.fullmatch(name) or name.startswith(_RESERVED):
            raise BucketNameError(
                f"no bucket can be named {name!r}: 3 to 63 lower-case letters, digits and "
                "hyphens are needed; change bucket_prefix or bucket_suffix",
                name=name,
            )
    left: dict[str, str] = {}
    for address, (name, owner) in _owners(buckets, caller).items():
        if owner == stack:
            left[address] = name
        elif owner is not None:
            # A kill between S3's answer and the first tag leaves a bucket that nobody can tell
            # from one that was made by hand.
            emptied = (
                f", or delete it if a killed apply left it (aws s3 rb s3://{name})"
                if owner == _SOMETHING_ELSE
                else ""
            )
            raise BucketNameError(
                f"the bucket name {name} is taken by {owner}; "
                f"choose another bucket_prefix or bucket_suffix{emptied}",
                name=name,
            )
    return left


def find_own_buckets(
    resources: Iterable[PlannedResource], *, stack: str, caller: Caller
) -> dict[str, str]:
    """Find which of the planned buckets are there and this stack's.

    Args: as ``check_bucket_names``.

    Returns:
        Address -> name.

    Raises:
        CloudError: AWS does not say.
    """
    buckets = [
        resource
        for resource in resources
        if resource.type == "aws_s3_bucket" and _NAME.fullmatch(resource.values["bucket"])
    ]
    return {
        address: name
        for address, (name, owner) in _owners(buckets, caller).items()
        if owner == stack
    }


def owner_of_bucket(name: str, *, caller: Caller) -> str | None:
    """Return the stack that a bucket belongs to, who else has it, or None if nobody has.

    Raises:
        CloudError: AWS does not say.
    """
    return _owners_by_name([name], caller)[name]


def _owners(buckets: list[PlannedResource], caller: Caller) -> dict[str, tuple[str, str | None]]:
    """Return name and owner of each planned bucket, by address."""
    names = {bucket.address: str(bucket.values["bucket"]) for bucket in buckets}
    owners = _owners_by_name(list(names.values()), caller)
    return {address: (name, owners[name]) for address, name in names.items()}


def _owners_by_name(names: list[str], caller: Caller) -> dict[str, str | None]:
    import boto3

    if not names:
        return {}
    with translating_aws_errors("look for buckets"):
        s3 = boto3.session.Session(region_name=caller.region).client("s3")
        own = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
        return {name: _owner_of(s3, name, own) for name in names}


def _owner_of(s3: Any, name: str, own: set[str]) -> str | None:
    """Return the stack that a bucket belongs to, who else has it, or None if nobody has."""
    from botocore.exceptions import ClientError

    try:
        if name in own:
            tags = s3.get_bucket_tagging(Bucket=name)["TagSet"]
            stack = next((tag["Value"] for tag in tags if tag["Key"] == "Stack"), None)
            return stack or _SOMETHING_ELSE
        s3.head_bucket(Bucket=name)
    except ClientError as error:
        code = error_code(error)
        if code == "NoSuchTagSet":
            return _SOMETHING_ELSE
        if code in {"404", "NoSuchBucket"}:
            return None
        if code not in {"301", "403", "AccessDenied"}:
            raise
    return "another account"
