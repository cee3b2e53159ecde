"""What can be known to fail before an apply begins: names of buckets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from greengrass_components.aws_errors import error_code, translating_aws_errors
from greengrass_components.errors import BucketNameError
from greengrass_components.infrastructure.account import Caller
from greengrass_components.infrastructure.plan_review import PlannedResource

__all__ = ["check_bucket_names"]

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
    import boto3

    buckets = [resource for resource in resources if resource.type == "aws_s3_bucket"]
    for bucket in buckets:
        name = bucket.values["bucket"]
        if not _NAME.fullmatch(name) or name.startswith(_RESERVED):
            raise BucketNameError(
                f"no bucket can be named {name!r}: 3 to 63 lower-case letters, digits and "
                "hyphens are needed; change bucket_prefix or bucket_suffix",
                name=name,
            )
    with translating_aws_errors("look for buckets"):
        s3 = boto3.session.Session(region_name=caller.region).client("s3")
        own = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} if buckets else set()
        found = {bucket.address: _owner_of(s3, bucket.values["bucket"], own) for bucket in buckets}
    left: dict[str, str] = {}
    for bucket in buckets:
        name, owner = bucket.values["bucket"], found[bucket.address]
        if owner == stack:
            left[bucket.address] = name
        elif owner is not None:
            raise BucketNameError(
                f"the bucket name {name} is taken by {owner}; "
                "choose another bucket_prefix or bucket_suffix",
                name=name,
            )
    return left


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
