"""Finds what an interrupted apply left where no clash of names would tell, or not in time.

* Two keys, or two permission sets, would simply stand beside each other; a key is paid for
  every month.
* The versioning of a bucket cannot be written again: its policy forbids that to everybody.
* When a function or its permission is there, the provider tries again for minutes before it
  says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from greengrass_components.aws_errors import error_code, translating_aws_errors
from greengrass_components.infrastructure.account import Caller
from greengrass_components.infrastructure.plan_review import PlannedResource

__all__ = ["find_leftovers"]


def find_leftovers(
    resources: Sequence[PlannedResource], *, stack: str, caller: Caller
) -> dict[str, str]:
    """Find which of the planned resources exist already.

    Args:
        resources: what a plan would create.
        stack: value of the tag ``Stack`` that marks what is this stack's.
        caller: whose account.

    Returns:
        Address -> import id.

    Raises:
        CloudError: AWS does not say.
    """
    import boto3

    session = boto3.session.Session(region_name=caller.region)
    found = {}
    with translating_aws_errors("look for what an interrupted apply left"):
        for resource in resources:
            finder = _FINDERS.get(resource.type)
            identifier = finder(session, resource.values, stack) if finder else None
            if identifier is not None:
                found[resource.address] = identifier
    return found


def _find_key(session: Any, values: dict[str, Any], stack: str) -> str | None:
    kms = session.client("kms")
    for page in kms.get_paginator("list_keys").paginate():
        for entry in page["Keys"]:
            key = kms.describe_key(KeyId=entry["KeyId"])["KeyMetadata"]
            if key["KeyManager"] != "CUSTOMER" or key["KeyState"] != "Enabled":
                continue
            if key["Description"] != values.get("description"):
                continue
            tags = kms.list_resource_tags(KeyId=entry["KeyId"])["Tags"]
            if {"TagKey": "Stack", "TagValue": stack} in tags:
                return str(key["KeyId"])
    return None


def _find_versioning(session: Any, values: dict[str, Any], _: str) -> str | None:
    bucket = values.get("bucket")
    if not bucket:
        return None
    status = session.client("s3").get_bucket_versioning(Bucket=bucket).get("Status")
    return str(bucket) if status == "Enabled" else None


def _find_function(session: Any, values: dict[str, Any], _: str) -> str | None:
    name = values["function_name"]
    found = _or_none(lambda: session.client("lambda").get_function(FunctionName=name))
    return None if found is None else str(name)


def _find_permission(session: Any, values: dict[str, Any], _: str) -> str | None:
    name, statement = values.get("function_name"), values.get("statement_id")
    if not (name and statement):
        return None
    found = _or_none(lambda: session.client("lambda").get_policy(FunctionName=name))
    if found is None:
        return None
    policy = msgspec.json.decode(found["Policy"])
    known = [one["Sid"] for one in policy["Statement"]]
    return f"{name}/{statement}" if statement in known else None


def _find_permission_set(session: Any, values: dict[str, Any], _: str) -> str | None:
    sso, instance = session.client("sso-admin"), values["instance_arn"]
    for page in sso.get_paginator("list_permission_sets").paginate(InstanceArn=instance):
        for arn in page["PermissionSets"]:
            told = sso.describe_permission_set(InstanceArn=instance, PermissionSetArn=arn)
            if told["PermissionSet"]["Name"] == values["name"]:
                return f"{arn},{instance}"
    return None


def _or_none(call: Callable[[], Any]) -> Any:
    from botocore.exceptions import ClientError

    try:
        return call()
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        return None


_FINDERS: dict[str, Callable[[Any, dict[str, Any], str], str | None]] = {
    "aws_kms_key": _find_key,
    "aws_lambda_function": _find_function,
    "aws_lambda_permission": _find_permission,
    "aws_s3_bucket_versioning": _find_versioning,
    "aws_ssoadmin_permission_set": _find_permission_set,
}
