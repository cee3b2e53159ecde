"""Counts what there is in an account, by asking each service and not Terraform.

What a destroy leaves behind is by definition not in the state any more.
"""

from __future__ import annotations

from typing import Any

import msgspec

from greengrass_components.aws_errors import translating_aws_errors
from greengrass_components.infrastructure.account import Caller

__all__ = ["take_census"]


class _Listing(msgspec.Struct, frozen=True):
    service: str
    operation: str
    # A JMESPath that gives the names of what a page lists.
    names: str
    arguments: dict[str, Any] = {}


_LISTINGS = (
    _Listing("cloudtrail", "describe_trails", "trailList[].TrailARN"),
    _Listing(
        "cloudwatch",
        "describe_alarms",
        "[MetricAlarms, CompositeAlarms][][].AlarmArn",
        {"AlarmTypes": ["MetricAlarm", "CompositeAlarm"]},
    ),
    _Listing("cloudwatch", "list_dashboards", "DashboardEntries[].DashboardName"),
    _Listing("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList[].Arn"),
    _Listing("iam", "list_policies", "Policies[].Arn", {"Scope": "Local"}),
    _Listing("iam", "list_roles", "Roles[].Arn"),
    _Listing("iam", "list_users", "Users[].Arn"),
    _Listing("iot", "list_certificates", "certificates[].certificateArn"),
    _Listing("iot", "list_policies", "policies[].policyArn"),
    _Listing("iot", "list_provisioning_templates", "templates[].templateArn"),
    _Listing("iot", "list_role_aliases", "roleAliases[]"),
    _Listing("iot", "list_thing_groups", "thingGroups[].groupArn"),
    _Listing("iot", "list_thing_types", "thingTypes[].thingTypeArn"),
    _Listing("iot", "list_things", "things[].thingArn"),
    _Listing("iot", "list_topic_rules", "rules[].ruleArn"),
    _Listing("kms", "list_aliases", "Aliases[?TargetKeyId].AliasArn"),
    _Listing("lambda", "list_functions", "Functions[].FunctionArn"),
    _Listing("logs", "describe_log_groups", "logGroups[].arn"),
    _Listing("s3", "list_buckets", "Buckets[].Name"),
    _Listing("sns", "list_subscriptions", "Subscriptions[].SubscriptionArn"),
    _Listing("sns", "list_topics", "Topics[].TopicArn"),
)


def take_census(caller: Caller) -> frozenset[str]:
    """List what there is of every kind that the stack makes.

    A key that waits for its deletion counts as deleted: AWS deletes none at once.

    Args:
        caller: whose account, and the region.

    Returns:
        One ``<service> <name>`` for each thing.

    Raises:
        CloudError: a service does not say.
    """
    import boto3

    session = boto3.session.Session(region_name=caller.region)
    found: set[str] = set()
    with translating_aws_errors("count what there is"):
        for listing in _LISTINGS:
            client: Any = session.client(listing.service)  # type: ignore[call-overload]
            found.update(f"{listing.service} {name}" for name in _names(client, listing))
        found.update(f"kms {key}" for key in _usable_keys(session))
        budgets = _Listing(
            "budgets", "describe_budgets", "Budgets[].BudgetName", {"AccountId": caller.account_id}
        )
        found.update(f"budgets {name}" for name in _names(session.client("budgets"), budgets))
        sso = session.client("sso-admin")
        for instance in sso.list_instances()["Instances"]:
            sets = _Listing(
                "sso-admin",
                "list_permission_sets",
                "PermissionSets[]",
                {"InstanceArn": instance["InstanceArn"]},
            )
            found.update(f"sso-admin {name}" for name in _names(sso, sets))
    return frozenset(found)


def _names(client: Any, listing: _Listing) -> list[str]:
    import jmespath

    if client.can_paginate(listing.operation):
        pages = client.get_paginator(listing.operation).paginate(**listing.arguments)
    else:
        pages = [getattr(client, listing.operation)(**listing.arguments)]
    return [name for page in pages for name in jmespath.search(listing.names, page) or []]


def _usable_keys(session: Any) -> list[str]:
    kms = session.client("kms")
    keys = _names(kms, _Listing("kms", "list_keys", "Keys[].KeyArn"))
    states = {key: kms.describe_key(KeyId=key)["KeyMetadata"] for key in keys}
    return [
        key
        for key, state in states.items()
        if state["KeyManager"] == "CUSTOMER" and state["KeyState"] != "PendingDeletion"
    ]
