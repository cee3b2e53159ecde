"""Publish components: artifacts to the bucket, recipes to Greengrass, each version once.

A published version never changes. Everything is looked at before anything is sent, so a
version that is taken by other content is refused with nothing uploaded. Each step first
asks what is there already: a publish that was killed anywhere goes on when run again, and
a second one of the same content changes nothing.
"""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.console import Progress, no_progress
from edge_runtime.storage import FileEntry, file_entry
from greengrass_components.cloud import Cloud, stored_sha256
from greengrass_components.component import BuiltComponent, read_components
from greengrass_components.component_service import ComponentService, ComponentVersion
from greengrass_components.errors import (
    NotDeployableError,
    ObjectExistsError,
    PublishError,
    UploadError,
    VersionTakenError,
)
from greengrass_components.recipe import validate_recipe

__all__ = ["PublishResult", "PublishedArtifact", "PublishedComponent", "publish_components"]

logger = logging.getLogger(__name__)

_PLACE = "s3://BUCKET_NAME/"
# What AWS adds to an artifact of a recipe.
_ADDED = frozenset({"algorithm", "digest"})
# What AWS may write out where a recipe leaves it to the default; keys in lower case.
_DEFAULTS: dict[str, Any] = {
    "architecture": "*",
    "componenttype": "aws.greengrass.generic",
    "dependencytype": "HARD",
    "execute": "NONE",
    "read": "OWNER",
    "requiresprivilege": False,
    "unarchive": "NONE",
}
# Below these, every key is the component's own.
_OPAQUE = frozenset({"defaultconfiguration", "setenv"})
_FINAL = frozenset({"BROKEN", "DEPRECATED", "FAILED"})
_HOW_TO_RAISE = {
    "model": "raise the bundle's version (bundle.version)",
    "runtime": "raise the version in edge-runtime/pyproject.toml",
}


class PublishedArtifact(msgspec.Struct, frozen=True):
    """One artifact in the bucket, read back and found equal."""

    key: str
    """Key of the object: ``<prefix>/<component>/<version>/<file>``."""
    uri: str
    """The ``s3://`` address in the recipe."""
    sha256: str
    """SHA-256 of the content, in hexadecimal."""
    bytes: int
    """Size in bytes."""
    uploaded: bool
    """False when the bucket held it already."""


class PublishedComponent(msgspec.Struct, frozen=True):
    """A component version that can be deployed."""

    name: str
    version: str
    created: bool
    """False when it was published already, with the same content."""
    artifacts: tuple[PublishedArtifact, ...]


class PublishResult(msgspec.Struct, frozen=True):
    """Everything of a component folder, published."""

    bucket: str
    """Name of the bucket."""
    components: tuple[PublishedComponent, ...]
    """In the order of their making: what others need comes first."""

    @property
    def changed(self) -> bool:
        """Whether anything was sent."""
        return any(
            item.created or any(artifact.uploaded for artifact in item.artifacts)
            for item in self.components
        )


class _File(msgspec.Struct, frozen=True):
    """An artifact, here and in the bucket."""

    path: Path
    key: str
    entry: FileEntry
    stored: bool
    """Whether the bucket holds the same bytes."""
    leftover: bool
    """Whether the bucket holds other bytes, of a version that was never published."""


class _Version(msgspec.Struct, frozen=True):
    """A component version, here and in AWS."""

    built: BuiltComponent
    content: bytes
    """The recipe with its bucket filled in, as JSON: what AWS is sent."""
    published: bool
    files: tuple[_File, ...]

    @property
    def label(self) -> str:
        return f"{self.built.name} {self.built.version}"


