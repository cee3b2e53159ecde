"""A bundle becomes two components: the model, and the runtime that serves it.

This is the stage's table of contents::

    <folder>/recipes/<component>-<version>.yaml
    <folder>/artifacts/<component>/<version>/<file>.zip
    <folder>/component.json

which is the layout that the local deployment commands of both nuclei take.

The model component packs the bundle and a program that *offers* it; the runtime component
packs the runtime with its wheels and serves whatever is offered. So a new model is a small
update that restarts nothing but itself, and a device fetches the wheels once.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from edge_runtime.artifact import Artifact, produce_artifact, read_artifact
from edge_runtime.bundle import Bundle, open_bundle
from edge_runtime.console import Progress, no_progress
from edge_runtime.storage import canonical_json, file_entries, write_atomically
from greengrass_components.archive import Archive, files_below, list_archive, pack
from greengrass_components.config import ComponentSettings, targets
from greengrass_components.errors import ComponentError
from greengrass_components.recipe import read_recipe, render_recipe
from greengrass_components.versions import parse_version
from greengrass_components.wheels import (
    MACHINES,
    Requirement,
    build_runtime_wheel,
    fetch_wheels,
    installed_requirements,
    source_digest,
    unpack_wheels,
)

__all__ = ["BuiltComponent", "build_components", "component_names", "read_components"]

logger = logging.getLogger(__name__)

KIND = "component"
REVISION = 1
# Not a bucket that anyone can own: the name is put in when the component is published.
_BUCKET = "BUCKET_NAME"
_MODEL_STEM = "model"


class BuiltComponent(msgspec.Struct, frozen=True):
    """One component of the stage's result."""

    role: Literal["runtime", "model"]
    name: str
    version: str
    recipe: str
    """The recipe, relative to the folder."""
    artifacts: tuple[str, ...]
    """The archives, relative to the folder."""
    bytes: int
    """Size of the archives."""
    contents: int
    """Files in the archives."""


def component_names(settings: ComponentSettings, model: str) -> tuple[str, str]:
    """Name the runtime component and the component of one model."""
    return f"{settings.prefix}.runtime", f"{settings.prefix}.model.{model}"


def build_components(
    bundle: Path,
    folder: Path,
    *,
    settings: ComponentSettings,
    project: Path,
    cache: Path,
    progress: Progress = no_progress,
) -> Artifact:
    """Build the runtime component and the component of one bundle's model.

    The first build for a platform fetches wheels; later ones need no network.

    Args:
        bundle: the bundle; every byte of it is checked.
        folder: the stage's folder to make.
        settings: names, platforms, port.
        project: the project's root: the source of the runtime and the recipe templates.
        cache: where wheels are kept from one build to the next.
        progress: told of each step.

    Returns:
        The stage's artifact; ``result["components"]`` is a list of ``BuiltComponent``.

    Raises:
        BundleError: the bundle is missing or damaged.
        WheelError: a wheel cannot be had.
        RecipeError: a recipe that a core device would refuse.
        ComponentError: this machine, or the runtime's version, cannot be built for.
        StorageError: the disk is full or a folder cannot be written.
    """
    architectures, python = targets(settings)
    runtime = project / "edge-runtime"
    build = _Build(
        bundle=open_bundle(bundle),
        settings=settings,
        runtime=runtime,
        runtime_version=_runtime_version(runtime),
        templates=project / "greengrass-components" / "recipes",
        architectures=architectures,
        python=python,
        requirements=installed_requirements(),
        cache=cache,
        progress=progress,
    )
    return produce_artifact(
        folder,
        kind=KIND,
        revision=REVISION,
        settings={"component": settings, **build.resolved_settings(*architectures)},
        parents=build.parents("bundle", "edge_runtime", "recipes"),
        make=build.make,
    )


def read_components(folder: Path) -> tuple[BuiltComponent, ...]:
    """Read what ``build_components`` made, and check every file of it.

    Raises:
        ArtifactError: the folder is missing, incomplete or damaged.
    """
    document = read_artifact(folder, KIND).document
    return msgspec.convert(document.result["components"], tuple[BuiltComponent, ...])


