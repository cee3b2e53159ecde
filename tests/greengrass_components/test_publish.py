"""Built components on their way into the bucket and to Greengrass."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from greengrass_components.cloud import InMemoryCloud
from greengrass_components.component_service_in_memory import InMemoryComponentService
from greengrass_components.errors import (
    NotDeployableError,
    VersionTakenError,
)
from greengrass_components.publish import PublishResult

RUNTIME = "com.example.runtime"
MODEL = "com.example.model.lamps"
MODEL_KEY = "artifacts/com.example.model.lamps/1.2.0/model.zip"
RUNTIME_KEY = "artifacts/com.example.runtime/0.1.0/runtime.zip"


class TestFirstPublish:
    def test_artifacts_and_nothing_else_are_uploaded(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        publish: Callable[..., PublishResult],
    ) -> None:
        publish(component, cloud, service)

        assert cloud.buckets["shelf"] == {MODEL_KEY: b"model", RUNTIME_KEY: b"runtime"}

    def test_both_versions_are_created_what_others_need_first(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        publish: Callable[..., PublishResult],
    ) -> None:
        result = publish(component, cloud, service)

        assert list(service.recipes) == [(RUNTIME, "0.1.0"), (MODEL, "1.2.0")]
        assert [(item.name, item.created) for item in result.components] == [
            (RUNTIME, True),
            (MODEL, True),
        ]
        assert result.changed

    def test_the_result_names_every_artifact(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        publish: Callable[..., PublishResult],
    ) -> None:
        model = publish(component, cloud, service).components[1].artifacts[0]

        assert model.uri == f"s3://shelf/{MODEL_KEY}"
        assert model.sha256 == hashlib.sha256(b"model").hexdigest()
        assert (model.bytes, model.uploaded) == (5, True)

    @pytest.mark.parametrize(
        ("prefix", "start"),
        [("", ""), ("a", "a/"), ("a/b/", "a/b/"), ("/a//b", "a/b/")],
    )
    def test_recipes_point_to_where_the_artifacts_are(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        prefix: str,
        start: str,
        publish: Callable[..., PublishResult],
    ) -> None:
        publish(component, cloud, service, prefix=prefix)

        uris = [
            artifact["Uri"]
            for recipe in service.recipes.values()
            for manifest in recipe["Manifests"]
            for artifact in manifest["Artifacts"]
        ]
        assert sorted(uris) == sorted(f"s3://shelf/{key}" for key in cloud.buckets["shelf"])
        assert all(uri.startswith(f"s3://shelf/{start}com.example.") for uri in uris)

    def test_a_recipe_keeps_its_numbers(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        publish: Callable[..., PublishResult],
    ) -> None:
        publish(component, cloud, service)

        recipe = service.recipes[RUNTIME, "0.1.0"]
        assert recipe["ComponentConfiguration"]["DefaultConfiguration"] == {"port": 8765}
        assert recipe["ComponentVersion"] == "0.1.0"

    def test_progress_is_told_of_every_artifact_and_version(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        publish: Callable[..., PublishResult],
    ) -> None:
        told: list[tuple[str, int, int, str]] = []

        publish(component, cloud, service, progress=lambda *step: told.append(step))

        assert told == [
            ("upload", 1, 2, "runtime.zip"),
            ("upload", 2, 2, "model.zip"),
            ("publish", 1, 2, "com.example.runtime 0.1.0"),
            ("publish", 2, 2, "com.example.model.lamps 1.2.0"),
        ]


class TestAgain:
    def test_a_second_publish_changes_nothing(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        publish: Callable[..., PublishResult],
    ) -> None:
        publish(component, cloud, service)
        uploads, recipes = list(cloud.uploads), copy.deepcopy(service.recipes)

        result = publish(component, cloud, service)

        assert cloud.uploads == uploads
        assert service.recipes == recipes
        assert not result.changed
        assert [item.created for item in result.components] == [False, False]

    def test_a_new_model_leaves_the_runtime_as_it_is(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        build: Callable[..., Path],
        publish: Callable[..., PublishResult],
    ) -> None:
        publish(component, cloud, service)
        cloud.uploads.clear()

        result = publish(build(component, model=b"better", model_version="1.3.0"), cloud, service)

        assert [item.created for item in result.components] == [False, True]
        assert cloud.uploads == [("shelf", MODEL_KEY.replace("1.2.0", "1.3.0"))]

    def test_what_aws_writes_out_in_a_recipe_is_no_difference(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        publish: Callable[..., PublishResult],
    ) -> None:
        publish(component, cloud, service)
        recipe = service.recipes[MODEL, "1.2.0"]
        recipe["ComponentType"] = "aws.greengrass.generic"
        recipe["ComponentPublisher"] = ""
        recipe["Lifecycle"] = {}
        recipe["Manifests"][0]["Lifecycle"]["run"]["RequiresPrivilege"] = False
        recipe["Manifests"][0]["Lifecycle"]["run"]["Timeout"] = 60.0
        artifact = recipe["Manifests"][0]["Artifacts"][0]
        artifact["Permission"]["Execute"] = "NONE"
        artifact["Unarchive"] = "ZIP"

        assert not publish(component, cloud, service).changed

    def test_an_artifact_that_got_lost_is_put_back(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        publish: Callable[..., PublishResult],
    ) -> None:
        publish(component, cloud, service)
        del cloud.buckets["shelf"][MODEL_KEY]

        result = publish(component, cloud, service)

        assert cloud.buckets["shelf"][MODEL_KEY] == b"model"
        assert [item.created for item in result.components] == [False, False]
        assert result.changed


class TestVersionTaken:
    def test_another_model_of_the_same_version_is_refused_before_any_upload(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        build: Callable[..., Path],
        publish: Callable[..., PublishResult],
    ) -> None:
        publish(component, cloud, service)
        before = dict(cloud.buckets["shelf"])
        cloud.uploads.clear()

        # Of the same length, so that the size alone would not tell.
        other = build(component, model=b"MODEL")
        with pytest.raises(
            VersionTakenError,
            match=r"lamps 1\.2\.0 is published already .*model\.zip.*bundle\.version",
        ):
            publish(other, cloud, service)

        assert cloud.uploads == []
        assert cloud.buckets["shelf"] == before

    def test_nothing_is_uploaded_for_the_component_that_is_new_either(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        build: Callable[..., Path],
        publish: Callable[..., PublishResult],
    ) -> None:
        publish(component, cloud, service)
        cloud.uploads.clear()

        other = build(component, runtime=b"RUNTIME", model_version="1.3.0")
        with pytest.raises(VersionTakenError, match=r"runtime\.zip.*edge-runtime/pyproject"):
            publish(other, cloud, service)

        assert cloud.uploads == []
        assert (MODEL, "1.3.0") not in service.recipes

    def test_another_recipe_is_told_by_its_place(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        build: Callable[..., Path],
        publish: Callable[..., PublishResult],
    ) -> None:
        publish(component, cloud, service)

        with pytest.raises(
            VersionTakenError,
            match=r"the recipe's \$\.componentconfiguration\.defaultconfiguration\.port",
        ):
            publish(build(component, port=9000), cloud, service)

    def test_an_entry_less_in_the_recipe_is_a_difference(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        publish: Callable[..., PublishResult],
    ) -> None:
        publish(component, cloud, service)
        service.recipes[MODEL, "1.2.0"]["Manifests"][0]["Lifecycle"]["install"] = {"Script": "x"}

        with pytest.raises(VersionTakenError, match=r"lifecycle\.install"):
            publish(component, cloud, service)

    def test_without_a_digest_the_bucket_tells(
        self,
        component: Path,
        cloud: InMemoryCloud,
        build: Callable[..., Path],
        publish: Callable[..., PublishResult],
    ) -> None:
        service = InMemoryComponentService()
        publish(component, cloud, service)

        with pytest.raises(VersionTakenError, match=r"the artifact model\.zip"):
            publish(build(component, model=b"other"), cloud, service)

    def test_a_version_that_somebody_else_takes_meanwhile_is_refused(
        self, component: Path, cloud: InMemoryCloud, publish: Callable[..., PublishResult]
    ) -> None:
        class Overtaken(InMemoryComponentService):
            def create_component(self, recipe: bytes) -> bool:
                other = json.loads(recipe)
                other["ComponentDescription"] = "somebody else's"
                super().create_component(json.dumps(other).encode())
                return super().create_component(recipe)

        with pytest.raises(VersionTakenError, match=r"\$\.componentdescription"):
            publish(component, cloud, Overtaken(cloud=cloud))

    def test_a_version_of_the_same_content_that_somebody_else_makes_meanwhile_is_as_good(
        self, component: Path, cloud: InMemoryCloud, publish: Callable[..., PublishResult]
    ) -> None:
        class Overtaken(InMemoryComponentService):
            def create_component(self, recipe: bytes) -> bool:
                super().create_component(recipe)
                return super().create_component(recipe)

        result = publish(component, cloud, Overtaken(cloud=cloud))

        assert [item.created for item in result.components] == [False, False]


class TestWaiting:
    def test_a_version_is_waited_for_until_it_is_deployable(
        self, component: Path, cloud: InMemoryCloud, publish: Callable[..., PublishResult]
    ) -> None:
        service = InMemoryComponentService(
            cloud=cloud, states=["REQUESTED", "INITIATED", "DEPLOYABLE"]
        )

        result = publish(component, cloud, service, timeout_s=60)

        assert len(result.components) == 2

    def test_the_wait_is_bounded(
        self, component: Path, cloud: InMemoryCloud, publish: Callable[..., PublishResult]
    ) -> None:
        service = InMemoryComponentService(cloud=cloud, states=["REQUESTED"])

        with pytest.raises(
            NotDeployableError, match=r"runtime 0\.1\.0 is REQUESTED after 0 s.*run again"
        ):
            publish(component, cloud, service)

    def test_a_publish_that_waited_in_vain_goes_on_waiting(
        self, component: Path, cloud: InMemoryCloud, publish: Callable[..., PublishResult]
    ) -> None:
        service = InMemoryComponentService(cloud=cloud, states=["REQUESTED"])
        with pytest.raises(NotDeployableError):
            publish(component, cloud, service)
        with pytest.raises(NotDeployableError, match="run again to go on waiting"):
            publish(component, cloud, service)

    def test_a_failed_version_is_told_with_the_reasons(
        self, component: Path, cloud: InMemoryCloud, publish: Callable[..., PublishResult]
    ) -> None:
        service = InMemoryComponentService(cloud=cloud, states=["REQUESTED", "FAILED"])
        service.reasons = ("artifact: no access", "recipe: too long")

        with pytest.raises(
            NotDeployableError,
            match=r"runtime 0\.1\.0 is FAILED: artifact: no access; recipe: too long; mend",
        ):
            publish(component, cloud, service, timeout_s=60)

    def test_a_version_that_failed_before_is_told_before_anything_is_uploaded(
        self,
        component: Path,
        cloud: InMemoryCloud,
        build: Callable[..., Path],
        publish: Callable[..., PublishResult],
    ) -> None:
        service = InMemoryComponentService(cloud=cloud, states=["FAILED"])
        with pytest.raises(NotDeployableError):
            publish(component, cloud, service)
        cloud.uploads.clear()

        with pytest.raises(NotDeployableError, match="FAILED: it gives no reason"):
            publish(build(component, model=b"mended"), cloud, service)

        assert cloud.uploads == []


class Killed(BaseException):
    """Stands for a kill: no code handles it."""


def dying(thing: Any, calls: Iterator[int], *, at: int, after: bool) -> Any:
    """Wrap a port so that the process dies at its n-th call, before or after it is done."""

    class Dying:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            def call(*arguments: Any, **more: Any) -> Any:
                last = next(calls) == at
                if last and not after:
                    raise Killed
                result = getattr(thing, name)(*arguments, **more)
                if last:
                    raise Killed
                return result

            return call

    return Dying()


@pytest.mark.parametrize("after", [False, True])
def test_a_publish_that_is_killed_at_any_call_goes_on_when_run_again(
    component: Path, after: bool, publish: Callable[..., PublishResult]
) -> None:
    killed = 0
    for at in itertools.count():
        cloud = InMemoryCloud(["shelf"])
        service = InMemoryComponentService(cloud=cloud)
        calls = itertools.count()
        try:
            publish(
                component,
                dying(cloud, calls, at=at, after=after),
                dying(service, calls, at=at, after=after),
            )
        except Killed:
            killed += 1
        else:
            break

        publish(component, cloud, service)

        assert cloud.buckets["shelf"] == {MODEL_KEY: b"model", RUNTIME_KEY: b"runtime"}
        assert list(service.recipes) == [(RUNTIME, "0.1.0"), (MODEL, "1.2.0")]
        assert len(cloud.uploads) == len(set(cloud.uploads))
    # Looks, uploads, reads back, creations, waits and comparisons of two components.
    assert killed >= 14
