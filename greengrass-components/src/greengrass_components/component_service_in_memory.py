"""Greengrass v2 in memory, for tests and trials: the fake behind ``ComponentService``."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import msgspec

from greengrass_components.cloud import Cloud
from greengrass_components.component_service import (
    ComponentVersion,
    Deployment,
    DeploymentContent,
    DeploymentSummary,
    no_component,
    no_deployment,
    no_target,
)
from greengrass_components.errors import DeploymentConflictError

__all__ = ["InMemoryComponentService"]


class InMemoryComponentService:
    """Greengrass of dictionaries, with the promises of ``ComponentService``."""

    def __init__(
        self,
        *,
        cloud: Cloud | None = None,
        states: Sequence[str] = ("DEPLOYABLE",),
        thing_groups: Sequence[str] | None = None,
    ) -> None:
        """Start with nothing.

        Args:
            cloud: where artifacts are read from when a version is created, to keep their
                digests as AWS does; left out, artifacts are not looked at.
            states: what each new version says of itself, one look after the other.
            thing_groups: ARNs of those that there are; left out, every one is.
        """
        self.recipes: dict[tuple[str, str], dict[str, Any]] = {}
        """Recipe by component name and version."""
        self.reasons: tuple[str, ...] = ()
        """Said of every version that is asked for."""
        self.deployments: list[Deployment] = []
        """Every deployment, in the order of their making."""
        self._cloud = cloud
        self._states = tuple(states)
        self._thing_groups = thing_groups
        self._looks: dict[tuple[str, str], int] = {}

    def find_component(self, name: str, version: str) -> ComponentVersion | None:
        """Return what is known of a version; see ``ComponentService``."""
        key = (name, version)
        if key not in self.recipes:
            return None
        look = self._looks.get(key, 0)
        self._looks[key] = look + 1
        state = self._states[min(look, len(self._states) - 1)]
        return ComponentVersion(name, version, state=state, reasons=self.reasons)

    def read_recipe(self, name: str, version: str) -> dict[str, Any]:
        """Return the recipe of a version; see ``ComponentService``."""
        try:
            return self.recipes[name, version]
        except KeyError as error:
            raise no_component(name, version) from error

    def create_component(self, recipe: bytes) -> bool:
        """Create the version that a recipe describes; see ``ComponentService``."""
        document = json.loads(recipe)
        key = (document["ComponentName"], document["ComponentVersion"])
        if key in self.recipes:
            return False
        for manifest in document["Manifests"]:
            for artifact in manifest.get("Artifacts", []):
                self._add_digest(artifact)
        self.recipes[key] = document
        return True

    def list_deployments(
        self, target_arn: str, *, latest_only: bool = False
    ) -> tuple[DeploymentSummary, ...]:
        """Return the deployments of a target; see ``ComponentService``."""
        own = [item for item in self.deployments if item.target_arn == target_arn]
        return tuple(
            DeploymentSummary(
                deployment_id=item.deployment_id,
                target_arn=target_arn,
                revision=item.revision,
                status=item.status,
                name=item.content.name,
                is_latest=item is own[-1],
            )
            for item in reversed(own[-1:] if latest_only else own)
        )

    def get_deployment(self, deployment_id: str) -> Deployment:
        """Return a deployment whole; see ``ComponentService``."""
        for item in self.deployments:
            if item.deployment_id == deployment_id:
                return item
        raise no_deployment(deployment_id)

    def create_deployment(self, target_arn: str, content: DeploymentContent) -> str:
        """Make the next revision of a target; see ``ComponentService``."""
        if self._thing_groups is not None and target_arn not in self._thing_groups:
            raise no_target(target_arn)
        own = {k: v for k, v in content.components.items() if not k.startswith("aws.greengrass.")}
        for name, item in own.items():
            self.read_recipe(name, item["componentVersion"])
        before = [item for item in self.deployments if item.target_arn == target_arn]
        if before and before[-1].status == "ACTIVE":
            self._set_status(before[-1], "INACTIVE")
        number = len(self.deployments) + 1
        made = Deployment(
            deployment_id=f"deployment-{number}",
            target_arn=target_arn,
            revision=str(len(before) + 1),
            status="ACTIVE",
            job_id=f"job-{number}",
            content=content,
        )
        self.deployments.append(made)
        return made.deployment_id

    def cancel_deployment(self, deployment_id: str) -> None:
        """Stop a roll-out; see ``ComponentService``."""
        found = self.get_deployment(deployment_id)
        if found.status != "ACTIVE":
            raise DeploymentConflictError(f"deployment {deployment_id} is not under way")
        self._set_status(found, "CANCELED")

    def _add_digest(self, artifact: dict[str, Any]) -> None:
        if self._cloud is None:
            return
        bucket, _, key = artifact["Uri"].removeprefix("s3://").partition("/")
        digest = hashlib.sha256()
        for chunk in self._cloud.read_object(bucket=bucket, key=key):
            digest.update(chunk)
        artifact["Digest"] = base64.b64encode(digest.digest()).decode()
        artifact["Algorithm"] = "SHA-256"

    def _set_status(self, deployment: Deployment, status: str) -> None:
        index = self.deployments.index(deployment)
        self.deployments[index] = msgspec.structs.replace(deployment, status=status)
