"""Wheels and components of a few bytes, for tests of everything around them."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.artifact import produce_artifact
from greengrass_components.cloud import InMemoryCloud
from greengrass_components.component import BuiltComponent
from greengrass_components.component_service_in_memory import InMemoryComponentService
from greengrass_components.publish import PublishResult, publish_components
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


def build_component(
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
                write_component(
                    partial,
                    "runtime",
                    RUNTIME,
                    "0.1.0",
                    RUNTIME_RECIPE.format(version="0.1.0", port=port, bucket=bucket),
                    runtime,
                ),
                write_component(
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


def write_component(
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


def publish_component(
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


@pytest.fixture
def component(tmp_path: Path) -> Path:
    return build_component(tmp_path / "component")


@pytest.fixture
def cloud() -> InMemoryCloud:
    return InMemoryCloud(["shelf"])


@pytest.fixture
def service(cloud: InMemoryCloud) -> InMemoryComponentService:
    return InMemoryComponentService(cloud=cloud)


@pytest.fixture
def build() -> Callable[..., Path]:
    """Makes a component folder as component.build does, with archives of a few bytes."""
    return build_component


@pytest.fixture
def publish() -> Callable[..., PublishResult]:
    """Publishes a component folder to the bucket ``shelf``."""
    return publish_component
