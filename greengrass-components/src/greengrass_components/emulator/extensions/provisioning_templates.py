"""IoT: provisioning templates with their versions.

They are kept and given back; nothing is provisioned by them here. Limits are those of
https://docs.aws.amazon.com/general/latest/gr/iot-core.html.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from greengrass_components.emulator.extensions.tags import tag_new

__all__ = ["extend_provisioning_templates"]

_VERSIONS = 5
_BODY_BYTES = 10_240


class _Template(msgspec.Struct):
    name: str
    arn: str
    description: str
    role: str
    enabled: bool
    kind: str
    hook: dict[str, Any] | None
    bodies: dict[int, str]
    """By the number of the version."""
    default: int
    newest: int = 1
    """A number is not used again when its version is deleted."""


def extend_provisioning_templates() -> None:
    """Add every call about templates and about their versions."""
    _extend_templates()
    _extend_versions()


def _extend_templates() -> None:
    from moto.core.responses import ActionResult
    from moto.iot.exceptions import ResourceAlreadyExistsException
    from moto.iot.responses import IoTResponse

    def create_provisioning_template(response: Any) -> ActionResult:
        get = response._get_param
        name = get("templateName")
        place = f"{response.region}:{response.current_account}"
        arn = f"arn:{response.partition}:iot:{place}:provisioningtemplate/{name}"
        if name in _kept(response):
            raise ResourceAlreadyExistsException("Template already exists", name, arn)
        _kept(response)[name] = _Template(
            name=name,
            arn=arn,
            description=get("description") or "",
            role=get("provisioningRoleArn"),
            enabled=bool(get("enabled")),
            kind=get("type") or "FLEET_PROVISIONING",
            hook=get("preProvisioningHook"),
            bodies={1: _body(response)},
            default=1,
        )
        tag_new(response.iot_backend, arn, get("tags") or [])
        return ActionResult({"templateArn": arn, "templateName": name, "defaultVersionId": 1})

    def describe_provisioning_template(response: Any) -> ActionResult:
        found = _named(response)
        return ActionResult(
            {
                **_summary(found),
                "defaultVersionId": found.default,
                "templateBody": found.bodies[found.default],
                "provisioningRoleArn": found.role,
                "preProvisioningHook": found.hook,
            }
        )

    def list_provisioning_templates(response: Any) -> ActionResult:
        listed = [_summary(found) for _, found in sorted(_kept(response).items())]
        return ActionResult({"templates": listed})

    def update_provisioning_template(response: Any) -> ActionResult:
        found, get = _named(response), response._get_param
        if get("defaultVersionId") is not None:
            found.default = _version(response, found, "defaultVersionId")
        found.description = found.description if get("description") is None else get("description")
        found.enabled = found.enabled if get("enabled") is None else bool(get("enabled"))
        found.role = get("provisioningRoleArn") or found.role
        found.hook = get("preProvisioningHook") or found.hook
        if get("removePreProvisioningHook"):
            found.hook = None
        return ActionResult({})

    def delete_provisioning_template(response: Any) -> ActionResult:
        del _kept(response)[_named(response).name]
        return ActionResult({})

    for method in (
        create_provisioning_template,
        describe_provisioning_template,
        list_provisioning_templates,
        update_provisioning_template,
        delete_provisioning_template,
    ):
        setattr(IoTResponse, method.__name__, method)


def _extend_versions() -> None:
    from moto.core.responses import ActionResult
    from moto.iot.exceptions import DeleteConflictException, VersionsLimitExceededException
    from moto.iot.responses import IoTResponse

    def create_provisioning_template_version(response: Any) -> ActionResult:
        found = _named(response)
        if len(found.bodies) >= _VERSIONS:
            raise VersionsLimitExceededException(found.name)
        body = _body(response)
        found.newest += 1
        found.bodies[found.newest] = body
        if response._get_param("setAsDefault"):
            found.default = found.newest
        return ActionResult(
            {
                "templateArn": found.arn,
                "templateName": found.name,
                "versionId": found.newest,
                "isDefaultVersion": found.default == found.newest,
            }
        )

    def describe_provisioning_template_version(response: Any) -> ActionResult:
        found = _named(response)
        version = _version(response, found, "versionId")
        return ActionResult(
            {
                "versionId": version,
                "templateBody": found.bodies[version],
                "isDefaultVersion": version == found.default,
            }
        )

    def list_provisioning_template_versions(response: Any) -> ActionResult:
        found = _named(response)
        listed = [
            {"versionId": version, "isDefaultVersion": version == found.default}
            for version in sorted(found.bodies)
        ]
        return ActionResult({"versions": listed})

    def delete_provisioning_template_version(response: Any) -> ActionResult:
        found = _named(response)
        version = _version(response, found, "versionId")
        if version == found.default:
            raise DeleteConflictException("Cannot delete the default version of a template")
        del found.bodies[version]
        return ActionResult({})

    for method in (
        create_provisioning_template_version,
        describe_provisioning_template_version,
        list_provisioning_template_versions,
        delete_provisioning_template_version,
    ):
        setattr(IoTResponse, method.__name__, method)


def _kept(response: Any) -> dict[str, _Template]:
    templates: dict[str, _Template] = vars(response.iot_backend).setdefault(
        "edgewise_templates", {}
    )
    return templates


def _named(response: Any) -> _Template:
    from moto.iot.exceptions import ResourceNotFoundException

    found = _kept(response).get(response._get_param("templateName"))
    if found is None:
        raise ResourceNotFoundException("Template not found")
    return found


def _version(response: Any, found: _Template, member: str) -> int:
    from moto.iot.exceptions import ResourceNotFoundException

    version = int(response._get_param(member))
    if version not in found.bodies:
        raise ResourceNotFoundException("Template version not found")
    return version


def _summary(found: _Template) -> dict[str, Any]:
    return {
        "templateArn": found.arn,
        "templateName": found.name,
        "description": found.description,
        "enabled": found.enabled,
        "type": found.kind,
    }


def _body(response: Any) -> str:
    from moto.iot.exceptions import InvalidRequestException

    body: str = response._get_param("templateBody")
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict) or len(body.encode()) > _BODY_BYTES:
        raise InvalidRequestException("The template body is not valid.")
    return body
