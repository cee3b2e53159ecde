"""Built components on their way into the bucket and to Greengrass."""

from __future__ import annotations

import base64
import copy
import hashlib
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.artifact import produce_artifact
from edge_runtime.errors import ArtifactError
from greengrass_components.cloud import InMemoryCloud
from greengrass_components.component import BuiltComponent
from greengrass_components.component_service import ComponentVersion
from greengrass_components.component_service_in_memory import InMemoryComponentService
from greengrass_components.errors import (
    BucketMissingError,
    NotDeployableError,
    PublishError,
    RecipeError,
    UploadError,
    VersionTakenError,
)
from greengrass_components.publish import PublishResult, publish_components

RUNTIME = "com.example.runtime"
MODEL = "com.example.model.lamps"
RUNTIME_RECIPE = """\
RecipeFormatVersion: "2020-01-25"
ComponentName: com.example.runtime
ComponentVersion: "{version}"
ComponentConfiguration:
  DefaultConfiguration:
    port: {port}
Manifests:
  - Platform:
      os: linux
      runtime: "*"
    Artifacts:
      - Uri: s3://{bucket}/com.example.runtime/{version}/runtime.zip
        Unarchive: ZIP
    Lifecycle:
      run:
        Script: python3 {{artifacts:decompressedPath}}/runtime/run.py
"""
MODEL_RECIPE = """\
RecipeFormatVersion: "2020-01-25"
ComponentName: com.example.model.lamps
ComponentVersion: "{version}"
ComponentDependencies:
  com.example.runtime:
    VersionRequirement: ^0.1.0
    DependencyType: HARD
Manifests:
  - Platform:
      os: linux
      runtime: "*"
    Artifacts:
      - Uri: s3://{bucket}/com.example.model.lamps/{version}/model.zip
        Unarchive: ZIP
        Permission:
          Read: ALL
    Lifecycle:
      run:
        Script: python3 {{artifacts:decompressedPath}}/model/offer.py
        Timeout: 60
"""


def build(
    folder: Path,
    *,
    model: bytes = b"model",
    model_version: str = "1.2.0",
    runtime: bytes = b"runtime",
    port: int = 8765,
    bucket: str = "BUCKET_NAME",
) -> Path:
    """Make a component folder as component.build does, with archives of a few bytes."""
    shutil.rmtree(folder, ignore_errors=True)

    def make(partial: Path) -> dict[str, Any]:
        return {
            "components": [
                write(
                    partial,
                    "runtime",
                    RUNTIME,
                    "0.1.0",
                    RUNTIME_RECIPE.format(version="0.1.0", port=port, bucket=bucket),
                    runtime,
                ),
                write(
                    partial,
                    "model",
                    MODEL,
                    model_version,
                    MODEL_RECIPE.format(version=model_version, bucket=bucket),
                    model,
                ),
            ]
        }

    produce_artifact(folder, kind="component", revision=1, settings={}, parents={}, make=make)
    return folder


def write(
    folder: Path, role: Any, name: str, version: str, recipe: str, content: bytes
) -> BuiltComponent:
    archive = folder / "artifacts" / name / version / f"{role}.zip"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(content)
    path = folder / "recipes" / f"{name}-{version}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(recipe)
    return BuiltComponent(
        role=role,
        name=name,
        version=version,
        recipe=path.relative_to(folder).as_posix(),
        artifacts=(archive.relative_to(folder).as_posix(),),
        bytes=len(content),
        contents=1,
    )


@pytest.fixture
def component(tmp_path: Path) -> Path:
    return build(tmp_path / "component")


@pytest.fixture
def cloud() -> InMemoryCloud:
    return InMemoryCloud(["shelf"])


@pytest.fixture
def service(cloud: InMemoryCloud) -> InMemoryComponentService:
    return InMemoryComponentService(cloud=cloud)


def publish(
    folder: Path,
    cloud: Any,
    service: Any,
    *,
    prefix: str = "artifacts/",
    timeout_s: float = 0,
    **more: Any,
) -> PublishResult:
    return publish_components(
        folder,
        cloud=cloud,
        service=service,
        bucket="shelf",
        prefix=prefix,
        timeout_s=timeout_s,
        poll_s=0,
        **more,
    )


MODEL_KEY = "artifacts/com.example.model.lamps/1.2.0/model.zip"
RUNTIME_KEY = "artifacts/com.example.runtime/0.1.0/runtime.zip"


