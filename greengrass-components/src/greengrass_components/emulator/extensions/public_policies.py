"""S3: a bucket takes no policy that cannot be read, and none for everybody while it blocks those.

What counts as public is said at
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html.
"""

from __future__ import annotations

from typing import Any

from greengrass_components.errors import PolicyError
from greengrass_components.policies.conditions import Clause
from greengrass_components.policies.statements import Policy, parse_policy

__all__ = ["extend_public_policies"]

# Keys that narrow "everybody" down to somebody, where they are held against a fixed value.
_NARROWING = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
    }
)
_POSITIVE = frozenset(
    {
        "ArnEquals",
        "ArnLike",
        "IpAddress",
        "StringEquals",
        "StringEqualsIgnoreCase",
        "StringLike",
    }
)


def extend_public_policies() -> None:
    """Look at a policy before a bucket takes it."""
    from moto.s3.exceptions import S3ClientError
    from moto.s3.models import S3Backend

    put = S3Backend.put_bucket_policy

    def put_bucket_policy(backend: Any, bucket_name: str, policy: bytes | str) -> None:
        text = policy.decode() if isinstance(policy, bytes) else policy
        try:
            read = parse_policy(text, name=bucket_name, kind="resource")
        except PolicyError as error:
            raise S3ClientError("MalformedPolicy", error.message) from error
        block = backend.get_bucket(bucket_name).public_access_block
        if block is not None and block.block_public_policy and _is_public(read):
            raise S3ClientError(
                "AccessDenied",
                "User is not authorized to perform: s3:PutBucketPolicy because public policies "
                "are blocked by the BlockPublicPolicy block public access setting.",
            )
        put(backend, bucket_name, text.encode())

    setattr(S3Backend, "put_bucket_policy", put_bucket_policy)  # noqa: B010 - moto's type differs


def _is_public(policy: Policy) -> bool:
    return any(
        statement.allows
        and statement.principals is not None
        and statement.principals.everyone
        and not any(_narrows(clause) for clause in statement.clauses)
        for statement in policy.statements
    )


def _narrows(clause: Clause) -> bool:
    if clause.key not in _NARROWING or clause.operator not in _POSITIVE:
        return False
    # With IfExists or ForAllValues it also holds for somebody who does not have the key.
    if clause.if_exists or clause.quantifier == "ForAllValues":
        return False
    if clause.key == "aws:sourceip":
        return not any(value.endswith("/0") for value in clause.values)
    return not any(sign in value for value in clause.values for sign in "*?$")
