"""Tasks of the namespace ``component``: build, run, publish, deploy."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors, showing_progress
from greengrass_components.commands.checkout import CHECKOUT
from greengrass_components.commands.numbers import whole_number
from greengrass_components.commands.stacks import open_from_flags
from greengrass_components.errors import OutputsError

if TYPE_CHECKING:
    from greengrass_components.deploy import DeploymentPlan, DeployResult

__all__ = ["StackOutputs", "namespace", "stack_outputs"]

_BUILD = Path("build")
_CACHE = _BUILD / "cache" / "wheels"
_FOLDER = "build/smart-home/component"

_CLOUD_HELP = {
    "env": "the environment: dev, staging or prod",
    "outputs": "a file with what infra.output --json prints, instead of asking Terraform",
    "var_file": "a file of Terraform variables, as for infra.apply; may be given several times",
    "json": "print one JSON object",
}


class ThingGroup(msgspec.Struct, frozen=True):
    """The things of one stage of the roll-out."""

    name: str
    arn: str
    order: int
    """Place of the stage in the roll-out, from 1."""


class StackOutputs(msgspec.Struct, frozen=True):
    """What publishing and deploying need to know of a stack; other outputs are passed over."""

    artifact_bucket: str
    """Name of the bucket that artifacts go to."""
    artifact_prefix: str
    """Folder in it that devices may read."""
    region: str
    """AWS region of the stack."""
    thing_groups: dict[str, ThingGroup] = {}
    """Thing group by stage; Terraform gives them in the order of the alphabet."""

    @property
    def targets(self) -> dict[str, str]:
        """ARN of the thing group by stage, in the order of the roll-out."""
        in_order = sorted(self.thing_groups.items(), key=lambda item: item[1].order)
        return {stage: group.arn for stage, group in in_order}


def stack_outputs(env: str, *, file: str | None, var_file: list[str] | None = None) -> StackOutputs:
    """Read the outputs of an environment's stack, from a file or from Terraform.

    Raises:
        OutputsError: nothing was applied yet, or the outputs lack something.
        TerraformError: Terraform cannot be asked.
        CloudError: AWS cannot be used.
    """
    values: Any
    if file is None:
        values = open_from_flags(env, var=None, var_file=var_file, timeout=None).terraform.outputs()
        where, what_to_do = f"environment {env}", f"run infra.apply --env {env}"
    else:
        where = file
        what_to_do = f"write it with infra.output --env {env} --json > {file}"
        try:
            values = msgspec.json.decode(Path(file).read_bytes())
        except (OSError, msgspec.DecodeError) as error:
            raise OutputsError(
                f"cannot read outputs from {file}: {error}; {what_to_do}", file=file
            ) from error
    if not values:
        raise OutputsError(f"{where} has no outputs yet; {what_to_do}", where=where)
    try:
        return msgspec.convert(values, StackOutputs)
    except msgspec.ValidationError as error:
        raise OutputsError(
            f"the outputs of {where} lack something: {error}; {what_to_do}", where=where
        ) from error


@task(
    help={
        "bundle": "the bundle's folder",
        "folder": "the folder to make",
        "platforms": "processors of the devices: amd64, aarch64, host; several with commas",
        "json": "print one JSON object",
    }
)
def build(
    _: Context, bundle: str, folder: str, platforms: str | None = None, *, json: bool = False
) -> None:
    """Build the model component and the runtime component, ready to publish or to run."""
    from greengrass_components.component import build_components
    from greengrass_components.config import load_component_settings

    with reporting_errors(), showing_progress() as progress:
        settings = load_component_settings(
            project_folder=Path.cwd(), flags={"platforms": platforms}
        )
        artifact = build_components(
            Path(bundle),
            Path(folder),
            settings=settings,
            project=CHECKOUT,
            cache=Path.cwd() / _CACHE,
            progress=progress,
        )
    if json:
        print_json({"folder": folder, "skipped": artifact.skipped, **artifact.document.result})
        return
    print(f"{folder}: {'up to date' if artifact.skipped else 'built'}")
    for built in artifact.document.result["components"]:
        print(
            f"  {built['name']} {built['version']}: {built['contents']} files, "
            f"{built['bytes'] / 1e6:.1f} MB"
        )


@task(
    help={
        "folder": "what component.build made",
        "text": "the question; by default the first golden sample of the bundle",
        "root": "folder to run in and to keep; by default one that goes when all went well",
        "timeout": "seconds until the model must answer; 60 by default",
        "json": "print one JSON object",
    }
)
def run(
    _: Context,
    folder: str,
    text: str | None = None,
    root: str | None = None,
    timeout: str | None = None,
    *,
    json: bool = False,
) -> None:
    """Start both components as a core device would, ask one question, and stop them."""
    from greengrass_components.local_nucleus_trial import run_components, trial_root

    with reporting_errors():
        seconds = whole_number("timeout", timeout, default=60, least=0)
        built = Path(folder)
        place = (
            contextlib.nullcontext(Path(root))
            if root is not None
            else trial_root(built.with_name(f"{built.name}-nucleus"))
        )
        with place as nucleus:
            result = run_components(built, text=text, root=nucleus, timeout_s=seconds)
    if json:
        print_json(result)
        return
    answer = result.answer
    said = "out of scope" if answer["out_of_scope"] else answer["intent"]
    print(
        f"{result.name} {result.version}: {answer['text']!r}: {said} ({answer['confidence']:.1%})"
    )


@task(
    help={
        **_CLOUD_HELP,
        "folder": f"what component.build made; {_FOLDER} by default",
        "timeout": "seconds until AWS must call a version deployable; 120 by default",
    },
    iterable=["var_file"],
)
def publish(
    _: Context,
    env: str = "dev",
    *,
    folder: str = _FOLDER,
    outputs: str | None = None,
    var_file: list[str] | None = None,
    timeout: str | None = None,
    json: bool = False,
) -> None:
    """Upload the artifacts of both components and create their versions in AWS."""
    from greengrass_components.cloud import AwsCloud
    from greengrass_components.component_service import AwsComponentService
    from greengrass_components.publish import publish_components

    with reporting_errors():
        seconds = whole_number("timeout", timeout, default=120, least=0)
        stack = stack_outputs(env, file=outputs, var_file=var_file)
        with showing_progress() as progress:
            result = publish_components(
                Path(folder),
                cloud=AwsCloud(region=stack.region),
                service=AwsComponentService(region=stack.region),
                bucket=stack.artifact_bucket,
                prefix=stack.artifact_prefix,
                timeout_s=seconds,
                progress=progress,
            )
        if json:
            print_json({"changed": result.changed, **msgspec.to_builtins(result)})
            return
        for component in result.components:
            state = "published" if component.created else "unchanged"
            print(f"{component.name} {component.version}: {state}")
            for artifact in component.artifacts:
                print(f"  {'uploaded ' if artifact.uploaded else 'unchanged'} {artifact.uri}")


@task(
    help={
        **_CLOUD_HELP,
        "stage": "the stage of the roll-out, such as canary",
        "folder": f"what component.build made; {_FOLDER} by default",
        "version": "of the model component, instead of the folder's versions",
        "component": "name of the component that --version is of; needs no folder",
        "remove": "name of a component to take out; may be given several times",
        "plan_only": "show what would change, and stop",
        "force": "deploy although nothing changes",
        "reset_rollout": "take rate, abort rule and policies from the settings again",
    },
    iterable=["remove", "var_file"],
)
def deploy(
    _: Context,
    stage: str,
    env: str = "dev",
    *,
    folder: str = _FOLDER,
    version: str | None = None,
    component: str | None = None,
    remove: list[str] | None = None,
    outputs: str | None = None,
    var_file: list[str] | None = None,
    plan_only: bool = False,
    force: bool = False,
    reset_rollout: bool = False,
    json: bool = False,
) -> None:
    """Roll the published components out to the things of one stage."""
    from greengrass_components.component_service import AwsComponentService
    from greengrass_components.deploy import (
        carry_out,
        find_stage,
        load_deploy_settings,
        plan_deployment,
        versions_to_deploy,
    )

    with reporting_errors():
        settings = load_deploy_settings(project_folder=Path.cwd())
        versions = versions_to_deploy(Path(folder), version=version, component=component)
        stack = stack_outputs(env, file=outputs, var_file=var_file)
        service = AwsComponentService(region=stack.region)
        plan = plan_deployment(
            service,
            target_arn=find_stage(stack.targets, stage),
            versions=versions,
            settings=settings,
            remove=remove or [],
            reset_rollout=reset_rollout,
        )
        result = None if plan_only else carry_out(service, plan, force=force)
        if json:
            print_json(_deployment_description(stage, plan, result))
        else:
            _print_deployment(stage, plan, result)


@task(
    help={
        **_CLOUD_HELP,
        "stage": "only this stage of the roll-out",
        "history": "all deployments, not the latest only",
    },
    iterable=["var_file"],
)
def deployments(
    _: Context,
    env: str = "dev",
    *,
    stage: str | None = None,
    history: bool = False,
    outputs: str | None = None,
    var_file: list[str] | None = None,
    json: bool = False,
) -> None:
    """List what is deployed to each stage of the roll-out."""
    from greengrass_components.component_service import AwsComponentService
    from greengrass_components.deploy import find_stage

    with reporting_errors():
        stack = stack_outputs(env, file=outputs, var_file=var_file)
        stages = stack.targets if stage is None else {stage: find_stage(stack.targets, stage)}
        service = AwsComponentService(region=stack.region)
        found = {
            name: service.list_deployments(arn, latest_only=not history)
            for name, arn in stages.items()
        }
        if json:
            print_json({"stages": found})
            return
        for name, listed in found.items():
            if not listed:
                print(f"{name}: nothing was deployed yet")
            for item in listed:
                print(f"{name}: revision {item.revision} {item.status} {item.deployment_id}")


@task(
    help={**_CLOUD_HELP, "stage": "the stage of the roll-out, such as canary"},
    iterable=["var_file"],
)
def cancel(
    _: Context,
    stage: str,
    env: str = "dev",
    *,
    outputs: str | None = None,
    var_file: list[str] | None = None,
    json: bool = False,
) -> None:
    """Stop the roll-out to one stage; devices that have it keep it."""
    from greengrass_components.component_service import AwsComponentService
    from greengrass_components.deploy import cancel_deployment, find_stage

    with reporting_errors():
        stack = stack_outputs(env, file=outputs, var_file=var_file)
        service = AwsComponentService(region=stack.region)
        canceled = cancel_deployment(service, find_stage(stack.targets, stage))
        if json:
            print_json(
                {
                    "stage": stage,
                    "deployment_id": canceled.deployment_id,
                    "revision": canceled.revision,
                    "status": canceled.status,
                }
            )
        else:
            print(
                f"{stage}: revision {canceled.revision} is {canceled.status} "
                f"({canceled.deployment_id})"
            )


def _deployment_description(
    stage: str, plan: DeploymentPlan, result: DeployResult | None
) -> dict[str, Any]:
    base = plan.base
    return {
        "stage": stage,
        "target_arn": plan.target_arn,
        "plan_only": result is None,
        "up_to_date": plan.is_in_force,
        "created": result is not None and result.created,
        "deployment_id": result.deployment_id if result else None,
        "revision": result.revision if result else None,
        "job_id": result.job_id if result else None,
        "status": result.status if result else None,
        "base": base
        and {
            "deployment_id": base.deployment_id,
            "revision": base.revision,
            "status": base.status,
        },
        "changes": plan.changes,
        "kept": plan.kept,
        "rollout_changed": plan.rollout_changed,
        "policies": plan.content.policies,
        "job_configuration": plan.content.job_configuration,
    }


def _print_deployment(stage: str, plan: DeploymentPlan, result: DeployResult | None) -> None:
    if result is None:
        print(f"{stage}: {'up to date' if plan.is_in_force else 'would be deployed'}")
    else:
        print(
            f"{stage}: {'deployed' if result.created else 'up to date'}: revision "
            f"{result.revision}, deployment {result.deployment_id}, job {result.job_id}"
        )
    if plan.base is not None:
        print(f"  from     revision {plan.base.revision}, which is {plan.base.status}")
    for change in plan.changes:
        if change.was is None:
            print(f"  added    {change.component} {change.becomes}")
        elif change.becomes is None:
            print(f"  removed  {change.component} {change.was}")
        else:
            print(f"  changed  {change.component} {change.was} -> {change.becomes}")
    for name, version in plan.kept.items():
        print(f"  kept     {name} {version}")
    print(f"  roll-out {'from the settings' if plan.rollout_changed else 'as before'}")


namespace = Collection("component", build, run, publish, deploy, deployments, cancel)
