"""Roll component versions out to a thing group, starting from the revision in force.

A deployment says everything that its target is to run: what it leaves out is uninstalled.
So the next revision is the latest one with our versions put in, and whatever else others
put there stays. Nothing is created when the revision in force says the same already.

Source of ranges and rules: AWS IoT Greengrass V2 API, CreateDeployment, 2020-11-30.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from edge_runtime.errors import SettingsError
from edge_runtime.settings import load_settings
from greengrass_components.component import read_components
from greengrass_components.component_service import (
    ComponentService,
    Deployment,
    DeploymentContent,
    DeploymentSummary,
)
from greengrass_components.config import DEFAULTS
from greengrass_components.errors import (
    DeployError,
    DeploymentConflictError,
    NotPublishedError,
    StageError,
)
from greengrass_components.versions import parse_version, satisfies

__all__ = [
    "Change",
    "DeployResult",
    "DeploySettings",
    "DeploymentPlan",
    "cancel_deployment",
    "carry_out",
    "find_stage",
    "latest_deployment",
    "load_deploy_settings",
    "plan_deployment",
    "versions_to_deploy",
]

logger = logging.getLogger(__name__)

_IN_FORCE = frozenset({"ACTIVE", "COMPLETED"})
_VALIDATION_S = 30


class DeploySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a deployment is rolled out to the things of a group."""

    maximum_per_minute: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    """Things that are told of the deployment in a minute, at most."""
    base_rate_per_minute: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    """Things that are told in a minute at the beginning; not more than the maximum."""
    increment_factor: Annotated[float, msgspec.Meta(ge=1.1, le=5.0)]
    """Factor by which the rate grows, each time that enough things succeeded."""
    increase_after_succeeded: Annotated[int, msgspec.Meta(ge=1)]
    """Things that must succeed before the rate grows."""
    abort_threshold_percent: Annotated[float, msgspec.Meta(gt=0, le=100)]
    """Percentage of things that fail, at which the roll-out is canceled."""
    abort_minimum_executed: Annotated[int, msgspec.Meta(ge=1)]
    """Things that must be done, well or badly, before the percentage counts."""
    in_progress_timeout_minutes: Annotated[int, msgspec.Meta(ge=1, le=10080)]
    """Minutes that one thing may take before it counts as failed."""
    notice_s: Annotated[int, msgspec.Meta(ge=1, le=86400)]
    """Seconds that components on a device have to get ready for the update."""


class Change(msgspec.Struct, frozen=True):
    """What a deployment does to one component of its target."""

    component: str
    was: str | None
    """Version before, None when it is added."""
    becomes: str | None
    """Version after, None when it is removed."""


class DeploymentPlan(msgspec.Struct, frozen=True):
    """The next revision of a target, beside the one it starts from."""

    target_arn: str
    base: Deployment | None
    """The latest deployment of the target, None for the first."""
    content: DeploymentContent
    """What the next revision says."""
    changes: tuple[Change, ...]
    """Components that are added, changed or removed, by name."""
    kept: dict[str, str]
    """Version by name of every component that stays as it is."""
    rollout_changed: bool
    """Whether policies or the rate, abort rule and time limit differ from the base's."""

    @property
    def is_in_force(self) -> bool:
        """Whether the target is told just this already."""
        return (
            self.base is not None
            and self.base.status in _IN_FORCE
            and self.base.content == self.content
        )


class DeployResult(msgspec.Struct, frozen=True):
    """What came of a plan."""

    created: bool
    """False when nothing was done."""
    deployment_id: str | None
    """The deployment in force; None when nothing is."""
    revision: str | None
    """Number of its revision for this target."""
    job_id: str | None
    """The IoT job that rolls it out."""
    status: str | None
    """ACTIVE, COMPLETED, CANCELED, FAILED or INACTIVE."""


def load_deploy_settings(
    *, project_folder: Path | None = None, flags: Mapping[str, Any] | None = None
) -> DeploySettings:
    """Resolve the section ``deploy`` of the settings.

    Raises:
        SettingsError: an unknown name, a wrong type, or a value out of range.
    """
    settings = load_settings(
        DeploySettings, "deploy", defaults=DEFAULTS, project_folder=project_folder, flags=flags
    )
    if settings.base_rate_per_minute > settings.maximum_per_minute:
        raise SettingsError(
            f"deploy.base_rate_per_minute: {settings.base_rate_per_minute} is more than "
            f"deploy.maximum_per_minute, which is {settings.maximum_per_minute}; lower the first",
            name="base_rate_per_minute",
        )
    return settings


def find_stage(thing_groups: Mapping[str, str], stage: str) -> str:
    """Return the ARN of the thing group of a roll-out stage.

    Args:
        thing_groups: ARN by stage.
        stage: the wanted one.

    Raises:
        StageError: there is no such stage.
    """
    if stage not in thing_groups:
        there = ", ".join(thing_groups) or "none"
        raise StageError(
            f"there is no stage {stage!r} of the roll-out; those that exist: {there}",
            stage=stage,
            stages=tuple(thing_groups),
        )
    return thing_groups[stage]


