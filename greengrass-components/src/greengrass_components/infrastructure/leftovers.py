"""Finds what an interrupted apply left: which of the planned resources are there already.

An apply would learn of most of them from a clash of names, but late, and not of all:

* Two keys, or two permission sets, would simply stand beside each other; a key is paid for
  every month.
* The versioning of a bucket cannot be written again: its policy forbids that to everybody.
* When a function or its permission is there, the provider tries again for minutes before it
  says so.

A destroy would learn of none. What goes with something else, as the encryption of a bucket
goes with the bucket, is not looked for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from greengrass_components.aws_errors import error_code, translating_aws_errors
from greengrass_components.infrastructure.account import Caller
from greengrass_components.infrastructure.adoption import import_id, naming_values
from greengrass_components.infrastructure.plan_review import PlannedResource

__all__ = ["find_leftovers"]

logger = logging.getLogger(__name__)


def find_leftovers(
    resources: Sequence[PlannedResource], *, stack: str, caller: Caller
) -> dict[str, str]:
    """Find which of the planned resources exist already, whoever made them.

    Buckets are not looked for: ``preflight`` does that. Where the right to look is missing, a
    resource counts as not there; an apply that meets it says so.

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

    account = _Account(boto3.session.Session(region_name=caller.region))
    found = {}
    with translating_aws_errors("look for what an interrupted apply left"):
        for resource in resources:
            identifier = _find(account, resource, stack=stack, caller=caller)
            if identifier is not None:
                found[resource.address] = identifier
    return found


