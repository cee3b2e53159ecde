"""The door to AWS IoT Greengrass v2: component versions, and deployments to thing groups.

One port, boto3 behind it; ``component_service_in_memory`` is a fake for tests and trials. What a
deployment holds stays in the words of the API, so that nothing is lost of what others put there.

Source of names and values: AWS IoT Greengrass V2 API, 2020-11-30.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from greengrass_components.aws_errors import error_code, translating_aws_errors
from greengrass_components.cloud import refusal
from greengrass_components.errors import CloudError, DeployError, DeploymentConflictError
from greengrass_components.infrastructure.account import Caller, find_caller

__all__ = [
    "AwsComponentService",
    "ComponentService",
    "ComponentVersion",
    "Deployment",
    "DeploymentContent",
    "DeploymentSummary",
    "newest_first",
    "no_component",
    "no_deployment",
    "no_target",
]

_MISSING = frozenset({"ResourceNotFoundException"})
# The second: another call for the same version is under way, so its result will be there.
_TAKEN = frozenset({"ConflictException", "RequestAlreadyInProgressException"})


class ComponentVersion(msgspec.Struct, frozen=True):
    """What AWS says of one version of a component."""

    name: str
    version: str
    state: str
    """REQUESTED, INITIATED, DEPLOYABLE, FAILED or DEPRECATED."""
    reasons: tuple[str, ...] = ()
    """Why it is in that state, in AWS's words; mostly empty unless it failed."""


class DeploymentContent(msgspec.Struct, frozen=True):
    """What a deployment says, besides to whom; in the words of the API."""

    components: dict[str, dict[str, Any]]
    """By component name: ``componentVersion``, ``configurationUpdate``, ``runWith``."""
    policies: dict[str, Any]
    """``deploymentPolicies``: failure, notice to components, check of configuration."""
    job_configuration: dict[str, Any]
    """``iotJobConfiguration``: rate of the roll-out, abort rule, time limit."""
    name: str | None = None
    """Name that people see."""
    tags: dict[str, str] = {}
    """Tags of the deployment; without those of AWS (``aws:``), which nobody may set."""
    parent_target_arn: str | None = None
    """The thing group of the deployment that this one is a part of."""


class Deployment(msgspec.Struct, frozen=True):
    """One revision of what a target is to run."""

    deployment_id: str
    target_arn: str
    revision: str
    """Number of the revision for that target, as text."""
    status: str
    """ACTIVE, COMPLETED, CANCELED, FAILED or INACTIVE."""
    job_id: str | None
    """The IoT job that rolls it out."""
    content: DeploymentContent


class DeploymentSummary(msgspec.Struct, frozen=True):
    """A deployment in a list."""

    deployment_id: str
    target_arn: str
    revision: str
    status: str
    name: str | None
    is_latest: bool
    """Whether it is the target's latest."""


class ComponentService(Protocol):
    """Keeps component versions, and rolls them out to thing groups."""

    def find_component(self, name: str, version: str) -> ComponentVersion | None:
        """Return what is known of a version, None if there is no such version.

        Raises:
            CloudError: AWS does not say.
        """
        ...

    def read_recipe(self, name: str, version: str) -> dict[str, Any]:
        """Return the recipe of a version as AWS holds it.

        Raises:
            CloudError: there is no such version, or AWS does not give it.
        """
        ...

    def create_component(self, recipe: bytes) -> bool:
        """Create the version that a recipe describes; its artifacts must be in place.

        Args:
            recipe: JSON.

        Returns:
            False when that version exists already, which changes nothing.

        Raises:
            CloudError: AWS refuses the recipe or cannot read an artifact.
        """
        ...

    def list_deployments(
        self, target_arn: str, *, latest_only: bool = False
    ) -> tuple[DeploymentSummary, ...]:
        """Return the deployments of a target, the latest first.

        Raises:
            CloudError: AWS does not say.
        """
        ...

    def get_deployment(self, deployment_id: str) -> Deployment:
        """Return a deployment whole.

        Raises:
            DeployError: there is no such deployment.
            CloudError: AWS does not give it.
        """
        ...

    def create_deployment(self, target_arn: str, content: DeploymentContent) -> str:
        """Make the next revision of a target and return the deployment's id.

        Raises:
            DeploymentConflictError: another one is being made.
            DeployError: there is no such target.
            CloudError: AWS refuses; for one, a component version that is not there.
        """
        ...

    def cancel_deployment(self, deployment_id: str) -> None:
        """Stop a roll-out; devices that have it keep it.

        Raises:
            DeploymentConflictError: it is not under way.
            DeployError: there is no such deployment.
            CloudError: AWS refuses.
        """
        ...