class _Build(msgspec.Struct, frozen=True):
    bundle: Bundle
    settings: ComponentSettings
    runtime: Path
    runtime_version: str
    templates: Path
    architectures: Sequence[str]
    python: str
    requirements: Sequence[Requirement]
    cache: Path
    progress: Progress

    def resolved_settings(self, *architectures: str) -> dict[str, Any]:
        """Give what the settings leave to this machine."""
        return {
            "architectures": architectures,
            "python": self.python,
            "wheels": {item.name: item.version for item in self.requirements},
        }

    def parents(self, *names: str) -> dict[str, str]:
        """Hash what the build reads."""
        digests = {
            "bundle": lambda: self.bundle.manifest.digest,
            "edge_runtime": lambda: source_digest(self.runtime),
            "recipes": lambda: _folder_digest(self.templates),
        }
        return {name: digests[name]() for name in names}

    def make(self, folder: Path) -> Mapping[str, Any]:
        """Fill the stage's folder."""
        return {"components": [self._runtime(folder), self._model(folder)]}

    def _runtime(self, folder: Path) -> BuiltComponent:
        name, _ = component_names(self.settings, self.bundle.manifest.name)
        version = self.runtime_version
        archives = []
        platforms = []
        for architecture in self.architectures:
            stem = f"runtime-{architecture}"
            packed = self._packed_runtime(architecture, stem)
            target = folder / "artifacts" / name / version / f"{stem}.zip"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(packed, target)
            archives.append(Archive(target, target.stat().st_size, list_archive(target)))
            uri = _uri(name, version, stem)
            platforms.append({"architecture": architecture, "artifact_uri": uri, "stem": stem})
        values = {
            "description": "Serves the intent classifier that a model component hands to it.",
            "install_timeout_s": self.settings.install_timeout_s,
            "platforms": platforms,
            "port": self.settings.port,
        }
        return self._component(
            folder, name, version, role="runtime", values=values, archives=archives
        )

    def _packed_runtime(self, architecture: str, stem: str) -> Path:
        """Pack the runtime, or find it where an earlier build for another bundle kept it."""
        folder = self.cache / f"{stem}-python{self.python}"

        def make(partial: Path) -> Mapping[str, Any]:
            with tempfile.TemporaryDirectory(dir=partial, prefix=".content-") as temporary:
                content = Path(temporary, stem)
                wheels = fetch_wheels(
                    self.requirements,
                    architecture=architecture,
                    python=self.python,
                    cache=self.cache,
                    progress=self.progress,
                )
                own_wheel = build_runtime_wheel(self.runtime.resolve(), Path(temporary))
                unpack_wheels([own_wheel, *wheels], content / "site")
                device = {
                    "content": _folder_digest(content / "site"),
                    "machines": [MACHINES[architecture]],
                    "python": self.python,
                }
                write_atomically(content / "device.json", canonical_json(device))
                files = files_below(content) | {"run.py": self.templates / "run.py"}
                self._pack(files, partial / f"{stem}.zip")
            return {}

        produce_artifact(
            folder,
            kind="runtime",
            revision=REVISION,
            settings=self.resolved_settings(architecture),
            parents=self.parents("edge_runtime", "recipes"),
            make=make,
        )
        return folder / f"{stem}.zip"

    def _model(self, folder: Path) -> BuiltComponent:
        manifest = self.bundle.manifest
        runtime_name, name = component_names(self.settings, manifest.name)
        files = files_below(self.bundle.path, prefix="bundle/")
        files["offers.py"] = self.runtime / "src" / "edge_runtime" / "offers.py"
        archive = self._pack(
            files, folder / "artifacts" / name / manifest.version / f"{_MODEL_STEM}.zip"
        )
        values = {
            "artifact_uri": _uri(name, manifest.version, _MODEL_STEM),
            "description": f"{manifest.name}: a classifier of {len(manifest.labels)} intents.",
            "runtime_name": runtime_name,
            "runtime_requirement": f"^{self.runtime_version}",
            "stem": _MODEL_STEM,
        }
        return self._component(
            folder,
            name,
            manifest.version,
            role="model",
            values=values,
            archives=[archive],
        )

    def _pack(self, files: Mapping[str, Path], path: Path) -> Archive:
        self.progress(f"pack {path.stem}", 0, 1, "")
        archive = pack(files, path)
        self.progress(f"pack {path.stem}", 1, 1, f"{archive.bytes / 1e6:.1f} MB")
        return archive

    def _component(
        self,
        folder: Path,
        name: str,
        version: str,
        *,
        role: Literal["runtime", "model"],
        values: Mapping[str, Any],
        archives: Sequence[Archive],
    ) -> BuiltComponent:
        own = {"name": name, "version": version, "publisher": self.settings.publisher}
        content = render_recipe(self.templates / f"{role}.yaml.j2", {**own, **values})
        recipe = folder / "recipes" / f"{name}-{version}.yaml"
        write_atomically(recipe, content)
        read_recipe(recipe, artifacts=folder / "artifacts")
        logger.info("built %s %s", name, version)
        return BuiltComponent(
            role=role,
            name=name,
            version=version,
            recipe=recipe.relative_to(folder).as_posix(),
            artifacts=tuple(item.path.relative_to(folder).as_posix() for item in archives),
            bytes=sum(item.bytes for item in archives),
            contents=sum(len(item.contents) for item in archives),
        )


def _uri(name: str, version: str, stem: str) -> str:
    return f"s3://{_BUCKET}/{name}/{version}/{stem}.zip"


def _folder_digest(folder: Path) -> str:
    files = file_entries(folder)
    return hashlib.sha256(canonical_json(files)).hexdigest()


def _runtime_version(runtime: Path) -> str:
    path = runtime / "pyproject.toml"
    try:
        version = str(tomllib.loads(path.read_text(encoding="utf-8"))["project"]["version"])
        parse_version(version)
    except (OSError, KeyError, ValueError) as error:
        raise ComponentError(
            f"{path} gives no version that a component can have ({error}); "
            'write a semantic one such as version = "1.2.3"',
            path=path,
        ) from error
    return version
