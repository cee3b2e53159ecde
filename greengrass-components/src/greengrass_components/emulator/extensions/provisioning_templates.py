"""IoT: provisioning templates with their versions.

They are kept and given back; nothing is provisioned by them here.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from greengrass_components.emulator.extensions.tags import tag_new

__all__ = ["extend_provisioning_templates"]

# https://docs.aws.amazon.com/general/latest/gr/iot-core.html, fleet provisioning limits.
_VERSIONS = 5


class _Template(msgspec.Struct):
    name: str
    arn: str
    description: str
    role: str
    enabled: bool
    kind: str
    hook: dict[str, Any] | None
    bodies: dict[int, str]
    default: int


def extend_provisioning_templates() -> None:
    """Add every call about provisioning templates."""
    from moto.core.responses import ActionResult
    from moto.iot.exceptions import ResourceAlreadyExistsException, ResourceNotFoundException
    from moto.iot.responses import IoTResponse

    def kept(response: Any) -> dict[str, _Template]:
        templates: dict[str, _Template] = vars(response.iot_backend).setdefault(
            "edgewise_templates", {}
        )
        return templates

    def named(response: Any) -> _Template:
        found = kept(response).get(response._get_param("templateName"))  # noqa: SLF001
        if found is None:
            raise ResourceNotFoundException("Template not found")
        return found

    def create_provisioning_template(response: Any) -> ActionResult:
        get = response._get_param  # noqa: SLF001
        name = get("templateName")
        place = f"{response.region}:{response.current_account}"
        arn = f"arn:{response.partition}:iot:{place}:provisioningtemplate/{name}"
        if name in kept(response):
            raise ResourceAlreadyExistsException("Template already exists", name, arn)
        kept(response)[name] = _Template(
            name=name,
            arn=arn,
            description=get("description") or "",
            role=get("provisioningRoleArn"),
            enabled=bool(get("enabled")),
            kind=get("type") or "FLEET_PROVISIONING",
            hook=get("preProvisioningHook"),
            bodies={1: get("templateBody")},
            default=1,
        )
        tag_new(response.iot_backend, arn, get("tags") or [])
        return ActionResult({"templateArn": arn, "templateName": name, "defaultVersionId": 1})

    def describe_provisioning_template(response: Any) -> ActionResult:
        found = named(response)
        return ActionResult(
            {
                "templateArn": found.arn,
                "templateName": found.name,
                "description": found.description,
                "defaultVersionId": found.default,
                "templateBody": found.bodies[found.default],
                "enabled": found.enabled,
                "provisioningRoleArn": found.role,
                "preProvisioningHook": found.hook,
                "type": found.kind,
            }
        )

    def list_provisioning_templates(response: Any) -> ActionResult:
        listed = [
            {
                "templateArn": found.arn,
                "templateName": found.name,
                "description": found.description,
                "enabled": found.enabled,
                "type": found.kind,
            }
            for _, found in sorted(kept(response).items())
        ]
        return ActionResult({"templates": listed})

    def update_provisioning_template(response: Any) -> ActionResult:
        found, get = named(response), response._get_param  # noqa: SLF001
        if (version := get("defaultVersionId")) is not None:
            if int(version) not in found.bodies:
                raise ResourceNotFoundException("Template version not found")
            found.default = int(version)
        found.description = found.description if get("description") is None else get("description")
        found.enabled = found.enabled if get("enabled") is None else bool(get("enabled"))
        found.role = get("provisioningRoleArn") or found.role
        found.hook = get("preProvisioningHook") or found.hook
        if get("removePreProvisioningHook"):
            found.hook = None
        return ActionResult({})

    def delete_provisioning_template(response: Any) -> ActionResult:
        del kept(response)[named(response).name]
        return ActionResult({})

    def create_provisioning_template_version(response: Any) -> ActionResult:
        found, get = named(response), response._get_param  # noqa: SLF001
        version = max(found.bodies) + 1
        found.bodies[version] = get("templateBody")
        if get("setAsDefault"):
            found.default = version
        return ActionResult(
            {
                "templateArn": found.arn,
                "templateName": found.name,
                "versionId": version,
                "isDefaultVersion": found.default == version,
            }
        )

    def delete_provisioning_template_version(response: Any) -> ActionResult:
        found = named(response)
        found.bodies.pop(int(response._get_param("versionId")), None)  # noqa: SLF001
        return ActionResult({})

    for method in (
        create_provisioning_template,
        describe_provisioning_template,
        list_provisioning_templates,
        update_provisioning_template,
        delete_provisioning_template,
        create_provisioning_template_version,
        delete_provisioning_template_version,
    ):
        setattr(IoTResponse, method.__name__, method)
