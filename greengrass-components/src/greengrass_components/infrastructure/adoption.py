"""Takes back what an interrupted apply made and could not write down any more.

Terraform saves its state every 20 seconds and at the end. When it is killed in between,
resources exist that it does not know of, and the next apply fails on their names. Each such
resource of this stack, told by its name and its tags, is imported
(https://developer.hashicorp.com/terraform/language/import); anybody else's is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from greengrass_components.errors import TerraformFailedError
from greengrass_components.infrastructure.account import Caller
from greengrass_components.infrastructure.plan_review import (
    PlannedResource,
    planned_creations,
    tags_of,
)

__all__ = [
    "check_adoptions",
    "find_conflicts",
    "import_blocks",
    "import_id",
    "is_name_conflict",
    "naming_values",
    "strangers",
]

_CONFLICTS = (
    "alreadyexists",
    "already exists",
    "alreadyownedbyyou",
    "duplicaterecord",
    "conflictexception",
    "resourceconflict",
)

# Import id by type, from what the plan says of the resource. {partition}, {account_id} and
# {region} are those of the caller.
_IDS = {
    "aws_budgets_budget": "{account_id}:{name}",
    "aws_cloudtrail": "arn:{partition}:cloudtrail:{region}:{account_id}:trail/{name}",
    "aws_cloudwatch_composite_alarm": "{alarm_name}",
    "aws_cloudwatch_dashboard": "{dashboard_name}",
    "aws_cloudwatch_log_group": "{name}",
    "aws_cloudwatch_metric_alarm": "{alarm_name}",
    "aws_iam_openid_connect_provider": "arn:{partition}:iam::{account_id}:oidc-provider/{host}",
    "aws_iam_policy": "arn:{partition}:iam::{account_id}:policy{path}{name}",
    "aws_iam_role": "{name}",
    "aws_iam_role_policy": "{role}:{name}",
    "aws_iot_policy": "{name}",
    "aws_iot_provisioning_template": "{name}",
    "aws_iot_role_alias": "{alias}",
    "aws_iot_thing_group": "{name}",
    "aws_iot_thing_type": "{name}",
    "aws_iot_topic_rule": "{name}",
    "aws_kms_alias": "{name}",
    "aws_lambda_function": "{function_name}",
    "aws_lambda_permission": "{function_name}/{statement_id}",
    "aws_s3_bucket": "{bucket}",
    "aws_s3_bucket_policy": "{bucket}",
    "aws_sagemaker_model_package_group": "{model_package_group_name}",
    "aws_sns_topic": "arn:{partition}:sns:{region}:{account_id}:{name}",
}


def is_name_conflict(text: str) -> bool:
    """Say whether an error of Terraform's is that something of that name is there already."""
    lowered = text.lower()
    return any(word in lowered for word in _CONFLICTS)


def find_conflicts(
    failures: Sequence[tuple[str, str]], plan: dict[str, Any], caller: Caller
) -> dict[str, str]:
    """Return what an apply could not make because it is there already: address -> import id.

    Args:
        failures: (address, text) of each error of the apply.
        plan: what was applied, as ``terraform show -json`` gives it.
        caller: whose account.
    """
    planned = {resource.address: resource for resource in planned_creations(plan)}
    found = {
        address: import_id(planned[address], caller)
        for address, text in failures
        if address in planned and is_name_conflict(text)
    }
    return {address: identifier for address, identifier in found.items() if identifier}


def import_id(resource: PlannedResource, caller: Caller) -> str | None:
    """Return the id that imports a resource; None where its type has no name of our choice."""
    template = _IDS.get(resource.type)
    if template is None:
        return None
    try:
        return template.format(**naming_values(resource, caller))
    except KeyError:
        # Its name is itself only known later.
        return None


def naming_values(resource: PlannedResource, caller: Caller) -> dict[str, str]:
    """Return what ids and names of a resource are made of, as far as it is known."""
    known = {key: value for key, value in resource.values.items() if isinstance(value, str)}
    known.setdefault("path", "/")
    known["host"] = known.get("url", "").removeprefix("https://")
    return known | {
        "partition": caller.partition,
        "account_id": caller.account_id,
        "region": caller.region,
    }


def import_blocks(ids: dict[str, str]) -> dict[str, Any]:
    """Return a configuration (``*.tf.json``) that imports resources, by address."""
    return {"import": [{"to": address, "id": ids[address]} for address in sorted(ids)]}


def strangers(plan: dict[str, Any], *, stack: str) -> dict[str, str]:
    """Return what a plan would take over and is not this stack's: address -> import id.

    What has no tags is told by its name alone.

    Args:
        plan: a plan with imports, as ``terraform show -json`` gives it.
        stack: value of the tag ``Stack`` that marks what is this stack's.
    """
    found = {}
    for change in plan.get("resource_changes", []):
        importing = change["change"].get("importing")
        tags = tags_of(change)
        if importing is not None and tags is not None and tags.get("Stack") != stack:
            found[change["address"]] = importing["id"]
    return found


def check_adoptions(plan: dict[str, Any], *, stack: str) -> None:
    """Refuse to take over what is not this stack's.

    Args: as ``strangers``.

    Raises:
        TerraformFailedError: something of that name is there and is not this stack's.
    """
    for address, identifier in strangers(plan, stack=stack).items():
        raise TerraformFailedError(
            f"{address} cannot be made: {identifier} is there already and does not belong to "
            f"{stack} (it has no tag Stack = {stack}); choose another name for the stack, or "
            "delete it if nobody needs it",
            address=address,
        )