class _Account:
    """Clients by service, and calls whose refusal is an answer too."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(service)
        return self._clients[service]

    def ask(self, service: str, operation: str, **arguments: Any) -> Any:
        """Return the answer; None when there is no such thing, or no right to know."""
        call = getattr(self.client(service), operation)
        return _answer(lambda: call(**arguments), operation, arguments)

    def list_all(self, service: str, operation: str, path: str, **arguments: Any) -> list[Any]:
        """Return what a JMESPath finds on every page; nothing where there is no right to list."""
        pages = self.client(service).get_paginator(operation).paginate(**arguments)
        return _answer(lambda: list(pages.search(path)), operation, arguments) or []


def _answer(call: Callable[[], Any], operation: str, arguments: dict[str, Any]) -> Any:
    from botocore.exceptions import ClientError

    try:
        return call()
    except ClientError as error:
        code = error_code(error)
        if code in _FORBIDDEN:
            # Keys have policies of their own; one that shuts out whoever asks is not ours.
            level = logging.DEBUG if "KeyId" in arguments else logging.WARNING
            logger.log(level, "%s: no right to ask for %s", operation, arguments or "any")
        elif code not in _NOT_THERE:
            raise
        return None


_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException"})
_NOT_THERE = frozenset(
    {
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchEntity",
        "NotFound",
        "NotFoundException",
        "ResourceNotFound",
        "ResourceNotFoundException",
        "TrailNotFoundException",
        # What IoT says of a rule that is not there.
        "UnauthorizedException",
    }
)


class _Look(msgspec.Struct, frozen=True):
    """A call that tells whether something of a name is there."""

    service: str
    operation: str
    # Filled as import ids are, which are {id}.
    arguments: dict[str, str | list[str]]
    # A JMESPath whose answer must not be empty, and what it must hold when that is given.
    path: str = "@"
    name: str | None = None


_LOOKS = {
    "aws_budgets_budget": _Look(
        "budgets", "describe_budget", {"AccountId": "{account_id}", "BudgetName": "{name}"}
    ),
    "aws_cloudtrail": _Look("cloudtrail", "get_trail", {"Name": "{name}"}),
    "aws_cloudwatch_composite_alarm": _Look(
        "cloudwatch",
        "describe_alarms",
        {"AlarmNames": ["{alarm_name}"], "AlarmTypes": ["CompositeAlarm"]},
        "CompositeAlarms",
    ),
    "aws_cloudwatch_dashboard": _Look(
        "cloudwatch", "get_dashboard", {"DashboardName": "{dashboard_name}"}
    ),
    "aws_cloudwatch_log_group": _Look(
        "logs",
        "describe_log_groups",
        {"logGroupNamePrefix": "{name}"},
        "logGroups[].logGroupName",
        "{name}",
    ),
    "aws_cloudwatch_metric_alarm": _Look(
        "cloudwatch",
        "describe_alarms",
        {"AlarmNames": ["{alarm_name}"], "AlarmTypes": ["MetricAlarm"]},
        "MetricAlarms",
    ),
    "aws_iam_openid_connect_provider": _Look(
        "iam", "get_open_id_connect_provider", {"OpenIDConnectProviderArn": "{id}"}
    ),
    "aws_iam_policy": _Look("iam", "get_policy", {"PolicyArn": "{id}"}),
    "aws_iam_role": _Look("iam", "get_role", {"RoleName": "{name}"}),
    "aws_iam_role_policy": _Look(
        "iam", "get_role_policy", {"RoleName": "{role}", "PolicyName": "{name}"}
    ),
    "aws_iot_policy": _Look("iot", "get_policy", {"policyName": "{name}"}),
    "aws_iot_provisioning_template": _Look(
        "iot", "describe_provisioning_template", {"templateName": "{name}"}
    ),
    "aws_iot_role_alias": _Look("iot", "describe_role_alias", {"roleAlias": "{alias}"}),
    "aws_iot_thing_group": _Look("iot", "describe_thing_group", {"thingGroupName": "{name}"}),
    "aws_iot_thing_type": _Look("iot", "describe_thing_type", {"thingTypeName": "{name}"}),
    "aws_iot_topic_rule": _Look("iot", "get_topic_rule", {"ruleName": "{name}"}),
    "aws_lambda_function": _Look("lambda", "get_function", {"FunctionName": "{function_name}"}),
    "aws_s3_bucket_policy": _Look("s3", "get_bucket_policy", {"Bucket": "{bucket}"}),
    "aws_sns_topic": _Look("sns", "get_topic_attributes", {"TopicArn": "{id}"}),
}
"""Kinds that have a name of our choice, so that one call tells."""


def _find(
    account: _Account, resource: PlannedResource, *, stack: str, caller: Caller
) -> str | None:
    if (finder := _FINDERS.get(resource.type)) is not None:
        return finder(account, resource.values, stack)
    look, identifier = _LOOKS.get(resource.type), import_id(resource, caller)
    if look is None or identifier is None:
        return None
    known = naming_values(resource, caller) | {"id": identifier}
    return identifier if _is_there(account, look, known) else None


def _is_there(account: _Account, look: _Look, known: dict[str, str]) -> bool:
    import jmespath

    arguments = {
        key: value.format(**known)
        if isinstance(value, str)
        else [part.format(**known) for part in value]
        for key, value in look.arguments.items()
    }
    answer = account.ask(look.service, look.operation, **arguments)
    found = jmespath.search(look.path, answer)
    return bool(found) if look.name is None else look.name.format(**known) in (found or [])


def _find_key(account: _Account, values: dict[str, Any], stack: str) -> str | None:
    for key_id in account.list_all("kms", "list_keys", "Keys[].KeyId"):
        told = account.ask("kms", "describe_key", KeyId=key_id)
        key = {} if told is None else told["KeyMetadata"]
        if key.get("KeyManager") != "CUSTOMER" or key["KeyState"] != "Enabled":
            continue
        if key["Description"] != values.get("description"):
            continue
        tags = account.ask("kms", "list_resource_tags", KeyId=key_id) or {"Tags": []}
        if {"TagKey": "Stack", "TagValue": stack} in tags["Tags"]:
            return str(key_id)
    return None


def _find_alias(account: _Account, values: dict[str, Any], _: str) -> str | None:
    aliases = account.list_all("kms", "list_aliases", "Aliases[].AliasName")
    return str(values["name"]) if values.get("name") in aliases else None


def _find_versioning(account: _Account, values: dict[str, Any], _: str) -> str | None:
    bucket = values.get("bucket")
    if not bucket:
        return None
    told = account.ask("s3", "get_bucket_versioning", Bucket=bucket) or {}
    return str(bucket) if told.get("Status") == "Enabled" else None


def _find_permission(account: _Account, values: dict[str, Any], _: str) -> str | None:
    name, statement = values.get("function_name"), values.get("statement_id")
    if not (name and statement):
        return None
    told = account.ask("lambda", "get_policy", FunctionName=name)
    if told is None:
        return None
    known = [one["Sid"] for one in msgspec.json.decode(told["Policy"])["Statement"]]
    return f"{name}/{statement}" if statement in known else None


def _find_permission_set(account: _Account, values: dict[str, Any], _: str) -> str | None:
    instance = values["instance_arn"]
    for arn in account.list_all(
        "sso-admin", "list_permission_sets", "PermissionSets[]", InstanceArn=instance
    ):
        told = account.ask(
            "sso-admin", "describe_permission_set", InstanceArn=instance, PermissionSetArn=arn
        )
        if told is not None and told["PermissionSet"]["Name"] == values["name"]:
            return f"{arn},{instance}"
    return None


def _find_assignment(account: _Account, values: dict[str, Any], _: str) -> str | None:
    parts = [values.get(name) for name in _ASSIGNMENT]
    if not all(parts):
        # The permission set itself is still to be made, or found.
        return None
    principal, kind, target, _target_type, permission_set, instance = parts
    assigned = account.list_all(
        "sso-admin",
        "list_account_assignments",
        "AccountAssignments[].[PrincipalId, PrincipalType]",
        InstanceArn=instance,
        AccountId=target,
        PermissionSetArn=permission_set,
    )
    return ",".join(map(str, parts)) if [principal, kind] in assigned else None


_ASSIGNMENT = (
    "principal_id",
    "principal_type",
    "target_id",
    "target_type",
    "permission_set_arn",
    "instance_arn",
)
"""What the import id of an assignment is made of, in its order."""

_FINDERS: dict[str, Callable[[_Account, dict[str, Any], str], str | None]] = {
    "aws_kms_alias": _find_alias,
    "aws_kms_key": _find_key,
    "aws_lambda_permission": _find_permission,
    "aws_s3_bucket_versioning": _find_versioning,
    "aws_ssoadmin_account_assignment": _find_assignment,
    "aws_ssoadmin_permission_set": _find_permission_set,
}
"""Kinds whose name is not their id, or whose being there takes more than one call to tell."""
