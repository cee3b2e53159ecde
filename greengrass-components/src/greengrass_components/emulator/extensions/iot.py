"""IoT: tags of everything that has them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from greengrass_components.emulator.extensions.tags import tag_new, tags_of

__all__ = ["extend_iot"]

# Operation -> the member of its result that is the resource's ARN.
_TAGGED = {
    "create_billing_group": "billingGroupArn",
    "create_job": "jobArn",
    "create_policy": "policyArn",
    "create_role_alias": "roleAliasArn",
    "create_thing_group": "thingGroupArn",
    "create_thing_type": "thingTypeArn",
}


def extend_iot() -> None:
    """Keep tags, of which moto has none for most."""
    from moto.core.responses import ActionResult
    from moto.iot.responses import IoTResponse

    def tagging(name: str, member: str) -> None:
        create = getattr(IoTResponse, name)

        def create_with_tags(response: Any) -> Any:
            result: Any = create(response)
            tags = response._get_param("tags") or []
            tag_new(response.iot_backend, result.result[member], tags)
            return result

        setattr(IoTResponse, name, create_with_tags)

    for name, member in _TAGGED.items():
        tagging(name, member)
    create_rule = IoTResponse.create_topic_rule

    def create_topic_rule(response: Any) -> ActionResult:
        result = create_rule(response)
        name = response._get_param("ruleName")
        arn = (
            f"arn:{response.partition}:iot:{response.region}:{response.current_account}:rule/{name}"
        )
        # This one call has its tags in a header.
        pairs = parse_qsl(response.headers.get("x-amz-tagging", ""), keep_blank_values=True)
        tags = [{"Key": key, "Value": value} for key, value in pairs]
        tag_new(response.iot_backend, arn, tags)
        return result

    def list_tags_for_resource(response: Any) -> ActionResult:
        arn = response._get_param("resourceArn")
        return ActionResult(
            {"tags": tags_of(response.iot_backend).list_tags_for_resource(arn)["Tags"]}
        )

    def tag_resource(response: Any) -> ActionResult:
        arn = response._get_param("resourceArn")
        tags_of(response.iot_backend).tag_resource(arn, response._get_param("tags"))
        return ActionResult({})

    def untag_resource(response: Any) -> ActionResult:
        arn = response._get_param("resourceArn")
        keys = response._get_param("tagKeys")
        tags_of(response.iot_backend).untag_resource_using_names(arn, keys)
        return ActionResult({})

    for method in (create_topic_rule, list_tags_for_resource, tag_resource, untag_resource):
        setattr(IoTResponse, method.__name__, method)
