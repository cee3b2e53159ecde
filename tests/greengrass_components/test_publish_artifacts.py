"""What publishing takes: artifacts as they are in the bucket, and folders and recipes in order."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime.errors import ArtifactError
from greengrass_components.cloud import InMemoryCloud
from greengrass_components.component_service import ComponentVersion
from greengrass_components.component_service_in_memory import InMemoryComponentService
from greengrass_components.errors import (
    BucketMissingError,
    PublishError,
    RecipeError,
    UploadError,
)
from greengrass_components.publish import PublishResult

MODEL = "com.example.model.lamps"
MODEL_KEY = "artifacts/com.example.model.lamps/1.2.0/model.zip"
RUNTIME_KEY = "artifacts/com.example.runtime/0.1.0/runtime.zip"


class TestArtifactsOfPublishedVersions:
    def test_one_that_somebody_replaced_is_an_error_and_stays(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        publish: Callable[..., PublishResult],
    ) -> None:
        publish(component, cloud, service)
        cloud.buckets["shelf"][MODEL_KEY] = b"MODEL"

        with pytest.raises(UploadError, match=r"is not what was published as .*lamps 1\.2\.0"):
            publish(component, cloud, service)

        assert cloud.buckets["shelf"][MODEL_KEY] == b"MODEL"

    def test_what_an_unfinished_publish_of_other_content_left_is_replaced(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        publish: Callable[..., PublishResult],
    ) -> None:
        cloud.buckets["shelf"][MODEL_KEY] = b"older build"

        publish(component, cloud, service)

        assert cloud.buckets["shelf"][MODEL_KEY] == b"model"

    def test_a_leftover_that_is_published_in_between_is_not_replaced(
        self, component: Path, cloud: InMemoryCloud, publish: Callable[..., PublishResult]
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
        self,
        component: Path,
        service: InMemoryComponentService,
        publish: Callable[..., PublishResult],
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
        self,
        component: Path,
        service: InMemoryComponentService,
        publish: Callable[..., PublishResult],
    ) -> None:
        class DamagingCloud(InMemoryCloud):
            def read_object(self, *, bucket: str, key: str) -> Iterator[bytes]:
                for chunk in super().read_object(bucket=bucket, key=key):
                    yield chunk.swapcase()

        with pytest.raises(UploadError, match=r"differs from .*runtime\.zip after the upload"):
            publish(component, DamagingCloud(["shelf"]), service)

        assert service.recipes == {}


class TestBadInput:
    def test_a_folder_without_components_is_named(
        self,
        tmp_path: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        publish: Callable[..., PublishResult],
    ) -> None:
        with pytest.raises(ArtifactError, match=r"no component at .*component\.json is missing"):
            publish(tmp_path, cloud, service)

    def test_a_damaged_artifact_is_named_before_anything_is_sent(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        publish: Callable[..., PublishResult],
    ) -> None:
        (component / f"artifacts/{MODEL}/1.2.0/model.zip").write_bytes(b"x")

        with pytest.raises(ArtifactError, match=r"model\.zip is missing or changed"):
            publish(component, cloud, service)

        assert cloud.uploads == []

    def test_a_missing_bucket_is_an_error(
        self, component: Path, publish: Callable[..., PublishResult]
    ) -> None:
        with pytest.raises(BucketMissingError):
            publish(component, InMemoryCloud(["attic"]), InMemoryComponentService())

    def test_a_recipe_with_a_bucket_of_its_own_is_refused(
        self,
        tmp_path: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        build: Callable[..., Path],
        publish: Callable[..., PublishResult],
    ) -> None:
        with pytest.raises(PublishError, match=r"s3://mine/.* does not begin with s3://BUCKET"):
            publish(build(tmp_path / "component", bucket="mine"), cloud, service)

    def test_a_prefix_that_no_address_can_hold_is_refused(
        self,
        component: Path,
        cloud: InMemoryCloud,
        service: InMemoryComponentService,
        publish: Callable[..., PublishResult],
    ) -> None:
        with pytest.raises(RecipeError, match=r"Artifacts\[0\]\.Uri"):
            publish(component, cloud, service, prefix="a b")

        assert cloud.uploads == []


def test_the_digest_that_aws_keeps_is_the_artifacts(
    component: Path,
    cloud: InMemoryCloud,
    service: InMemoryComponentService,
    publish: Callable[..., PublishResult],
) -> None:
    publish(component, cloud, service)

    artifact = service.recipes[MODEL, "1.2.0"]["Manifests"][0]["Artifacts"][0]
    assert base64.b64decode(artifact["Digest"]) == hashlib.sha256(b"model").digest()
