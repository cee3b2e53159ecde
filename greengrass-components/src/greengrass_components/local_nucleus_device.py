"""What a recipe meets on a device: its platform, its variables, its Python."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from greengrass_components.config import host_architecture
from greengrass_components.errors import NucleusError
from greengrass_components.recipe import Manifest, Recipe
from greengrass_components.recipe_rules import look_up

__all__ = ["Device", "Places", "choose_manifest", "clean_environment", "host_device", "substitute"]

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Device(NamedTuple):
    """A core device, in a recipe's words."""

    os: str
    architecture: str
    runtime: str
    """The nucleus: ``aws_nucleus_lite``, or ``aws_nucleus`` for the classic one."""
    thing_name: str


class Places(NamedTuple):
    """Where one component finds things on a device."""

    root: Path
    artifacts: Path
    unarchived: Path
    work: Path


def host_device(thing_name: str = "local") -> Device:
    """Describe this machine as a core device with Nucleus Lite, the stricter nucleus.

    Raises:
        NucleusError: it is not Linux, which the components are built for.
        ComponentError: its processor is not one that components are built for.
    """
    if sys.platform != "linux":
        raise NucleusError(
            f"components are built for Linux and this is {sys.platform}; "
            "try the bundle with device.classify, or the component in a Linux container"
        )
    return Device("linux", host_architecture(), "aws_nucleus_lite", thing_name)


def choose_manifest(recipe: Recipe, device: Device) -> Manifest:
    """Take the first manifest that fits a device.

    Raises:
        NucleusError: none does.
    """
    for manifest in recipe.manifests:
        wanted = manifest.platform
        pairs = (
            (wanted.os, device.os),
            (wanted.architecture, device.architecture),
            (wanted.runtime, device.runtime),
        )
        if wanted.architecture_detail is None and all(a in ("*", b) for a, b in pairs):
            return manifest
    raise NucleusError(
        f"{recipe.component_name} {recipe.component_version} has no manifest for {device.os} on "
        f"{device.architecture}; build it with component.platforms = {device.architecture}",
        component=recipe.component_name,
    )


def substitute(
    text: str, *, places: Places, device: Device, configuration: Mapping[str, Any]
) -> str:
    """Put values in the place of recipe variables.

    Objects and lists of the configuration become compact JSON, as on a device.

    Raises:
        NucleusError: a variable is unknown. A device would leave it as it is, or cut the
            script there and run the rest.
    """
    known = {
        "artifacts:path": str(places.artifacts),
        "artifacts:decompressedPath": str(places.unarchived),
        "work:path": str(places.work),
        "kernel:rootPath": str(places.root),
        "iot:thingName": device.thing_name,
    }

    def value(match: re.Match[str]) -> str:
        kind, _, pointer = match[1].partition(":")
        if match[1] in known:
            return known[match[1]]
        try:
            if kind != "configuration":
                raise KeyError(match[1])
            found = look_up(configuration, pointer)
        except KeyError as error:
            raise NucleusError(
                f"{text!r} uses {match[0]}, which has no value here; mend the recipe or the "
                "configuration of the deployment",
                variable=match[1],
            ) from error
        return found if isinstance(found, str) else json.dumps(found, separators=(",", ":"))

    return _VARIABLE.sub(value, text)


def clean_environment(
    places: Places, device: Device, *, setenv: Mapping[str, str]
) -> dict[str, str]:
    """Give a script's environment: nothing of this process's own.

    ``python3`` is made the interpreter that runs this, without its virtual environment, as a
    component is built for that version.
    """
    programs = places.root / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    link = programs / "python3"
    if not link.is_symlink():
        link.symlink_to(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
    return {
        "AWS_IOT_THING_NAME": device.thing_name,
        "HOME": str(places.work),
        "PATH": f"{programs}:{_SYSTEM_PATH}",
        **setenv,
    }
