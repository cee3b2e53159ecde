"""What this machine has for edgewise, and what is missing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from edge_runtime.cpu import capabilities
from edge_runtime.errors import EdgeError

__all__ = ["Finding", "examine"]

_FREE_BYTES = 4 << 30


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    what: str
    """What it is."""
    state: Literal["ok", "missing", "optional"]
    """``missing`` stops the line; ``optional`` is not here, and only some tasks need it."""
    detail: str
    """What was found, or what to do."""


def examine(project: Path) -> list[Finding]:
    """Look at everything the tasks need; nothing is changed and nothing is fetched.

    Args:
        project: the root of the checkout.
    """
    checks: tuple[Callable[[Path], Finding], ...] = (
        _python,
        _packages,
        _disk,
        _processor,
        _compiler,
        _gpu,
        _terraform,
        _emulator,
    )
    return [check(project) for check in checks]


def _python(_: Path) -> Finding:
    return Finding("Python", "ok", f"{platform.python_version()} at {sys.executable}")


def _packages(project: Path) -> Finding:
    wrong = []
    for line in (project / "constraints.txt").read_text(encoding="utf-8").splitlines():
        name, found, wanted = line.partition("==")
        if not found or line.startswith("#"):
            continue
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{name} is not installed")
            continue
        # A local part such as +cpu names a build of the same version.
        if installed.partition("+")[0] != wanted.partition("+")[0]:
            wrong.append(f"{name} is {installed}, pinned {wanted}")
    if wrong:
        return Finding("packages", "missing", f"{'; '.join(wrong[:3])}: run ./inv once more")
    return Finding("packages", "ok", "as pinned in constraints.txt")


def _disk(project: Path) -> Finding:
    free = shutil.disk_usage(project).free
    detail = f"{free / 1e9:.0f} GB free"
    if free < _FREE_BYTES:
        return Finding("disk", "missing", f"{detail}: make room, 4 GB are needed")
    return Finding("disk", "ok", detail)


def _processor(_: Path) -> Finding:
    told = f"{platform.machine()}, {os.cpu_count()} cores"
    if "int8-dot" in capabilities():
        return Finding("processor", "ok", f"{told}, 8-bit dot products")
    return Finding(
        "processor", "optional", f"{told}, no 8-bit dot products: int8 variants are not chosen here"
    )


def _compiler(_: Path) -> Finding:
    found = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if found is None:
        return Finding("C++ compiler", "optional", "none: needed again when llama.cpp changes")
    return Finding("C++ compiler", "ok", found)


def _gpu(_: Path) -> Finding:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Finding("NVIDIA GPU", "optional", "none: training runs on the processor")
    return Finding("NVIDIA GPU", "ok", tool)


def _terraform(project: Path) -> Finding:
    from greengrass_components.infrastructure.terraform import Terraform

    try:
        version = Terraform(project / "terraform").version()
    except EdgeError as error:
        return Finding("Terraform", "optional", error.message)
    return Finding("Terraform", "ok", str(version))


def _emulator(project: Path) -> Finding:
    from greengrass_components.emulator import find_emulator

    emulator = find_emulator(project / "build" / "cloud")
    if emulator is None:
        return Finding("AWS emulator", "optional", "not running; start it with ./inv cloud.start")
    return Finding("AWS emulator", "ok", emulator.endpoint)
