"""Component versions of the emulated Greengrass v2: what is accepted, and what is kept.

Rules and messages follow the service
(https://docs.aws.amazon.com/greengrass/v2/APIReference/API_CreateComponentVersion.html).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from moto.core.exceptions import ServiceException
from moto.core.utils import utcnow

__all__ = ["ComponentStore", "Conflict", "Invalid", "Missing"]

_RECIPE_BYTES = 16_000
_VERSION_LENGTH = 64
_NAME = re.compile(r"[a-zA-Z0-9-_.]{1,128}")
# https://semver.org, at most 64 characters of it.
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)([-+][0-9A-Za-z.+-]+)?")
_PUBLIC_PREFIX = "aws.greengrass"


class Invalid(ServiceException):
    """The call is not as the service wants it."""

    code = "ValidationException"
    reason = "OTHER"


class Conflict(ServiceException):
    """The call does not go with what is there."""

    code = "ConflictException"
    resourceId = ""
    resourceType = ""


class Missing(ServiceException):
    """There is no such thing."""

    code = "ResourceNotFoundException"
    resourceId = ""
    resourceType = ""


class _Artifact(msgspec.Struct, rename="pascal"):
    """What the service reads of an artifact; what it does not know it passes over."""

    uri: str


class _Manifest(msgspec.Struct, rename="pascal"):
    name: str | None = None
    platform: dict[str, str] = {}
    lifecycle: dict[str, Any] = {}
    artifacts: list[_Artifact] = []


class _Dependency(msgspec.Struct, rename="pascal"):
    version_requirement: str | None = None
    dependency_type: Literal["HARD", "SOFT"] = "HARD"


class _Recipe(msgspec.Struct, rename="pascal"):
    recipe_format_version: Literal["2020-01-25"]
    component_name: str
    component_version: str
    component_description: str | None = None
    component_publisher: str | None = None
    component_configuration: dict[str, Any] = {}
    component_dependencies: dict[str, _Dependency] = {}
    component_type: str | None = None
    lifecycle: dict[str, Any] = {}
    manifests: list[_Manifest] = []


class ComponentStore:
    """Component versions of one account and region, by ARN."""

    def __init__(self, *, account: str, region: str, partition: str) -> None:
        self._account = account
        self._place = f"arn:{partition}:greengrass:{region}:{account}:components"
        self._versions: dict[str, dict[str, Any]] = {}

    def create(self, recipe: bytes, *, tags: dict[str, str]) -> dict[str, Any]:
        """Keep a new version.

        Args:
            recipe: JSON or YAML.
            tags: its tags.

        Returns:
            What DescribeComponent tells of it.
        """
        content = self._read(recipe)
        name, version = content["ComponentName"], content["ComponentVersion"]
        arn = f"{self._place}:{name}:versions:{version}"
        if arn in self._versions:
            error = Conflict(
                f"Component [{name} : {version}] for account [{self._account}] already exists "
                "with state: [DEPLOYABLE]"
            )
            error.resourceId, error.resourceType = arn, "component-version"
            raise error
        self._fill_digests(content)
        self._versions[arn] = {
            "arn": arn,
            "componentName": name,
            "componentVersion": version,
            "creationTimestamp": utcnow(),
            "description": content.get("ComponentDescription"),
            "publisher": content.get("ComponentPublisher"),
            "platforms": [_platform(entry) for entry in content.get("Manifests", [])],
            "status": {
                "componentState": "DEPLOYABLE",
                "message": "NONE",
                "errors": {},
                "vendorGuidance": "ACTIVE",
            },
            "tags": tags,
            "recipe": content,
        }
        return self._versions[arn]

    def get(self, arn: str) -> dict[str, Any]:
        """Return a version by its ARN."""
        found = self._versions.get(arn)
        if found is None:
            error = Missing(f"The requested component version [{arn}] does not exist.")
            error.resourceId, error.resourceType = arn, "component-version"
            raise error
        return found

    def delete(self, arn: str) -> None:
        """Forget a version."""
        self.get(arn)
        del self._versions[arn]

    def latest(self) -> list[dict[str, Any]]:
        """Return the newest version of each component, by name."""
        newest: dict[str, dict[str, Any]] = {}
        for entry in self._versions.values():
            held = newest.get(entry["componentName"])
            if held is None or _order(held) < _order(entry):
                newest[entry["componentName"]] = entry
        return [newest[name] for name in sorted(newest)]

    def versions(self, component: str) -> list[dict[str, Any]]:
        """Return the versions of a component, by its ARN without a version, newest first."""
        name = component.rpartition(":components:")[2]
        found = [entry for entry in self._versions.values() if entry["componentName"] == name]
        if not found:
            error = Missing(f"The requested component [{component}] does not exist.")
            error.resourceId, error.resourceType = component, "component"
            raise error
        return sorted(found, key=_order, reverse=True)

    def check_deployable(self, name: str, version: str | None) -> None:
        """Refuse a deployment of what is not there; AWS's own components always are."""
        if name.startswith(_PUBLIC_PREFIX):
            return
        wanted = f"{self._place}:{name}:versions:{version}"
        if wanted not in self._versions:
            raise Invalid(
                f"Components do not exist or are not in a deployable state: [{name}:{version}]"
            )

    def _read(self, recipe: bytes) -> dict[str, Any]:
        if len(recipe) > _RECIPE_BYTES:
            raise Invalid(f"The recipe is larger than {_RECIPE_BYTES} bytes.")
        content = _parse(recipe)
        try:
            read = msgspec.convert(content, _Recipe)
        except msgspec.ValidationError as error:
            raise Invalid(f"Invalid recipe: {error}") from error
        name, version = read.component_name, read.component_version
        if not _NAME.fullmatch(name) or name.startswith(_PUBLIC_PREFIX):
            raise Invalid(f"Invalid recipe: ComponentName [{name}] is not allowed")
        if len(version) > _VERSION_LENGTH or not _VERSION.fullmatch(version):
            raise Invalid(f"Invalid recipe: ComponentVersion [{version}] is not a semantic version")
        if not (read.manifests or read.lifecycle):
            raise Invalid("Invalid recipe: at least one manifest is needed")
        for manifest in read.manifests:
            names = [urlsplit(entry.uri).path.rpartition("/")[2] for entry in manifest.artifacts]
            if len(set(names)) != len(names):
                raise Invalid("Invalid recipe: two artifacts of one manifest have the same name")
        return content

    def _fill_digests(self, content: dict[str, Any]) -> None:
        refused = {}
        for manifest in content.get("Manifests", []):
            for artifact in manifest.get("Artifacts", []):
                digest = self._digest(artifact["Uri"])
                if digest is None:
                    refused[artifact["Uri"]] = "Specified artifact resource cannot be accessed"
                    continue
                artifact["Digest"], artifact["Algorithm"] = digest, "SHA-256"
        if refused:
            told = ", ".join(f"{uri} = {reason}" for uri, reason in sorted(refused.items()))
            raise Invalid(f"Invalid Input: Encountered following errors in Artifacts: {{{told}}}")

    def _digest(self, uri: str) -> str | None:
        from moto.s3.models import s3_backends

        address = urlsplit(uri)
        if address.scheme != "s3":
            return None
        backend = s3_backends[self._account]["aws"]
        bucket = backend.buckets.get(address.netloc)
        found = bucket.keys.get(address.path.lstrip("/")) if bucket else None
        if found is None or not hasattr(found, "value"):
            return None
        return base64.b64encode(hashlib.sha256(found.value).digest()).decode()


def _parse(recipe: bytes) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = json.loads(recipe)
    except ValueError:
        try:
            content = YAML(typ="safe", pure=True).load(recipe.decode())
        except (YAMLError, UnicodeDecodeError) as error:
            raise Invalid("The recipe is neither JSON nor YAML.") from error
    if not isinstance(content, dict):
        raise Invalid("The recipe is not an object.")
    return content


def _platform(manifest: dict[str, Any]) -> dict[str, Any]:
    return {"name": manifest.get("Name"), "attributes": manifest.get("Platform", {})}


def _order(entry: dict[str, Any]) -> tuple[list[int], bool, str]:
    numbers, _, rest = entry["componentVersion"].partition("-")
    # A version with something after its numbers comes before the one without.
    return [int(part) for part in numbers.partition("+")[0].split(".")], not rest, rest
