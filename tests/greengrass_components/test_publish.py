"""Artifacts on their way into the bucket."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from greengrass_components.cloud import InMemoryCloud
from greengrass_components.errors import BucketMissingError, UploadError
from greengrass_components.publish import upload_component


@pytest.fixture
def component(tmp_path: Path) -> Path:
    folder = tmp_path / "component"
    version = folder / "artifacts/com.example.Intents/1.2.0"
    version.mkdir(parents=True)
    (version / "model.zip").write_bytes(b"model")
    (version / "runtime.zip").write_bytes(b"runtime")
    (folder / "recipe.yaml").write_text("RecipeFormatVersion: '2020-01-25'\n")
    return folder


@pytest.fixture
def cloud() -> InMemoryCloud:
    return InMemoryCloud(["shelf"])


def test_artifacts_and_nothing_else_are_uploaded(component: Path, cloud: InMemoryCloud) -> None:
    upload_component(component, cloud=cloud, bucket="shelf", prefix="artifacts/")

    assert cloud.buckets["shelf"] == {
        "artifacts/com.example.Intents/1.2.0/model.zip": b"model",
        "artifacts/com.example.Intents/1.2.0/runtime.zip": b"runtime",
    }


def test_the_result_names_every_artifact(component: Path, cloud: InMemoryCloud) -> None:
    result = upload_component(component, cloud=cloud, bucket="shelf", prefix="artifacts/")

    model = result.artifacts[0]
    assert model.uri == "s3://shelf/artifacts/com.example.Intents/1.2.0/model.zip"
    assert model.sha256 == hashlib.sha256(b"model").hexdigest()
    assert (model.bytes, model.skipped) == (5, False)


@pytest.mark.parametrize(
    ("prefix", "start"),
    [("", "com."), ("a", "a/com."), ("a/b/", "a/b/com."), ("/a//b", "a/b/com.")],
)
def test_a_prefix_needs_no_slash(
    component: Path, cloud: InMemoryCloud, prefix: str, start: str
) -> None:
    result = upload_component(component, cloud=cloud, bucket="shelf", prefix=prefix)

    assert all(artifact.key.startswith(start) for artifact in result.artifacts)


def test_a_second_upload_sends_nothing(component: Path, cloud: InMemoryCloud) -> None:
    upload_component(component, cloud=cloud, bucket="shelf", prefix="a")
    cloud.uploads.clear()

    result = upload_component(component, cloud=cloud, bucket="shelf", prefix="a")

    assert cloud.uploads == []
    assert [artifact.skipped for artifact in result.artifacts] == [True, True]


def test_only_what_changed_is_sent_again(component: Path, cloud: InMemoryCloud) -> None:
    upload_component(component, cloud=cloud, bucket="shelf", prefix="a")
    cloud.uploads.clear()
    # Of the same length, so that the size alone would not tell.
    (component / "artifacts/com.example.Intents/1.2.0/model.zip").write_bytes(b"MODEL")

    upload_component(component, cloud=cloud, bucket="shelf", prefix="a")

    assert cloud.uploads == [("shelf", "a/com.example.Intents/1.2.0/model.zip")]
    assert cloud.buckets["shelf"]["a/com.example.Intents/1.2.0/model.zip"] == b"MODEL"


def test_progress_is_told_of_every_artifact(component: Path, cloud: InMemoryCloud) -> None:
    told: list[tuple[str, int, int, str]] = []

    upload_component(
        component,
        cloud=cloud,
        bucket="shelf",
        prefix="a",
        progress=lambda what, done, total, note: told.append((what, done, total, note)),
    )

    assert told == [("upload", 1, 2, "model.zip"), ("upload", 2, 2, "runtime.zip")]


class DamagingCloud(InMemoryCloud):
    """Gives back other bytes than it was given."""

    def read_object(self, *, bucket: str, key: str) -> Iterator[bytes]:
        for chunk in super().read_object(bucket=bucket, key=key):
            yield chunk.swapcase()


def test_an_artifact_that_comes_back_otherwise_is_an_error(component: Path) -> None:
    with pytest.raises(UploadError, match=r"model\.zip differs from .*model\.zip after the upload"):
        upload_component(component, cloud=DamagingCloud(["shelf"]), bucket="shelf", prefix="a")


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_without_artifacts_is_named(
    tmp_path: Path, cloud: InMemoryCloud, make: bool
) -> None:
    if make:
        (tmp_path / "artifacts").mkdir()

    with pytest.raises(UploadError, match=r"no artifacts in .*component\.build"):
        upload_component(tmp_path, cloud=cloud, bucket="shelf", prefix="a")


@pytest.mark.parametrize("name", ["stray.zip", "com.example.Intents/1.2.0/deep/stray.zip"])
def test_a_file_in_the_wrong_place_stops_the_upload_before_it(
    component: Path, cloud: InMemoryCloud, name: str
) -> None:
    stray = component / "artifacts" / name
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.touch()

    with pytest.raises(UploadError, match="not where an artifact belongs"):
        upload_component(component, cloud=cloud, bucket="shelf", prefix="a")

    assert cloud.uploads == []


def test_a_missing_bucket_is_an_error(component: Path, cloud: InMemoryCloud) -> None:
    with pytest.raises(BucketMissingError):
        upload_component(component, cloud=cloud, bucket="attic", prefix="a")