def versions_to_deploy(
    folder: Path, *, version: str | None = None, component: str | None = None
) -> dict[str, str]:
    """Say which component versions a deployment puts in.

    Args:
        folder: what ``build_components`` made.
        version: of one component. The others are then left to the revision in force, or to
            AWS, which adds what a recipe needs.
        component: name of the component that the version is of, by default the model of the
            folder. With it, no folder is needed: whoever rolls back may not have built.

    Returns:
        Version by name of the component.

    Raises:
        ArtifactError: the folder is missing, incomplete or damaged.
        DeployError: the version is none, or a component is named without one.
    """
    if version is None:
        if component is not None:
            raise DeployError(
                f"--component {component} says nothing without a version; add --version",
                component=component,
            )
        return {item.name: item.version for item in read_components(folder)}
    try:
        parse_version(version)
    except ValueError as error:
        raise DeployError(f"--version: {error}; write one such as 1.2.3") from error
    if component is not None:
        return {component: version}
    return {item.name: version for item in read_components(folder) if item.role == "model"}


def latest_deployment(service: ComponentService, target_arn: str) -> Deployment | None:
    """Return the latest deployment of a target, None if there was never one.

    Raises:
        CloudError: AWS does not say.
    """
    found: tuple[DeploymentSummary, ...] = service.list_deployments(target_arn, latest_only=True)
    return service.get_deployment(found[0].deployment_id) if found else None


def plan_deployment(
    service: ComponentService,
    *,
    target_arn: str,
    versions: Mapping[str, str],
    settings: DeploySettings,
    remove: Iterable[str] = (),
    reset_rollout: bool = False,
) -> DeploymentPlan:
    """Work out the next revision of a target; change nothing.

    Args:
        service: where the components and deployments are.
        target_arn: ARN of the thing group.
        versions: version by name of the components to put in.
        settings: policies, rate and abort rule, where the latest revision says none.
        remove: names of components to take out.
        reset_rollout: let the settings win over what the latest revision says.

    Raises:
        NotPublishedError: a version is not there, or not deployable.
        DeployError: a component to remove is not there, or versions do not fit together.
        CloudError: AWS cannot be used.
    """
    base = latest_deployment(service, target_arn)
    before = base.content if base is not None else _nothing(target_arn)
    components = _without(before.components, remove, target_arn)
    for name, version in versions.items():
        # What others configured for the component stays, whatever its version.
        components[name] = {**components.get(name, {}), "componentVersion": version}
    for name, version in versions.items():
        _check_component(service, name, version, components)
    keeps_rollout = not reset_rollout
    content = msgspec.structs.replace(
        before,
        components=components,
        policies=(keeps_rollout and before.policies) or _policies(settings),
        job_configuration=(keeps_rollout and before.job_configuration)
        or _job_configuration(settings),
    )
    old = {name: item["componentVersion"] for name, item in before.components.items()}
    new = {name: item["componentVersion"] for name, item in components.items()}
    return DeploymentPlan(
        target_arn=target_arn,
        base=base,
        content=content,
        changes=tuple(
            Change(component=name, was=old.get(name), becomes=new.get(name))
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        ),
        kept={name: new[name] for name in sorted(new) if old.get(name) == new[name]},
        rollout_changed=(content.policies, content.job_configuration)
        != (before.policies, before.job_configuration),
    )


def carry_out(
    service: ComponentService, plan: DeploymentPlan, *, force: bool = False
) -> DeployResult:
    """Create the deployment of a plan, unless it is in force already.

    Args:
        service: where the plan was made.
        plan: from ``plan_deployment``.
        force: create it although nothing changes, so that devices are told again.

    Raises:
        DeploymentConflictError: somebody else deployed to the target in between.
        DeployError: there is no such target.
        CloudError: AWS refuses.
    """
    if plan.is_in_force and not force:
        return _result(plan.base, created=False)
    # Between this look and the call lies an instant; what comes in it is seen at the next one.
    now = latest_deployment(service, plan.target_arn)
    if _identity(now) != _identity(plan.base):
        raise DeploymentConflictError(
            f"somebody else deployed to {plan.target_arn} in between: {_label(now)} came after "
            f"{_label(plan.base)}, from which this one starts; nothing was created, run again "
            "to start from the newer one",
            target_arn=plan.target_arn,
        )
    deployment_id = service.create_deployment(plan.target_arn, plan.content)
    logger.info("created deployment %s to %s", deployment_id, plan.target_arn)
    return _result(service.get_deployment(deployment_id), created=True)