class AwsComponentService:
    """AWS IoT Greengrass v2 through boto3. Making one calls nothing."""

    def __init__(self, *, region: str | None = None, endpoint: str | None = None) -> None:
        """Take boto3's ordinary settings.

        Args:
            region: AWS region; boto3's settings decide when left out.
            endpoint: URL that answers for Greengrass; boto3's settings decide when left out.

        Raises:
            CloudError: the AWS settings are not usable.
        """
        import boto3
        from botocore.config import Config

        with translating_aws_errors("use AWS IoT Greengrass"):
            self._greengrass: Any = boto3.session.Session(region_name=region).client(
                "greengrassv2",
                endpoint_url=endpoint,
                # botocore's own default mode takes no notice of most throttling.
                config=Config(retries={"mode": "standard"}),
            )
        self._region = region

    def find_component(self, name: str, version: str) -> ComponentVersion | None:
        """Return what is known of a version; see ``ComponentService``."""
        what = f"component {name} {version}"
        found = self._call("describe_component", {"arn": self._arn(name, version)}, what=what)
        if found is None:
            return None
        status = found.get("status", {})
        state = status.get("componentState", "REQUESTED")
        return ComponentVersion(name, version, state=state, reasons=_reasons(status))

    def read_recipe(self, name: str, version: str) -> dict[str, Any]:
        """Return the recipe of a version; see ``ComponentService``."""
        what = f"component {name} {version}"
        wanted = {"arn": self._arn(name, version), "recipeOutputFormat": "JSON"}
        found = self._call("get_component", wanted, what=what)
        if found is None:
            raise no_component(name, version)
        try:
            return msgspec.json.decode(found["recipe"], type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise CloudError(f"AWS gave no recipe of {what} that can be read: {error}") from error

    def create_component(self, recipe: bytes) -> bool:
        """Create the version that a recipe describes; see ``ComponentService``."""
        document = json.loads(recipe)
        what = f"component {document['ComponentName']} {document['ComponentVersion']}"
        made = self._call(
            "create_component_version", {"inlineRecipe": recipe}, what=what, none_when=_TAKEN
        )
        return made is not None

    def list_deployments(
        self, target_arn: str, *, latest_only: bool = False
    ) -> tuple[DeploymentSummary, ...]:
        """Return the deployments of a target; see ``ComponentService``."""
        history = "LATEST_ONLY" if latest_only else "ALL"
        wanted = {"targetArn": target_arn, "historyFilter": history}
        found: list[dict[str, Any]] = []
        while True:
            page = self._call("list_deployments", wanted, what=f"deployments to {target_arn}") or {}
            found += page.get("deployments", [])
            if not page.get("nextToken"):
                break
            wanted["nextToken"] = page["nextToken"]
        summaries = (
            DeploymentSummary(
                deployment_id=item["deploymentId"],
                target_arn=target_arn,
                revision=str(item.get("revisionId", "")),
                status=item["deploymentStatus"],
                name=item.get("deploymentName"),
                is_latest=item.get("isLatestForTarget", False),
            )
            for item in found
        )
        return tuple(sorted(summaries, key=newest_first))

    def get_deployment(self, deployment_id: str) -> Deployment:
        """Return a deployment whole; see ``ComponentService``."""
        what = f"deployment {deployment_id}"
        found = self._call("get_deployment", {"deploymentId": deployment_id}, what=what)
        if found is None:
            raise no_deployment(deployment_id)
        return Deployment(
            deployment_id=found["deploymentId"],
            target_arn=found["targetArn"],
            revision=str(found.get("revisionId", "")),
            status=found["deploymentStatus"],
            job_id=found.get("iotJobId"),
            content=DeploymentContent(
                components=found.get("components") or {},
                policies=found.get("deploymentPolicies") or {},
                job_configuration=found.get("iotJobConfiguration") or {},
                name=found.get("deploymentName"),
                tags=_own_tags(found.get("tags") or {}),
                parent_target_arn=found.get("parentTargetArn"),
            ),
        )

    def create_deployment(self, target_arn: str, content: DeploymentContent) -> str:
        """Make the next revision of a target; see ``ComponentService``."""
        wanted = {
            "targetArn": target_arn,
            "deploymentName": content.name,
            "components": content.components,
            "deploymentPolicies": content.policies,
            "iotJobConfiguration": content.job_configuration,
            "parentTargetArn": content.parent_target_arn,
            "tags": content.tags,
        }
        given = {name: value for name, value in wanted.items() if value}
        created = self._call("create_deployment", given, what=f"a deployment to {target_arn}")
        if created is None:
            raise no_target(target_arn)
        return str(created["deploymentId"])

    def cancel_deployment(self, deployment_id: str) -> None:
        """Stop a roll-out; see ``ComponentService``."""
        what = f"deployment {deployment_id}"
        if self._call("cancel_deployment", {"deploymentId": deployment_id}, what=what) is None:
            raise no_deployment(deployment_id)

    def _arn(self, name: str, version: str) -> str:
        owner = self._owner
        return (
            f"arn:{owner.partition}:greengrass:{owner.region}:{owner.account_id}"
            f":components:{name}:versions:{version}"
        )

    @functools.cached_property
    def _owner(self) -> Caller:
        """The account whose components are meant: that of the credentials."""
        return find_caller(region=self._region)

    def _call(
        self,
        operation: str,
        given: Mapping[str, Any],
        *,
        what: str,
        none_when: frozenset[str] = _MISSING,
    ) -> dict[str, Any] | None:
        """Call an operation; None stands for an error with one of the codes ``none_when``."""
        from botocore.exceptions import ClientError

        with translating_aws_errors(f"work on {what}"):
            try:
                answer: dict[str, Any] = getattr(self._greengrass, operation)(**given)
            except ClientError as error:
                if error_code(error) in none_when:
                    return None
                found = _explained(error, what)
                if found is None:
                    raise
                raise found from error
        return answer


def newest_first(item: DeploymentSummary) -> tuple[bool, int]:
    """Return what sorts deployments, the latest first."""
    return not item.is_latest, -int(item.revision) if item.revision.isdigit() else 0


def _reasons(status: dict[str, Any]) -> tuple[str, ...]:
    """Collect what AWS says of a state; ``NONE`` is how it says nothing."""
    message = " ".join(str(status.get("message") or "").split())
    errors = [f"{name}: {text}" for name, text in sorted((status.get("errors") or {}).items())]
    return tuple(text for text in (message, *errors) if text and text != "NONE")


def _own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Leave out what CloudFormation and its like put there: giving it back is refused."""
    return {name: value for name, value in tags.items() if not name.startswith("aws:")}


def _explained(error: Any, what: str) -> Exception | None:
    code = error_code(error)
    reason = " ".join(str(error.response["Error"].get("Message") or code).split())
    if code in _TAKEN:
        return DeploymentConflictError(
            f"AWS refused {error.operation_name} of {what}: {reason}; look at it with "
            "component.deployments, and run again",
            reason=reason,
        )
    if code == "ValidationException":
        return CloudError(
            f"AWS refused {error.operation_name} of {what} as wrong: {reason}", reason=reason
        )
    return refusal(error, what=what)


def no_component(name: str, version: str) -> CloudError:
    """Return the error for a version that is not there."""
    return CloudError(
        f"there is no component {name} {version}; publish it with component.publish",
        name=name,
        version=version,
    )


def no_deployment(deployment_id: str) -> DeployError:
    """Return the error for a deployment that is not there."""
    return DeployError(
        f"there is no deployment {deployment_id}; component.deployments lists those that are",
        deployment_id=deployment_id,
    )


def no_target(target_arn: str) -> DeployError:
    """Return the error for a target that is not there."""
    return DeployError(
        f"there is no thing group {target_arn}; make it with infra.apply", target_arn=target_arn
    )
