"""Deployments of the emulated Greengrass v2: revisions of what thing groups are to run.

Nothing is rolled out: a deployment to a group stays active until the next one or its end
(https://docs.aws.amazon.com/greengrass/v2/APIReference/API_CreateDeployment.html).
"""

from __future__ import annotations

import re
from typing import Any

from moto.core.utils import utcnow
from moto.moto_api._internal import mock_random

from greengrass_components.emulator.extensions.component_store import (
    ComponentStore,
    Conflict,
    Invalid,
    Missing,
)

__all__ = ["DeploymentStore"]

_TARGET = re.compile(r"arn:[^:]+:iot:[^:]+:\d{12}:(thing|thinggroup)/(.+)")
_KEPT = (
    "components",
    "deploymentName",
    "deploymentPolicies",
    "iotJobConfiguration",
    "parentTargetArn",
    "tags",
)


class DeploymentStore:
    """Deployments of one account and region."""

    def __init__(self, *, account: str, region: str, partition: str) -> None:
        self._account, self._region, self._partition = account, region, partition
        self._deployments: list[dict[str, Any]] = []
        # The latest by target. A deletion gives no number back.
        self._revisions: dict[str, int] = {}

    def create(self, wanted: dict[str, Any], *, components: ComponentStore) -> dict[str, Any]:
        """Keep a new revision for a target.

        Args:
            wanted: the members of CreateDeployment.
            components: where its components must be.
        """
        target = wanted["targetArn"]
        self._check_target(target)
        for name, entry in (wanted.get("components") or {}).items():
            components.check_deployable(name, entry.get("componentVersion"))
        for one in self.listed(target=target, parent=None, latest_only=True):
            one["isLatestForTarget"] = False
            if one["deploymentStatus"] == "ACTIVE":
                one["deploymentStatus"] = "INACTIVE"
        self._revisions[target] = self._revisions.get(target, 0) + 1
        job = str(mock_random.uuid4())
        made = {
            **{key: wanted[key] for key in _KEPT if wanted.get(key) is not None},
            "creationTimestamp": utcnow(),
            "deploymentId": str(mock_random.uuid4()),
            "deploymentStatus": "ACTIVE",
            "iotJobArn": f"arn:{self._partition}:iot:{self._region}:{self._account}:job/{job}",
            "iotJobId": job,
            "isLatestForTarget": True,
            "revisionId": str(self._revisions[target]),
            "targetArn": target,
        }
        self._deployments.append(made)
        return made

    def get(self, deployment_id: str) -> dict[str, Any]:
        """Return a deployment by its id."""
        for one in self._deployments:
            if one["deploymentId"] == deployment_id:
                return one
        error = Missing(f"The deployment {deployment_id} does not exist.")
        error.resourceId, error.resourceType = deployment_id, "deployment"
        raise error

    def cancel(self, deployment_id: str) -> None:
        """Stop a deployment that is still under way."""
        found = self.get(deployment_id)
        if found["deploymentStatus"] != "ACTIVE":
            raise self._conflict(found, "cannot be canceled")
        found["deploymentStatus"] = "CANCELED"

    def delete(self, deployment_id: str) -> None:
        """Forget a deployment that is not under way."""
        found = self.get(deployment_id)
        if found["deploymentStatus"] == "ACTIVE":
            raise self._conflict(found, "cannot be deleted")
        self._deployments.remove(found)

    def listed(
        self, *, target: str | None, parent: str | None, latest_only: bool
    ) -> list[dict[str, Any]]:
        """Return deployments, the newest first."""
        return [
            one
            for one in reversed(self._deployments)
            if (target is None or one["targetArn"] == target)
            and (parent is None or one.get("parentTargetArn") == parent)
            and (one["isLatestForTarget"] or not latest_only)
        ]

    def effective(self, thing: str) -> list[dict[str, Any]]:
        """Return what a core device is to run: the latest of itself and of each of its groups."""
        targets = self._targets_of(thing)
        return [
            {
                "coreDeviceExecutionStatus": _EXECUTION[one["deploymentStatus"]],
                "creationTimestamp": one["creationTimestamp"],
                "deploymentId": one["deploymentId"],
                "deploymentName": one.get("deploymentName", one["deploymentId"]),
                "iotJobArn": one["iotJobArn"],
                "iotJobId": one["iotJobId"],
                "modifiedTimestamp": one["creationTimestamp"],
                "targetArn": one["targetArn"],
            }
            for one in self.listed(target=None, parent=None, latest_only=True)
            if one["targetArn"] in targets
        ]

    def things_of(self, group_arn: str | None) -> list[str]:
        """Return the names of all things, or of those in a group."""
        backend = self._iot()
        if group_arn is None:
            return sorted(thing.thing_name for thing in backend.things.values())
        group = backend.thing_groups.get(group_arn)
        return sorted(thing.thing_name for thing in group.things.values()) if group else []

    def check_thing(self, thing: str) -> None:
        """Refuse a core device that is not there; every thing counts as one."""
        if thing not in self.things_of(None):
            error = Missing(f"The core device {thing} does not exist.")
            error.resourceId, error.resourceType = thing, "core-device"
            raise error

    def _targets_of(self, thing: str) -> set[str]:
        self.check_thing(thing)
        backend = self._iot()
        groups = {
            arn: group
            for arn, group in backend.thing_groups.items()
            if any(member.thing_name == thing for member in group.things.values())
        }
        by_name = {group.thing_group_name: group for group in backend.thing_groups.values()}
        found = set(groups)
        for group in groups.values():
            parent = group.parent_group_name
            while parent is not None and parent in by_name:
                found.add(by_name[parent].arn)
                parent = by_name[parent].parent_group_name
        own = f"arn:{self._partition}:iot:{self._region}:{self._account}:thing/{thing}"
        return found | {own}

    def _check_target(self, target: str) -> None:
        found = _TARGET.fullmatch(target)
        if found is None:
            raise Invalid(f"Invalid target ARN: {target}")
        backend = self._iot()
        known = (
            set(backend.thing_groups)
            if found[1] == "thinggroup"
            else {thing.arn for thing in backend.things.values()}
        )
        if target not in known:
            error = Missing(f"The target {target} does not exist.")
            error.resourceId, error.resourceType = target, found[1]
            raise error

    def _iot(self) -> Any:
        from moto.iot.models import iot_backends

        return iot_backends[self._account][self._region]

    @staticmethod
    def _conflict(found: dict[str, Any], what: str) -> Conflict:
        error = Conflict(
            f"The deployment {found['deploymentId']} {what}: it is {found['deploymentStatus']}."
        )
        error.resourceId, error.resourceType = found["deploymentId"], "deployment"
        return error


_EXECUTION = {
    "ACTIVE": "QUEUED",
    "CANCELED": "CANCELED",
    "COMPLETED": "SUCCEEDED",
    "FAILED": "FAILED",
    "INACTIVE": "QUEUED",
}