def cancel_deployment(service: ComponentService, target_arn: str) -> Deployment:
    """Stop the roll-out of a target's latest deployment; devices that have it keep it.

    Returns:
        The deployment as it is afterwards.

    Raises:
        DeployError: nothing was ever deployed to the target.
        DeploymentConflictError: its latest deployment is not under way.
        CloudError: AWS refuses.
    """
    latest = latest_deployment(service, target_arn)
    if latest is None:
        raise DeployError(
            f"nothing was ever deployed to {target_arn}, so there is nothing to cancel",
            target_arn=target_arn,
        )
    if latest.status != "ACTIVE":
        raise DeploymentConflictError(
            f"{_label(latest)} of {target_arn} is {latest.status}, so there is nothing to cancel",
            deployment_id=latest.deployment_id,
            status=latest.status,
        )
    service.cancel_deployment(latest.deployment_id)
    return service.get_deployment(latest.deployment_id)


def _nothing(target_arn: str) -> DeploymentContent:
    """Give what a target without any deployment starts from."""
    name = target_arn.rsplit("/", 1)[-1]
    return DeploymentContent(components={}, policies={}, job_configuration={}, name=name)


def _without(
    components: Mapping[str, dict[str, Any]], remove: Iterable[str], target_arn: str
) -> dict[str, dict[str, Any]]:
    left = dict(components)
    for name in remove:
        if left.pop(name, None) is None:
            there = ", ".join(sorted(components)) or "none"
            raise DeployError(
                f"{name} cannot be removed from {target_arn}, it is not there; "
                f"components that are: {there}",
                component=name,
            )
    return left


def _check_component(
    service: ComponentService,
    name: str,
    version: str,
    components: Mapping[str, dict[str, Any]],
) -> None:
    """Refuse what AWS cannot deploy, and what no device could resolve."""
    found = service.find_component(name, version)
    if found is None:
        raise NotPublishedError(
            f"{name} {version} is not published; publish it with component.publish, "
            "or choose a version that is with --version",
            name=name,
            version=version,
        )
    if found.state != "DEPLOYABLE":
        reasons = f" ({'; '.join(found.reasons)})" if found.reasons else ""
        raise NotPublishedError(
            f"{name} {version} is {found.state}{reasons}, and not DEPLOYABLE; run "
            "component.publish again to wait for it, or choose another version",
            name=name,
            version=version,
            state=found.state,
        )
    for other, wanted in _dependencies(service.read_recipe(name, version)).items():
        if other not in components:
            continue  # AWS adds what a component needs
        there = components[other]["componentVersion"]
        if not _fits(there, wanted):
            raise DeployError(
                f"{name} {version} needs {other} {wanted}, and this deployment would have "
                f"{there}; publish and deploy versions that fit together",
                component=other,
                version=there,
                requirement=wanted,
            )


def _dependencies(recipe: Mapping[str, Any]) -> dict[str, str]:
    dependencies = recipe.get("ComponentDependencies") or {}
    return {name: item["VersionRequirement"] for name, item in dependencies.items()}


def _fits(version: str, requirement: str) -> bool:
    try:
        return satisfies(version, requirement)
    except ValueError:
        # Published with other tools, in a form of their own: AWS and the device will judge.
        return True


def _policies(settings: DeploySettings) -> dict[str, Any]:
    return {
        "failureHandlingPolicy": "ROLLBACK",
        "componentUpdatePolicy": {
            "action": "NOTIFY_COMPONENTS",
            "timeoutInSeconds": settings.notice_s,
        },
        "configurationValidationPolicy": {"timeoutInSeconds": _VALIDATION_S},
    }


def _job_configuration(settings: DeploySettings) -> dict[str, Any]:
    return {
        "jobExecutionsRolloutConfig": {
            "maximumPerMinute": settings.maximum_per_minute,
            "exponentialRate": {
                "baseRatePerMinute": settings.base_rate_per_minute,
                "incrementFactor": settings.increment_factor,
                "rateIncreaseCriteria": {
                    "numberOfSucceededThings": settings.increase_after_succeeded
                },
            },
        },
        "abortConfig": {
            "criteriaList": [
                {
                    "failureType": "ALL",
                    "action": "CANCEL",
                    "thresholdPercentage": settings.abort_threshold_percent,
                    "minNumberOfExecutedThings": settings.abort_minimum_executed,
                }
            ]
        },
        "timeoutConfig": {"inProgressTimeoutInMinutes": settings.in_progress_timeout_minutes},
    }


def _identity(deployment: Deployment | None) -> str | None:
    return deployment.deployment_id if deployment is not None else None


def _label(deployment: Deployment | None) -> str:
    if deployment is None:
        return "no deployment"
    return f"revision {deployment.revision} ({deployment.deployment_id})"


def _result(deployment: Deployment | None, *, created: bool) -> DeployResult:
    return DeployResult(
        created=created,
        deployment_id=deployment.deployment_id if deployment else None,
        revision=deployment.revision if deployment else None,
        job_id=deployment.job_id if deployment else None,
        status=deployment.status if deployment else None,
    )