def publish_components(
    folder: Path,
    *,
    cloud: Cloud,
    service: ComponentService,
    bucket: str,
    prefix: str,
    timeout_s: float = 120.0,
    poll_s: float = 1.0,
    progress: Progress = no_progress,
) -> PublishResult:
    """Upload the artifacts of built components and create their versions.

    Args:
        folder: what ``build_components`` made; every byte of it is checked.
        cloud: where artifacts go.
        service: where versions are created.
        bucket: name of the bucket.
        prefix: folder in the bucket; with or without a slash at its end.
        timeout_s: seconds to wait for each version until AWS calls it deployable.
        poll_s: seconds between two looks.
        progress: told of each artifact and version that is done.

    Returns:
        Every component version with its artifacts.

    Raises:
        ArtifactError: the folder is missing, incomplete or damaged.
        RecipeError: a filled recipe is one that a core device would refuse.
        VersionTakenError: a version is published with other content; nothing was uploaded.
        UploadError: an object is not what was sent, or no longer what was published.
        NotDeployableError: AWS did not make a version deployable.
        CloudError: AWS cannot be used.
    """
    built = read_components(folder)
    place = "/".join(part for part in prefix.split("/") if part)
    # All are looked at before anything is sent.
    versions = [
        _look(folder, item, cloud=cloud, service=service, bucket=bucket, prefix=place)
        for item in built
    ]
    total = sum(len(version.files) for version in versions)
    artifacts: dict[str, list[PublishedArtifact]] = {version.label: [] for version in versions}
    for version in versions:
        for file in version.files:
            _store(file, version, cloud=cloud, service=service, bucket=bucket)
            done = artifacts[version.label]
            done.append(_published(file, bucket=bucket))
            progress("upload", sum(map(len, artifacts.values())), total, file.path.name)
    components = []
    for version in versions:
        created = not version.published and _create(version, service)
        _wait(version, service, timeout_s=timeout_s, poll_s=poll_s)
        if not version.published:
            # Whoever made it: what devices will get is what is here.
            _refuse_other_content(version, service)
        components.append(
            PublishedComponent(
                name=version.built.name,
                version=version.built.version,
                created=created,
                artifacts=tuple(artifacts[version.label]),
            )
        )
        progress("publish", len(components), len(versions), version.label)
    return PublishResult(bucket=bucket, components=tuple(components))


def _look(
    folder: Path,
    built: BuiltComponent,
    *,
    cloud: Cloud,
    service: ComponentService,
    bucket: str,
    prefix: str,
) -> _Version:
    """Compare a built version with what AWS and the bucket hold; change nothing."""
    place = f"{bucket}/{prefix}" if prefix else bucket
    there = service.find_component(built.name, built.version)
    if there is not None:
        _refuse_failed(there, built)
    version = _Version(
        built=built,
        content=_fill(folder / built.recipe, place=place),
        published=there is not None,
        files=tuple(
            _compare(folder / path, cloud=cloud, bucket=bucket, prefix=prefix)
            for path in built.artifacts
        ),
    )
    if not version.published:
        return version
    _refuse_other_content(version, service)
    for file in version.files:
        if file.leftover:
            raise UploadError(
                f"s3://{bucket}/{file.key} is not what was published as {version.label}: "
                "somebody replaced it, and devices will refuse it; restore the object's earlier "
                f"version, or {_HOW_TO_RAISE[built.role]} and build again",
                bucket=bucket,
                key=file.key,
            )
    return version


def _compare(path: Path, *, cloud: Cloud, bucket: str, prefix: str) -> _File:
    # <folder>/artifacts/<component>/<version>/<file>
    key = "/".join([*([prefix] if prefix else []), *path.parts[-3:]])
    entry = file_entry(path)
    there = cloud.object_bytes(bucket=bucket, key=key)
    stored = there == entry.bytes and stored_sha256(cloud, bucket=bucket, key=key) == entry.sha256
    return _File(
        path=path, key=key, entry=entry, stored=stored, leftover=there is not None and not stored
    )


def _refuse_other_content(version: _Version, service: ComponentService) -> None:
    """Refuse a version that AWS holds with another recipe or other artifacts.

    Raises:
        VersionTakenError: it does.
    """
    held = service.read_recipe(version.built.name, version.built.version)
    other = next(
        _differences(_plain(json.loads(version.content)), _plain(held), "$"), None
    ) or next(_other_artifacts(held, version.files), None)
    if other is None:
        return
    raise VersionTakenError(
        f"{version.label} is published already with other content ({other}), and a published "
        f"version never changes; {_HOW_TO_RAISE[version.built.role]}, build again and publish",
        name=version.built.name,
        version=version.built.version,
        difference=other,
    )


def _store(
    file: _File, version: _Version, *, cloud: Cloud, service: ComponentService, bucket: str
) -> None:
    if file.stored:
        return
    if file.leftover and service.find_component(version.built.name, version.built.version):
        raise UploadError(
            f"{version.label} was published by somebody else just now; run again to compare",
            key=file.key,
        )
    try:
        # What belongs to no version may be replaced; everything else must be new.
        cloud.upload_file(file.path, bucket=bucket, key=file.key, only_new=not file.leftover)
    except ObjectExistsError:
        logger.info("s3://%s/%s came to be just now; comparing", bucket, file.key)
    # S3's own checksums are of what it received; what counts is what a device will get.
    if stored_sha256(cloud, bucket=bucket, key=file.key) != file.entry.sha256:
        raise UploadError(
            f"s3://{bucket}/{file.key} differs from {file.path} after the upload; "
            "see that nothing else writes there, and run again",
            bucket=bucket,
            key=file.key,
        )
    logger.info("uploaded s3://%s/%s", bucket, file.key)


