"""Takes back what an interrupted apply made and could not write down any more.

Terraform saves its state every 20 seconds and at the end. When it is killed in between,
resources exist that it does not know of, and the next apply fails on their names. Each such
resource of this stack, told by its name and its tags, is imported
(https://developer.hashicorp.com/terraform/language/import); anybody else's is refused.
"""

from __future__ import annotations

from typing import Any

from greengrass_components.errors import TerraformFailedError
from greengrass_components.infrastructure.account import Caller
from greengrass_components.infrastructure.plan_review import PlannedResource, tags_of

__all__ = ["check_adoptions", "import_blocks", "import_id", "is_name_conflict"]

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
    "aws_cloudwatch_log_group": "{name}",
    "aws_cloudwatch_metric_alarm": "{alarm_name}",
    "aws_iam_openid_connect_provider": "arn:{partition}:iam::{account_id}:oidc-provider/{host}",
    "aws_iam_policy": "arn:{partition}:iam::{account_id}:policy{path}{name}",
    "aws_iam_role": "{name}",
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
    "aws_sagemaker_model_package_group": "{model_package_group_name}",
    "aws_sns_topic": "arn:{partition}:sns:{region}:{account_id}:{name}",
}


def is_name_conflict(text: str) -> bool:
    """Say whether an error of Terraform's is that something of that name is there already."""
    lowered = text.lower()
    return any(word in lowered for word in _CONFLICTS)


def import_id(resource: PlannedResource, caller: Caller) -> str | None:
    """Return the id that imports a resource; None where its type has no name of our choice."""
    template = _IDS.get(resource.type)
    if template is None:
        return None
    known = {key: value for key, value in resource.values.items() if isinstance(value, str)}
    known.setdefault("path", "/")
    known["host"] = known.get("url", "").removeprefix("https://")
    try:
        return template.format(
            **known
            | {
                "partition": caller.partition,
                "account_id": caller.account_id,
                "region": caller.region,
            }
        )
    except KeyError:
        # Its name is itself only known later.
        return None


def import_blocks(ids: dict[str, str]) -> dict[str, Any]:
    """Return a configuration (``*.tf.json``) that imports resources, by address."""
    return {"import": [{"to": address, "id": ids[address]} for address in sorted(ids)]}


def check_adoptions(plan: dict[str, Any], *, stack: str) -> tuple[str, ...]:
    """Refuse to take over what is not this stack's.

    Args:
        plan: a plan with imports, as ``terraform show -json`` gives it.
        stack: value of the tag ``Stack`` that marks what is this stack's.

    Returns:
        Addresses of what will be imported.

    Raises:
        TerraformFailedError: something of that name is there and is not this stack's.
    """
    adopted = []
    for change in plan.get("resource_changes", []):
        importing = change["change"].get("importing")
        if importing is None:
            continue
        tags = tags_of(change)
        if tags is not None and tags.get("Stack") != stack:
            raise TerraformFailedError(
                f"{change['address']} cannot be made: {importing['id']} is there already and does "
                f"not belong to {stack} (it has no tag Stack = {stack}); choose another name for "
                "the stack, or delete it if nobody needs it",
                address=change["address"],
            )
        adopted.append(change["address"])
    return tuple(adopted)
