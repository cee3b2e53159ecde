"""Settings of the component stage."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from edge_runtime.settings import load_settings
from greengrass_components.errors import ComponentError

__all__ = ["ComponentSettings", "host_architecture", "load_component_settings", "targets"]

DEFAULTS = Path(__file__).with_name("defaults.toml")
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "aarch64", "arm64": "aarch64"}


class ComponentSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How bundles become components."""

    prefix: Annotated[
        str, msgspec.Meta(pattern=r"^(?!aws\.greengrass)[a-zA-Z0-9][a-zA-Z0-9._-]{0,47}$")
    ]
    """First part of component names: ``<prefix>.runtime`` and ``<prefix>.model.<name>``."""
    publisher: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    """Who publishes the components; shown in the console."""
    platforms: Annotated[
        str, msgspec.Meta(pattern=r"^(host|amd64|aarch64)(,(host|amd64|aarch64))*$")
    ]
    """Processors of the devices, separated by commas; ``host`` is that of this machine."""
    python: Annotated[str, msgspec.Meta(pattern=r"^(host|3\.[1-9][0-9])$")]
    """Python of the devices, major.minor; ``host`` is that of this interpreter."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    """TCP port that the runtime serves on, on the loopback interface."""
    install_timeout_s: Annotated[int, msgspec.Meta(ge=1, le=3600)]
    """Seconds that the runtime's check of a device may take."""


def load_component_settings(
    *, project_folder: Path | None = None, flags: Mapping[str, Any] | None = None
) -> ComponentSettings:
    """Resolve the section ``component`` of the settings.

    Raises:
        SettingsError: an unknown name, a wrong type or a value out of range.
    """
    return load_settings(
        ComponentSettings,
        "component",
        defaults=DEFAULTS,
        project_folder=project_folder,
        flags=flags,
    )


def host_architecture() -> str:
    """Name this machine's processor as recipes do.

    Raises:
        ComponentError: it is one that edgewise builds no runtime for.
    """
    machine = platform.machine().lower()
    if machine not in _ARCHITECTURES:
        raise ComponentError(
            f"this machine's processor is {machine}, components are built for amd64 and aarch64; "
            "set component.platforms to what the devices have",
            machine=machine,
        )
    return _ARCHITECTURES[machine]


def targets(settings: ComponentSettings) -> tuple[tuple[str, ...], str]:
    """Resolve ``host``: the devices' processors, sorted, and their Python.

    Raises:
        ComponentError: this machine is to be built for, and cannot be.
    """
    names = set(settings.platforms.split(","))
    architectures = {host_architecture() if name == "host" else name for name in names}
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    return tuple(sorted(architectures)), here if settings.python == "host" else settings.python
