"""Wheels of a few bytes, for tests of everything around them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from greengrass_components.wheels import MACHINES, fetch_wheels, installed_requirements


def write_wheel(
    folder: Path, name: str, version: str, *, files: dict[str, str], machine: str = "x86_64"
) -> Path:
    """Write a binary wheel for CPython 3.11 that pip accepts."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-cp311-cp311-manylinux_2_17_{machine}.whl"
    info = f"{name}-{version}.dist-info"
    own = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as file:
        for member, content in {**files, **own}.items():
            file.writestr(member, content)
    return path


def look_only_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder the only place where pip finds wheels."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A function that adds a wheel to a folder, which is the only place where pip looks."""
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    look_only_in(folder, monkeypatch)

    def add(name: str, version: str, *, machine: str = "x86_64") -> Path:
        files = {f"{name}/__init__.py": f"__version__ = {version!r}\n"}
        return write_wheel(folder, name, version, files=files, machine=machine)

    return add


@pytest.fixture(scope="session")
def tiny_wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds the device's packages as wheels of a few bytes; not to be changed."""
    root = tmp_path_factory.mktemp("wheels")
    requirements = installed_requirements()
    with pytest.MonkeyPatch.context() as monkeypatch:
        look_only_in(root / "wheelhouse", monkeypatch)
        for architecture, machine in MACHINES.items():
            for item in requirements:
                files = {f"{item.name}/__init__.py": ""}
                write_wheel(
                    root / "wheelhouse", item.name, item.version, files=files, machine=machine
                )
            fetch_wheels(
                requirements, architecture=architecture, python="3.11", cache=root / "cache"
            )
    return root / "cache"