class TestFirstPublish:
    def test_artifacts_and_nothing_else_are_uploaded(
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
    ) -> None:
        publish(component, cloud, service)

        assert cloud.buckets["shelf"] == {MODEL_KEY: b"model", RUNTIME_KEY: b"runtime"}

    def test_both_versions_are_created_what_others_need_first(
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
    ) -> None:
        result = publish(component, cloud, service)

        assert list(service.recipes) == [(RUNTIME, "0.1.0"), (MODEL, "1.2.0")]
        assert [(item.name, item.created) for item in result.components] == [
            (RUNTIME, True),
            (MODEL, True),
        ]
        assert result.changed

    def test_the_result_names_every_artifact(
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
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
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
    ) -> None:
        publish(component, cloud, service)

        recipe = service.recipes[RUNTIME, "0.1.0"]
        assert recipe["ComponentConfiguration"]["DefaultConfiguration"] == {"port": 8765}
        assert recipe["ComponentVersion"] == "0.1.0"

    def test_progress_is_told_of_every_artifact_and_version(
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
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
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
    ) -> None:
        publish(component, cloud, service)
        uploads, recipes = list(cloud.uploads), copy.deepcopy(service.recipes)

        result = publish(component, cloud, service)

        assert cloud.uploads == uploads
        assert service.recipes == recipes
        assert not result.changed
        assert [item.created for item in result.components] == [False, False]

    def test_a_new_model_leaves_the_runtime_as_it_is(
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
    ) -> None:
        publish(component, cloud, service)
        cloud.uploads.clear()

        result = publish(build(component, model=b"better", model_version="1.3.0"), cloud, service)

        assert [item.created for item in result.components] == [False, True]
        assert cloud.uploads == [("shelf", MODEL_KEY.replace("1.2.0", "1.3.0"))]

    def test_what_aws_writes_out_in_a_recipe_is_no_difference(
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
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
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
    ) -> None:
        publish(component, cloud, service)
        del cloud.buckets["shelf"][MODEL_KEY]

        result = publish(component, cloud, service)

        assert cloud.buckets["shelf"][MODEL_KEY] == b"model"
        assert [item.created for item in result.components] == [False, False]
        assert result.changed


class TestVersionTaken:
    def test_another_model_of_the_same_version_is_refused_before_any_upload(
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
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
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
    ) -> None:
        publish(component, cloud, service)
        cloud.uploads.clear()

        other = build(component, runtime=b"RUNTIME", model_version="1.3.0")
        with pytest.raises(VersionTakenError, match=r"runtime\.zip.*edge-runtime/pyproject"):
            publish(other, cloud, service)

        assert cloud.uploads == []
        assert (MODEL, "1.3.0") not in service.recipes

    def test_another_recipe_is_told_by_its_place(
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
    ) -> None:
        publish(component, cloud, service)

        with pytest.raises(
            VersionTakenError,
            match=r"the recipe's \$\.componentconfiguration\.defaultconfiguration\.port",
        ):
            publish(build(component, port=9000), cloud, service)

    def test_an_entry_less_in_the_recipe_is_a_difference(
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
    ) -> None:
        publish(component, cloud, service)
        service.recipes[MODEL, "1.2.0"]["Manifests"][0]["Lifecycle"]["install"] = {"Script": "x"}

        with pytest.raises(VersionTakenError, match=r"lifecycle\.install"):
            publish(component, cloud, service)

    def test_without_a_digest_the_bucket_tells(self, component: Path, cloud: InMemoryCloud) -> None:
        service = InMemoryComponentService()
        publish(component, cloud, service)

        with pytest.raises(VersionTakenError, match=r"the artifact model\.zip"):
            publish(build(component, model=b"other"), cloud, service)

    def test_a_version_that_somebody_else_takes_meanwhile_is_refused(
        self, component: Path, cloud: InMemoryCloud
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
        self, component: Path, cloud: InMemoryCloud
    ) -> None:
        class Overtaken(InMemoryComponentService):
            def create_component(self, recipe: bytes) -> bool:
                super().create_component(recipe)
                return super().create_component(recipe)

        result = publish(component, cloud, Overtaken(cloud=cloud))

        assert [item.created for item in result.components] == [False, False]


class TestArtifactsOfPublishedVersions:
    def test_one_that_somebody_replaced_is_an_error_and_stays(
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
    ) -> None:
        publish(component, cloud, service)
        cloud.buckets["shelf"][MODEL_KEY] = b"MODEL"

        with pytest.raises(UploadError, match=r"is not what was published as .*lamps 1\.2\.0"):
            publish(component, cloud, service)

        assert cloud.buckets["shelf"][MODEL_KEY] == b"MODEL"

    def test_what_an_unfinished_publish_of_other_content_left_is_replaced(
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
    ) -> None:
        cloud.buckets["shelf"][MODEL_KEY] = b"older build"

        publish(component, cloud, service)

        assert cloud.buckets["shelf"][MODEL_KEY] == b"model"

    def test_a_leftover_that_is_published_in_between_is_not_replaced(
        self, component: Path, cloud: InMemoryCloud
    ) -> None:
        cloud.buckets["shelf"][MODEL_KEY] = b"theirs"

        class Overtaken(InMemoryComponentService):
            looks = itertools.count()

            def find_component(self, name: str, version: str) -> ComponentVersion | None:
                # The model is looked for twice before its upload; the second time it is there.
                if name == MODEL and next(self.looks) == 1:
                    return ComponentVersion(name=name, version=version, state="DEPLOYABLE")
                return super().find_component(name, version)

        with pytest.raises(UploadError, match="published by somebody else just now"):
            publish(component, cloud, Overtaken(cloud=cloud))

        assert cloud.buckets["shelf"][MODEL_KEY] == b"theirs"

    def test_an_object_that_comes_to_be_in_between_is_not_replaced(
        self, component: Path, service: InMemoryComponentService
    ) -> None:
        class Overtaken(InMemoryCloud):
            def upload_file(
                self, path: Path, *, bucket: str, key: str, only_new: bool = False
            ) -> None:
                self.buckets[bucket].setdefault(key, b"theirs")
                super().upload_file(path, bucket=bucket, key=key, only_new=only_new)

        cloud = Overtaken(["shelf"])
        with pytest.raises(UploadError, match=r"runtime\.zip differs from .* after the upload"):
            publish(component, cloud, service)

        assert cloud.buckets["shelf"] == {RUNTIME_KEY: b"theirs"}

    def test_an_artifact_that_comes_back_otherwise_is_an_error(
        self, component: Path, service: InMemoryComponentService
    ) -> None:
        class DamagingCloud(InMemoryCloud):
            def read_object(self, *, bucket: str, key: str) -> Iterator[bytes]:
                for chunk in super().read_object(bucket=bucket, key=key):
                    yield chunk.swapcase()

        with pytest.raises(UploadError, match=r"differs from .*runtime\.zip after the upload"):
            publish(component, DamagingCloud(["shelf"]), service)

        assert service.recipes == {}


