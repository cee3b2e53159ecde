"""Greengrass v2, which moto has not: components, deployments, core devices.

Calls are parsed and answered from botocore's own model of the service; ``component_store``
and ``deployment_store`` hold the rules. v1 and v2 share one host, so the calls of v2 are
hooked into moto's v1 by their path.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.responses import ActionResult, BaseResponse, EmptyResult
from moto.core.utils import utcnow

from greengrass_components.emulator.extensions.component_store import (
    ComponentStore,
    Invalid,
    Missing,
)
from greengrass_components.emulator.extensions.deployment_store import DeploymentStore

__all__ = ["extend_greengrass"]

_PAGE = 100
_NOT_IN_LISTS = frozenset(
    {
        "components",
        "deploymentPolicies",
        "iotJobArn",
        "iotJobConfiguration",
        "iotJobId",
        "tags",
    }
)


class _Backend(BaseBackend):
    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        place = {"account": account_id, "region": region_name, "partition": self.partition}
        self.components = ComponentStore(**place)
        self.deployments = DeploymentStore(**place)
        self.answers: dict[str, dict[str, Any]] = {}
        """By client token, which tells that a call is made again."""


_backends = BackendDict(_Backend, "greengrassv2")


class _Response(BaseResponse):
    """One method for each operation, by its name in botocore's model."""

    def __init__(self) -> None:
        super().__init__(service_name="greengrassv2")
        self.automated_parameter_parsing = True

    @property
    def backend(self) -> _Backend:
        return _backends[self.current_account][self.region]

    def create_component_version(self) -> ActionResult:
        recipe = self._get_param("inlineRecipe")
        if recipe is None:
            raise Invalid("Exactly one of inlineRecipe and lambdaFunction must be given.")
        content = recipe.encode() if isinstance(recipe, str) else bytes(recipe)
        made = self._once(
            lambda: self.backend.components.create(content, tags=self._get_param("tags") or {})
        )
        # The service has not looked at it yet; a moment later it is deployable.
        status = {**made["status"], "componentState": "REQUESTED"}
        return _answer(made, "arn componentName componentVersion creationTimestamp", status=status)

    def describe_component(self) -> ActionResult:
        found = self.backend.components.get(self._get_param("arn"))
        return _answer(found, " ".join(key for key in found if key != "recipe"))

    def get_component(self) -> ActionResult:
        found = self.backend.components.get(self._get_param("arn"))
        form = self._get_param("recipeOutputFormat") or "JSON"
        return ActionResult(
            {
                "recipeOutputFormat": form,
                "recipe": _written(found["recipe"], form),
                "tags": found["tags"],
            }
        )

    def delete_component(self) -> ActionResult:
        self.backend.components.delete(self._get_param("arn"))
        return EmptyResult()

    def list_components(self) -> ActionResult:
        listed = [
            {
                "arn": entry["arn"].partition(":versions:")[0],
                "componentName": entry["componentName"],
                "latestVersion": {
                    key: entry[key]
                    for key in (
                        "arn",
                        "componentVersion",
                        "creationTimestamp",
                        "description",
                        "publisher",
                        "platforms",
                    )
                },
            }
            for entry in self.backend.components.latest()
        ]
        if self._get_param("scope") == "PUBLIC":
            listed = []
        return self._page("components", listed)

    def list_component_versions(self) -> ActionResult:
        found = self.backend.components.versions(self._get_param("arn"))
        keys = ("arn", "componentName", "componentVersion")
        return self._page("componentVersions", [{key: one[key] for key in keys} for one in found])

    def create_deployment(self) -> ActionResult:
        names = (
            "targetArn",
            "deploymentName",
            "components",
            "iotJobConfiguration",
            "deploymentPolicies",
            "parentTargetArn",
            "tags",
        )
        wanted = {name: self._get_param(name) for name in names}
        made = self._once(
            lambda: self.backend.deployments.create(wanted, components=self.backend.components)
        )
        return _answer(made, "deploymentId iotJobArn iotJobId")

    def get_deployment(self) -> ActionResult:
        found = self.backend.deployments.get(self._get_param("deploymentId"))
        return _answer(found, " ".join(found))

    def cancel_deployment(self) -> ActionResult:
        self.backend.deployments.cancel(self._get_param("deploymentId"))
        return ActionResult({"message": "The deployment is canceled."})

    def delete_deployment(self) -> ActionResult:
        self.backend.deployments.delete(self._get_param("deploymentId"))
        return EmptyResult()

    def list_deployments(self) -> ActionResult:
        found = self.backend.deployments.listed(
            target=self._get_param("targetArn"),
            parent=self._get_param("parentTargetArn"),
            latest_only=(self._get_param("historyFilter") or "LATEST_ONLY") == "LATEST_ONLY",
        )
        listed = [{key: one[key] for key in one if key not in _NOT_IN_LISTS} for one in found]
        return self._page("deployments", listed)

    def list_effective_deployments(self) -> ActionResult:
        found = self.backend.deployments.effective(self._get_param("coreDeviceThingName"))
        return self._page("effectiveDeployments", found)

    def list_core_devices(self) -> ActionResult:
        names = self.backend.deployments.things_of(self._get_param("thingGroupArn"))
        found = [_core_device(name) for name in names]
        for member in ("status", "runtime"):
            if (wanted := self._get_param(member)) is not None:
                found = [device for device in found if device[member] == wanted]
        return self._page("coreDevices", found)

    def get_core_device(self) -> ActionResult:
        name = self._get_param("coreDeviceThingName")
        self.backend.deployments.check_thing(name)
        return ActionResult(
            {**_core_device(name), "platform": "linux", "coreVersion": "2.14.0", "tags": {}}
        )

    def list_tags_for_resource(self) -> ActionResult:
        return ActionResult({"tags": self._tagged()["tags"]})

    def tag_resource(self) -> ActionResult:
        self._tagged()["tags"].update(self._get_param("tags"))
        return EmptyResult()

    def untag_resource(self) -> ActionResult:
        tags = self._tagged()["tags"]
        for key in self._get_param("tagKeys"):
            tags.pop(key, None)
        return EmptyResult()

    def _once(self, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        token = self._get_param("clientToken")
        if token is None:
            return make()
        answers = self.backend.answers
        if token not in answers:
            answers[token] = make()
        return answers[token]

    def _tagged(self) -> dict[str, Any]:
        arn = self._get_param("resourceArn")
        if ":deployments:" in arn:
            found = self.backend.deployments.get(arn.rpartition(":")[2])
            found.setdefault("tags", {})
            return found
        if ":versions:" in arn:
            return self.backend.components.get(arn)
        raise Missing(f"{arn} does not exist.")

    def _page(self, member: str, listed: list[dict[str, Any]]) -> ActionResult:
        size = int(self._get_param("maxResults") or _PAGE)
        token = self._get_param("nextToken") or "0"
        if not token.isdecimal():
            raise Invalid("Invalid nextToken.")
        start = int(token)
        rest = start + size
        return ActionResult(
            {
                member: listed[start:rest],
                "nextToken": str(rest) if rest < len(listed) else None,
            }
        )


def extend_greengrass() -> None:
    """Hook Greengrass v2 into moto; before the first call is served."""
    from moto.greengrass import urls

    # Before the paths of v1, of which none begins so.
    urls.url_paths = {
        "{0}/greengrass/v2/(?P<rest>.*)$": _Response.dispatch,
        "{0}/tags/(?P<resource_arn>.*)$": _Response.dispatch,
        **urls.url_paths,
    }


def _answer(found: dict[str, Any], members: str, **more: Any) -> ActionResult:
    return ActionResult({**{key: found[key] for key in members.split() if key in found}, **more})


def _core_device(name: str) -> dict[str, Any]:
    return {
        "coreDeviceThingName": name,
        "status": "HEALTHY",
        "lastStatusUpdateTimestamp": utcnow(),
        "architecture": "aarch64",
        "runtime": "aws_nucleus_lite",
    }


def _written(recipe: dict[str, Any], form: str) -> bytes:
    if form == "JSON":
        return json.dumps(recipe).encode()
    import io

    from ruamel.yaml import YAML

    text = io.BytesIO()
    YAML(typ="safe", pure=True).dump(recipe, text)
    return text.getvalue()
