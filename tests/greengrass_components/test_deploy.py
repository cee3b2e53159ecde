"""The next revision of a thing group: what it says, and when it is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_runtime.artifact import produce_artifact
from edge_runtime.errors import ArtifactError, SettingsError
from edge_runtime.settings import load_settings
from greengrass_components.component import BuiltComponent
from greengrass_components.component_service import (
    Deployment,
    DeploymentContent,
)
from greengrass_components.component_service_in_memory import InMemoryComponentService
from greengrass_components.config import DEFAULTS
from greengrass_components.deploy import (
    Change,
    DeploymentPlan,
    DeploySettings,
    cancel_deployment,
    carry_out,
    find_stage,
    load_deploy_settings,
    plan_deployment,
    versions_to_deploy,
)
from greengrass_components.errors import (
    DeployError,
    DeploymentConflictError,
    NotPublishedError,
    StageError,
)

RUNTIME = "com.example.runtime"
MODEL = "com.example.model.lamps"
CANARY = "arn:aws:iot:eu-central-1:123456789012:thinggroup/edgewise-dev-canary"
SETTINGS = load_settings(DeploySettings, "deploy", defaults=DEFAULTS, environment={})
OTHERS = DeploymentContent(
    components={
        "com.example.camera": {
            "componentVersion": "2.0.1",
            "configurationUpdate": {"merge": '{"fps": 5}', "reset": ["/old"]},
            "runWith": {"posixUser": "camera"},
        },
        MODEL: {
            "componentVersion": "1.1.0",
            "configurationUpdate": {"merge": '{"threshold": 0.6}'},
        },
    },
    policies={"failureHandlingPolicy": "DO_NOTHING"},
    job_configuration={"jobExecutionsRolloutConfig": {"maximumPerMinute": 3}},
    name="somebody's",
    tags={"team": "cameras"},
)


def recipe(name: str, version: str, **dependencies: str) -> bytes:
    return msgspec.json.encode(
        {
            "ComponentName": name,
            "ComponentVersion": version,
            "ComponentDependencies": {
                other: {"VersionRequirement": wanted, "DependencyType": "HARD"}
                for other, wanted in dependencies.items()
            },
            "Manifests": [],
        }
    )


def service_with(*versions: tuple[str, str], **more: Any) -> InMemoryComponentService:
    service = InMemoryComponentService(**more)
    for name, version in versions:
        needs = {RUNTIME: "^0.1.0"} if name == MODEL else {}
        service.create_component(recipe(name, version, **needs))
    return service


@pytest.fixture
def service() -> InMemoryComponentService:
    return service_with(
        ("com.example.camera", "2.0.1"),
        (RUNTIME, "0.1.0"),
        (MODEL, "1.1.0"),
        (MODEL, "1.2.0"),
        (MODEL, "1.3.0"),
    )


def plan(service: InMemoryComponentService, **more: Any) -> DeploymentPlan:
    wanted: dict[str, Any] = {
        "target_arn": CANARY,
        "versions": {RUNTIME: "0.1.0", MODEL: "1.2.0"},
        "settings": SETTINGS,
    }
    return plan_deployment(service, **{**wanted, **more})


class TestFirstRevision:
    def test_our_components_are_added(self, service: InMemoryComponentService) -> None:
        made = plan(service)

        assert made.content.components == {
            RUNTIME: {"componentVersion": "0.1.0"},
            MODEL: {"componentVersion": "1.2.0"},
        }
        assert made.changes == (
            Change(component=MODEL, was=None, becomes="1.2.0"),
            Change(component=RUNTIME, was=None, becomes="0.1.0"),
        )
        assert made.kept == {}

    def test_it_is_named_after_the_thing_group(self, service: InMemoryComponentService) -> None:
        assert plan(service).content.name == "edgewise-dev-canary"

    def test_devices_roll_back_and_components_get_notice(
        self, service: InMemoryComponentService
    ) -> None:
        assert plan(service).content.policies == {
            "failureHandlingPolicy": "ROLLBACK",
            "componentUpdatePolicy": {"action": "NOTIFY_COMPONENTS", "timeoutInSeconds": 60},
            "configurationValidationPolicy": {"timeoutInSeconds": 30},
        }

    def test_rate_and_abort_rule_come_from_the_settings(
        self, service: InMemoryComponentService
    ) -> None:
        settings = DeploySettings(
            maximum_per_minute=20,
            base_rate_per_minute=2,
            increment_factor=1.5,
            increase_after_succeeded=4,
            abort_threshold_percent=12.5,
            abort_minimum_executed=6,
            in_progress_timeout_minutes=45,
            notice_s=60,
        )

        assert plan(service, settings=settings).content.job_configuration == {
            "jobExecutionsRolloutConfig": {
                "maximumPerMinute": 20,
                "exponentialRate": {
                    "baseRatePerMinute": 2,
                    "incrementFactor": 1.5,
                    "rateIncreaseCriteria": {"numberOfSucceededThings": 4},
                },
            },
            "abortConfig": {
                "criteriaList": [
                    {
                        "failureType": "ALL",
                        "action": "CANCEL",
                        "thresholdPercentage": 12.5,
                        "minNumberOfExecutedThings": 6,
                    }
                ]
            },
            "timeoutConfig": {"inProgressTimeoutInMinutes": 45},
        }

    def test_a_plan_creates_nothing(self, service: InMemoryComponentService) -> None:
        plan(service)

        assert service.deployments == []

    def test_what_was_planned_is_created(self, service: InMemoryComponentService) -> None:
        made = plan(service)

        result = carry_out(service, made)

        assert service.deployments[0].content == made.content
        assert (result.created, result.revision, result.job_id) == (True, "1", "job-1")
        assert result.deployment_id == service.deployments[0].deployment_id


class TestNextRevision:
    def test_components_of_others_stay_whole(self, service: InMemoryComponentService) -> None:
        service.create_deployment(CANARY, OTHERS)

        made = plan(service)

        camera = "com.example.camera"
        assert made.content.components[camera] == OTHERS.components[camera]
        assert made.kept == {camera: "2.0.1"}

    def test_what_is_configured_for_ours_stays_and_the_version_moves(
        self, service: InMemoryComponentService
    ) -> None:
        service.create_deployment(CANARY, OTHERS)

        made = plan(service)

        assert made.content.components[MODEL] == {
            "componentVersion": "1.2.0",
            "configurationUpdate": {"merge": '{"threshold": 0.6}'},
        }
        assert Change(component=MODEL, was="1.1.0", becomes="1.2.0") in made.changes

    def test_policies_roll_out_name_and_tags_stay(self, service: InMemoryComponentService) -> None:
        service.create_deployment(CANARY, OTHERS)

        made = plan(service)

        assert msgspec.structs.replace(made.content, components=OTHERS.components) == OTHERS
        assert not made.rollout_changed

    def test_the_settings_win_when_asked_to(self, service: InMemoryComponentService) -> None:
        service.create_deployment(CANARY, OTHERS)

        made = plan(service, reset_rollout=True)

        assert made.content.policies["failureHandlingPolicy"] == "ROLLBACK"
        assert made.content.job_configuration["timeoutConfig"]
        assert made.rollout_changed

    def test_a_revision_without_a_roll_out_gets_that_of_the_settings(
        self, service: InMemoryComponentService
    ) -> None:
        service.create_deployment(CANARY, msgspec.structs.replace(OTHERS, job_configuration={}))

        made = plan(service)

        assert made.content.job_configuration["abortConfig"]
        assert made.content.policies == OTHERS.policies

    def test_the_revision_counts_on(self, service: InMemoryComponentService) -> None:
        service.create_deployment(CANARY, OTHERS)

        result = carry_out(service, plan(service))

        assert result.revision == "2"
        assert [item.status for item in service.deployments] == ["INACTIVE", "ACTIVE"]

    def test_a_component_can_be_taken_out(self, service: InMemoryComponentService) -> None:
        service.create_deployment(CANARY, OTHERS)

        made = plan(service, remove=["com.example.camera"])

        assert sorted(made.content.components) == [MODEL, RUNTIME]
        assert Change(component="com.example.camera", was="2.0.1", becomes=None) in made.changes

    def test_the_revision_before_is_not_touched_by_a_plan(
        self, service: InMemoryComponentService
    ) -> None:
        service.create_deployment(CANARY, OTHERS)
        before = msgspec.json.encode(OTHERS)

        plan(service, remove=["com.example.camera"])

        assert msgspec.json.encode(service.deployments[0].content) == before

    def test_a_component_that_is_not_there_cannot_be_taken_out(
        self, service: InMemoryComponentService
    ) -> None:
        service.create_deployment(CANARY, OTHERS)

        with pytest.raises(DeployError, match=r"radio cannot be removed .*com\.example\.camera"):
            plan(service, remove=["com.example.radio"])


class TestNothingToDo:
    def test_a_second_deployment_of_the_same_creates_nothing(
        self, service: InMemoryComponentService
    ) -> None:
        first = carry_out(service, plan(service))

        again = carry_out(service, plan(service))

        assert len(service.deployments) == 1
        assert again == msgspec.structs.replace(first, created=False)

    def test_force_tells_the_devices_again(self, service: InMemoryComponentService) -> None:
        carry_out(service, plan(service))

        assert carry_out(service, plan(service), force=True).revision == "2"

    def test_a_canceled_revision_is_not_in_force(self, service: InMemoryComponentService) -> None:
        carry_out(service, plan(service))
        cancel_deployment(service, CANARY)

        assert carry_out(service, plan(service)).revision == "2"

    def test_another_stage_is_another_matter(self, service: InMemoryComponentService) -> None:
        carry_out(service, plan(service))

        assert carry_out(service, plan(service, target_arn=f"{CANARY}-2")).created


class TestRefusal:
    def test_a_version_that_is_not_published(self, service: InMemoryComponentService) -> None:
        with pytest.raises(
            NotPublishedError, match=r"lamps 9\.9\.9 is not published.*component\.publish"
        ):
            plan(service, versions={MODEL: "9.9.9"})

    @pytest.mark.parametrize("state", ["REQUESTED", "FAILED"])
    def test_a_version_that_is_not_deployable(self, state: str) -> None:
        service = service_with((MODEL, "1.2.0"), states=[state])
        service.reasons = ("no access to model.zip",)

        with pytest.raises(
            NotPublishedError, match=rf"1\.2\.0 is {state} \(no access to model\.zip\)"
        ):
            plan(service, versions={MODEL: "1.2.0"})

    def test_versions_that_do_not_fit_together(self) -> None:
        service = service_with((RUNTIME, "0.2.0"), (MODEL, "1.2.0"))

        with pytest.raises(
            DeployError, match=r"lamps 1\.2\.0 needs com\.example\.runtime \^0\.1\.0.*0\.2\.0"
        ):
            plan(service, versions={RUNTIME: "0.2.0", MODEL: "1.2.0"})

    def test_a_model_that_does_not_fit_the_runtime_in_force(self) -> None:
        service = service_with((RUNTIME, "0.2.0"), (MODEL, "1.2.0"))
        carry_out(service, plan(service, versions={RUNTIME: "0.2.0"}))

        with pytest.raises(DeployError, match=r"this deployment would have 0\.2\.0"):
            plan(service, versions={MODEL: "1.2.0"})

    def test_a_range_that_only_others_understand_is_left_to_aws(
        self, service: InMemoryComponentService
    ) -> None:
        service.create_component(recipe("com.example.odd", "1.0.0", **{RUNTIME: "0.1.0 - 0.9.0"}))

        assert plan(service, versions={RUNTIME: "0.1.0", "com.example.odd": "1.0.0"}).changes

    def test_a_model_alone_leaves_what_it_needs_to_aws(
        self, service: InMemoryComponentService
    ) -> None:
        assert list(plan(service, versions={MODEL: "1.2.0"}).content.components) == [MODEL]

    def test_a_deployment_of_somebody_else_in_between_is_not_undone(
        self, service: InMemoryComponentService
    ) -> None:
        carry_out(service, plan(service))
        made = plan(service, versions={MODEL: "1.3.0"})
        service.create_deployment(CANARY, OTHERS)

        with pytest.raises(
            DeploymentConflictError,
            match=r"revision 2 \(deployment-2\) came after revision 1 .*run again",
        ):
            carry_out(service, made)

        assert len(service.deployments) == 2

    def test_a_first_deployment_by_somebody_else_in_between_is_not_undone(
        self, service: InMemoryComponentService
    ) -> None:
        made = plan(service)
        service.create_deployment(CANARY, OTHERS)

        with pytest.raises(DeploymentConflictError, match="came after no deployment"):
            carry_out(service, made)


class TestCancel:
    def test_the_latest_deployment_is_stopped(self, service: InMemoryComponentService) -> None:
        carry_out(service, plan(service))

        canceled = cancel_deployment(service, CANARY)

        assert isinstance(canceled, Deployment)
        assert (canceled.revision, canceled.status) == ("1", "CANCELED")

    def test_it_can_be_stopped_once(self, service: InMemoryComponentService) -> None:
        carry_out(service, plan(service))
        cancel_deployment(service, CANARY)

        with pytest.raises(DeploymentConflictError, match="is CANCELED, so there is nothing"):
            cancel_deployment(service, CANARY)

    def test_there_must_be_one(self, service: InMemoryComponentService) -> None:
        with pytest.raises(DeployError, match="nothing was ever deployed"):
            cancel_deployment(service, CANARY)


class TestStages:
    def test_a_stage_has_a_thing_group(self) -> None:
        assert find_stage({"canary": CANARY}, "canary") == CANARY

    def test_an_unknown_stage_is_told_with_those_that_exist(self) -> None:
        with pytest.raises(StageError, match=r"no stage 'beta'.*canary, general"):
            find_stage({"canary": CANARY, "general": "arn"}, "beta")


class TestVersionsToDeploy:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        def built(role: Any, name: str, version: str) -> BuiltComponent:
            return BuiltComponent(
                role=role,
                name=name,
                version=version,
                recipe="",
                artifacts=(),
                bytes=0,
                contents=0,
            )

        components = [built("runtime", RUNTIME, "0.1.0"), built("model", MODEL, "1.2.0")]
        produce_artifact(
            tmp_path / "component",
            kind="component",
            revision=1,
            settings={},
            parents={},
            make=lambda _: {"components": components},
        )
        return tmp_path / "component"

    def test_those_that_were_built(self, folder: Path) -> None:
        assert versions_to_deploy(folder) == {RUNTIME: "0.1.0", MODEL: "1.2.0"}

    def test_a_version_is_the_models_and_leaves_the_runtime_as_it_is(self, folder: Path) -> None:
        assert versions_to_deploy(folder, version="1.1.0") == {MODEL: "1.1.0"}

    def test_a_version_that_is_none(self, folder: Path) -> None:
        with pytest.raises(DeployError, match=r"--version: 'newest' is not a semantic version"):
            versions_to_deploy(folder, version="newest")

    def test_a_version_of_a_component_that_is_named_needs_no_folder(self, tmp_path: Path) -> None:
        gone = tmp_path / "nothing"

        assert versions_to_deploy(gone, version="1.1.0", component=MODEL) == {MODEL: "1.1.0"}

    def test_a_component_that_is_named_without_a_version(self, folder: Path) -> None:
        with pytest.raises(DeployError, match=rf"--component {MODEL} says nothing without"):
            versions_to_deploy(folder, component=MODEL)

    def test_a_folder_that_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(ArtifactError, match="no component at"):
            versions_to_deploy(tmp_path)


class TestSettings:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("maximum_per_minute", 0),
            ("maximum_per_minute", 1001),
            ("increment_factor", 1.0),
            ("increment_factor", 5.1),
            ("abort_threshold_percent", 0),
            ("abort_threshold_percent", 101),
            ("abort_minimum_executed", 0),
            ("in_progress_timeout_minutes", 10081),
            ("notice_s", 0),
        ],
    )
    def test_a_value_that_aws_would_refuse_is_refused_here(self, name: str, value: float) -> None:
        with pytest.raises(SettingsError, match=rf"deploy\.{name}"):
            load_deploy_settings(flags={name: value})

    def test_the_rate_does_not_begin_above_its_maximum(self) -> None:
        with pytest.raises(SettingsError, match=r"base_rate_per_minute: 9 .*which is 8"):
            load_deploy_settings(flags={"base_rate_per_minute": 9, "maximum_per_minute": 8})

    def test_a_project_can_have_its_own(self, tmp_path: Path) -> None:
        (tmp_path / "edgewise.toml").write_text("[deploy]\nnotice_s = 5\n")

        assert load_deploy_settings(project_folder=tmp_path).notice_s == 5