class TestWaiting:
    def test_a_version_is_waited_for_until_it_is_deployable(
        self, component: Path, cloud: InMemoryCloud
    ) -> None:
        service = InMemoryComponentService(
            cloud=cloud, states=["REQUESTED", "INITIATED", "DEPLOYABLE"]
        )

        result = publish(component, cloud, service, timeout_s=60)

        assert len(result.components) == 2

    def test_the_wait_is_bounded(self, component: Path, cloud: InMemoryCloud) -> None:
        service = InMemoryComponentService(cloud=cloud, states=["REQUESTED"])

        with pytest.raises(
            NotDeployableError, match=r"runtime 0\.1\.0 is REQUESTED after 0 s.*run again"
        ):
            publish(component, cloud, service)

    def test_a_publish_that_waited_in_vain_goes_on_waiting(
        self, component: Path, cloud: InMemoryCloud
    ) -> None:
        service = InMemoryComponentService(cloud=cloud, states=["REQUESTED"])
        with pytest.raises(NotDeployableError):
            publish(component, cloud, service)
        with pytest.raises(NotDeployableError, match="run again to go on waiting"):
            publish(component, cloud, service)

    def test_a_failed_version_is_told_with_the_reasons(
        self, component: Path, cloud: InMemoryCloud
    ) -> None:
        service = InMemoryComponentService(cloud=cloud, states=["REQUESTED", "FAILED"])
        service.reasons = ("artifact: no access", "recipe: too long")

        with pytest.raises(
            NotDeployableError,
            match=r"runtime 0\.1\.0 is FAILED: artifact: no access; recipe: too long; mend",
        ):
            publish(component, cloud, service, timeout_s=60)

    def test_a_version_that_failed_before_is_told_before_anything_is_uploaded(
        self, component: Path, cloud: InMemoryCloud
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
    component: Path, after: bool
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


class TestBadInput:
    def test_a_folder_without_components_is_named(
        self, tmp_path: Path, cloud: InMemoryCloud, service: InMemoryComponentService
    ) -> None:
        with pytest.raises(ArtifactError, match=r"no component at .*component\.json is missing"):
            publish(tmp_path, cloud, service)

    def test_a_damaged_artifact_is_named_before_anything_is_sent(
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
    ) -> None:
        (component / f"artifacts/{MODEL}/1.2.0/model.zip").write_bytes(b"x")

        with pytest.raises(ArtifactError, match=r"model\.zip is missing or changed"):
            publish(component, cloud, service)

        assert cloud.uploads == []

    def test_a_missing_bucket_is_an_error(self, component: Path) -> None:
        with pytest.raises(BucketMissingError):
            publish(component, InMemoryCloud(["attic"]), InMemoryComponentService())

    def test_a_recipe_with_a_bucket_of_its_own_is_refused(
        self, tmp_path: Path, cloud: InMemoryCloud, service: InMemoryComponentService
    ) -> None:
        with pytest.raises(PublishError, match=r"s3://mine/.* does not begin with s3://BUCKET"):
            publish(build(tmp_path / "component", bucket="mine"), cloud, service)

    def test_a_prefix_that_no_address_can_hold_is_refused(
        self, component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
    ) -> None:
        with pytest.raises(RecipeError, match=r"Artifacts\[0\]\.Uri"):
            publish(component, cloud, service, prefix="a b")

        assert cloud.uploads == []


def test_the_digest_that_aws_keeps_is_the_artifacts(
    component: Path, cloud: InMemoryCloud, service: InMemoryComponentService
) -> None:
    publish(component, cloud, service)

    artifact = service.recipes[MODEL, "1.2.0"]["Manifests"][0]["Artifacts"][0]
    assert base64.b64decode(artifact["Digest"]) == hashlib.sha256(b"model").digest()