def _published(file: _File, *, bucket: str) -> PublishedArtifact:
    return PublishedArtifact(
        key=file.key,
        uri=f"s3://{bucket}/{file.key}",
        sha256=file.entry.sha256,
        bytes=file.entry.bytes,
        uploaded=not file.stored,
    )


def _create(version: _Version, service: ComponentService) -> bool:
    created = service.create_component(version.content)
    logger.info("%s %s", "created" if created else "already there:", version.label)
    return created


def _wait(version: _Version, service: ComponentService, *, timeout_s: float, poll_s: float) -> None:
    """Wait until AWS calls a version deployable.

    Raises:
        NotDeployableError: it says that it never will be, or nothing in time.
    """
    deadline = time.monotonic() + timeout_s
    built = version.built
    while True:
        found = service.find_component(built.name, built.version)
        if found is not None:
            _refuse_failed(found, built)
            if found.state == "DEPLOYABLE":
                return
        state = "not there yet" if found is None else found.state
        if time.monotonic() >= deadline:
            raise NotDeployableError(
                f"{version.label} is {state} after {timeout_s:g} s, and not DEPLOYABLE; "
                "run again to go on waiting",
                state=state,
            )
        time.sleep(poll_s)


def _refuse_failed(found: ComponentVersion, built: BuiltComponent) -> None:
    """Refuse a version that will never be deployable.

    Raises:
        NotDeployableError: it is one.
    """
    if found.state in _FINAL:
        raise NotDeployableError(
            f"AWS says that {found.name} {found.version} is {found.state}: "
            f"{'; '.join(found.reasons) or 'it gives no reason'}; mend that, "
            f"{_HOW_TO_RAISE[built.role]}, build again and publish",
            state=found.state,
            reasons=found.reasons,
        )


def _fill(path: Path, *, place: str) -> bytes:
    """Put bucket and prefix into a recipe; the result is JSON, which keeps numbers numbers.

    Raises:
        PublishError: an artifact is not where ``build_components`` puts it.
        RecipeError: the recipe is one that a core device would refuse.
    """
    from ruamel.yaml import YAML

    # Its bytes were just checked against the folder's document.
    recipe = YAML(typ="safe", pure=True).load(path)
    for manifest in recipe["Manifests"]:
        for artifact in manifest.get("Artifacts", []):
            if not artifact["Uri"].startswith(_PLACE):
                raise PublishError(
                    f"{path}: the artifact {artifact['Uri']} does not begin with {_PLACE}; "
                    "build the component again",
                    recipe=path,
                )
            artifact["Uri"] = f"s3://{place}/{artifact['Uri'].removeprefix(_PLACE)}"
    content = msgspec.json.encode(recipe, order="deterministic")
    # The prefix makes a recipe longer, and may hold what an address must not.
    validate_recipe(content, where=path)
    return content


def _plain(value: Any, key: str = "") -> Any:
    """Reduce a recipe to what it says: without defaults, empty entries and AWS's additions."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict) or key in _OPAQUE:
        return value
    entries = {name.lower(): _plain(item, name.lower()) for name, item in value.items()}
    return {
        name: item
        for name, item in entries.items()
        if name not in _ADDED
        and item not in (None, "", [], {})
        and not (name in _DEFAULTS and item == _DEFAULTS[name])
    }


def _differences(ours: Any, held: Any, path: str) -> Iterator[str]:
    """Name the places in which two plain recipes differ."""
    if isinstance(ours, dict) and isinstance(held, dict):
        for name in sorted(ours.keys() | held.keys()):
            yield from _differences(ours.get(name), held.get(name), f"{path}.{name}")
    elif isinstance(ours, list) and isinstance(held, list) and len(ours) == len(held):
        for number, (one, other) in enumerate(zip(ours, held, strict=True)):
            yield from _differences(one, other, f"{path}[{number}]")
    elif ours != held:
        yield f"the recipe's {path}"


def _other_artifacts(held: dict[str, Any], files: tuple[_File, ...]) -> Iterator[str]:
    """Name the artifacts whose bytes are not those that were published."""
    published = {
        artifact["Uri"].rsplit("/", 1)[1]: artifact["Digest"]
        for manifest in held.get("Manifests", [])
        for artifact in manifest.get("Artifacts", [])
        if artifact.get("Algorithm") == "SHA-256" and "Digest" in artifact
    }
    for file in files:
        # AWS writes the SHA-256 in Base64. Where it gives none, the bucket has to tell.
        ours = base64.b64encode(bytes.fromhex(file.entry.sha256)).decode()
        digest = published.get(file.path.name)
        if file.leftover if digest is None else digest != ours:
            yield f"the artifact {file.path.name}"
