"""A core device in a folder: it runs components as their recipes say, with no cloud.

It reads the same folder that a local deployment takes, and is as strict as the stricter of
the two nuclei. What it does not have: IPC, several deployments at a time, roll-back.
"""

from __future__ import annotations

import logging
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from edge_runtime.artifact import read_artifact
from edge_runtime.storage import translating_storage_errors
from greengrass_components.archive import unpack
from greengrass_components.component import KIND
from greengrass_components.errors import NucleusError
from greengrass_components.local_nucleus_device import (
    Device,
    Places,
    choose_manifest,
    clean_environment,
    host_device,
    substitute,
)
from greengrass_components.local_nucleus_process import (
    INSTALL_TIMEOUT_SECONDS,
    ComponentLife,
    Script,
    State,
)
from greengrass_components.recipe import Manifest, Recipe, Step, read_recipe
from greengrass_components.versions import satisfies

__all__ = ["LocalNucleus", "State", "needs_quoting"]

logger = logging.getLogger(__name__)

_UP = frozenset({State.RUNNING, State.FINISHED})
_SETTLED = _UP | {State.BROKEN}
# A recipe's script is given to a shell, so a path of its own may need no quoting.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./@%+=:,-]+")
_STOP_SECONDS = 15.0
_LOG_LINES = 3


class _Installed(NamedTuple):
    recipe: Recipe
    life: ComponentLife
    log: Path


def needs_quoting(root: Path) -> bool:
    """Whether a nucleus cannot run below a folder, since its path holds a blank or the like."""
    return not _PLAIN_PATH.fullmatch(str(root.resolve()))


class LocalNucleus:
    """Runs components below one folder; leaving the ``with`` block ends every process.

    Args:
        root: the nucleus's folder: packages, work folders and logs are made in it.
        device: what it claims to be; by default this machine.

    Raises:
        NucleusError: components cannot run on this machine or below that folder.
    """

    def __init__(self, root: Path, *, device: Device | None = None) -> None:
        self.root = root.resolve()
        self.device = device or host_device()
        if needs_quoting(self.root):
            raise NucleusError(
                f"{self.root} holds characters that a recipe's script would have to quote; "
                "choose a folder of letters, digits, dots and dashes",
                root=self.root,
            )
        self._components: dict[str, _Installed] = {}

    def deploy(
        self,
        folder: Path,
        *,
        configuration: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> tuple[str, ...]:
        """Start every component of a folder, each after those that it depends on.

        Args:
            folder: holds ``component.json``, ``recipes`` and ``artifacts``; every byte is
                checked.
            configuration: component name -> values merged over its default configuration.

        Returns:
            The components' names in the order of their start.

        Raises:
            ArtifactError: the folder is missing, incomplete or damaged.
            RecipeError: a recipe is wrong.
            NucleusError: a dependency is missing, no manifest fits, or a component breaks.
            StorageError: the disk is full or the root cannot be written.
        """
        read_artifact(folder, KIND)
        paths = sorted((folder / "recipes").glob("*.yaml"))
        recipes = [read_recipe(path, artifacts=folder / "artifacts") for path in paths]
        given = configuration or {}
        unknown = sorted(given.keys() - {recipe.component_name for recipe in recipes})
        if unknown:
            raise NucleusError(
                f"the deployment configures {unknown[0]}, which is not in {folder}; mend the name",
                component=unknown[0],
            )
        ordered = _in_order(recipes)
        for recipe in ordered:
            self._start(recipe, folder, given.get(recipe.component_name, {}))
        return tuple(recipe.component_name for recipe in ordered)

    def state(self, component: str) -> State:
        """State of a component."""
        return self._installed(component).life.state

    def process_id(self, component: str) -> int | None:
        """The process that a component runs now."""
        return self._installed(component).life.process_id

    def log(self, component: str) -> Path:
        """File that holds what a component has written."""
        return self._installed(component).log

    def work_folder(self, component: str) -> Path:
        """The folder that a component may write to."""
        return self.root / "work" / component

    def unarchived(self, component: str) -> Path:
        """The folder that a component's archives are unpacked to."""
        recipe = self._installed(component).recipe
        return self._places(recipe).unarchived

    def wait_running(self, *components: str, timeout_s: float = 60.0) -> None:
        """Wait until components run, or have run to their end.

        Args:
            components: their names; none stands for all.
            timeout_s: seconds for all of them together.

        Raises:
            NucleusError: one breaks, or the time is over.
        """
        deadline = time.monotonic() + timeout_s
        for name in components or tuple(self._components):
            installed = self._installed(name)
            left = max(0.0, deadline - time.monotonic())
            self._expect_up(name, installed.life.wait(_SETTLED, timeout_s=left))

    def stop(self) -> None:
        """End every process, dependents first; SIGTERM, then SIGKILL."""
        while self._components:
            name = next(reversed(self._components))
            self._components[name].life.stop(grace_s=_STOP_SECONDS)
            del self._components[name]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start(self, recipe: Recipe, folder: Path, given: Mapping[str, Any]) -> None:
        name = recipe.component_name
        manifest = choose_manifest(recipe, self.device)
        places = self._places(recipe)
        previous = self._components.pop(name, None)
        if previous is not None:
            previous.life.stop(grace_s=_STOP_SECONDS)
        with translating_storage_errors(self.root):
            _place_artifacts(manifest, recipe, folder, places)
            places.work.mkdir(parents=True, exist_ok=True)
            log = self.root / "logs" / f"{name}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            configuration = _merged(recipe.default_configuration, given)
            life = self._life(manifest, places, configuration, log)
        self._components[name] = _Installed(recipe, life, log)
        logger.info("starting %s %s", name, recipe.component_version)
        life.start()
        # Dependents come up after this one; install scripts are bounded by their Timeout.
        self._expect_up(name, life.wait(_SETTLED, timeout_s=_longest_start(manifest)))

    def _life(
        self, manifest: Manifest, places: Places, configuration: Mapping[str, Any], log: Path
    ) -> ComponentLife:
        def script(step: Step, default_timeout_s: float | None) -> Script:
            def fill(text: str) -> str:
                return substitute(
                    text, places=places, device=self.device, configuration=configuration
                )

            setenv = {name: fill(value) for name, value in step.setenv.items()}
            return Script(
                command=fill(step.script),
                timeout_s=default_timeout_s if step.timeout is None else float(step.timeout),
                environment=clean_environment(places, self.device, setenv=setenv),
            )

        install = manifest.lifecycle.install
        return ComponentLife(
            install=None if install is None else script(install, INSTALL_TIMEOUT_SECONDS),
            run=script(manifest.lifecycle.run, None),
            work=places.work,
            log=log,
        )

    def _places(self, recipe: Recipe) -> Places:
        packages = self.root / "packages"
        own = Path(recipe.component_name, recipe.component_version)
        return Places(
            root=self.root,
            artifacts=packages / "artifacts" / own,
            unarchived=packages / "artifacts-unarchived" / own,
            work=self.work_folder(recipe.component_name),
        )

    def _installed(self, component: str) -> _Installed:
        if component not in self._components:
            known = ", ".join(self._components) or "none"
            raise NucleusError(
                f"there is no component {component} on this device; it has: {known}",
                component=component,
            )
        return self._components[component]

    def _expect_up(self, name: str, state: State) -> None:
        if state in _UP:
            return
        log = self._installed(name).log
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        said = " | ".join(lines[-_LOG_LINES:]) or "nothing"
        raise NucleusError(
            f"{name} is {state.value}, not RUNNING; the end of {log}: {said}",
            component=name,
            state=state.value,
            log=log,
        )


def _in_order(recipes: Iterable[Recipe]) -> list[Recipe]:
    by_name: dict[str, Recipe] = {}
    for recipe in recipes:
        if recipe.component_name in by_name:
            raise NucleusError(
                f"{recipe.component_name} is there in two versions; keep one recipe of it",
                component=recipe.component_name,
            )
        by_name[recipe.component_name] = recipe
    ordered: list[Recipe] = []
    on_the_way: list[str] = []

    def visit(recipe: Recipe) -> None:
        name = recipe.component_name
        if recipe in ordered:
            return
        if name in on_the_way:
            circle = " -> ".join([*on_the_way[on_the_way.index(name) :], name])
            raise NucleusError(f"components depend on each other in a circle: {circle}")
        on_the_way.append(name)
        for needed, dependency in recipe.component_dependencies.items():
            wanted = dependency.version_requirement
            found = by_name.get(needed)
            if found is not None and satisfies(found.component_version, wanted):
                visit(found)
            elif found is not None or dependency.dependency_type == "HARD":
                has = f"version {found.component_version}" if found else "none"
                raise NucleusError(
                    f"{name} needs {needed} {wanted}, the deployment has {has}; "
                    "build the components together",
                    component=name,
                    dependency=needed,
                )
        on_the_way.pop()
        ordered.append(recipe)

    for recipe in by_name.values():
        visit(recipe)
    return ordered


def _place_artifacts(manifest: Manifest, recipe: Recipe, folder: Path, places: Places) -> None:
    source = folder / "artifacts" / recipe.component_name / recipe.component_version
    for target in (places.artifacts, places.unarchived):
        _remove(target)
        target.mkdir(parents=True)
    for artifact in manifest.artifacts:
        if artifact.unarchive == "ZIP":
            unpack(source / artifact.file, places.unarchived / artifact.stem)
        else:
            shutil.copyfile(source / artifact.file, places.artifacts / artifact.file)
    for target in (places.artifacts, places.unarchived):
        _set_modes(target, files=0o444, folders=0o555)


def _remove(folder: Path) -> None:
    if folder.exists():
        _set_modes(folder, files=0o644, folders=0o755)
        shutil.rmtree(folder)


def _set_modes(folder: Path, *, files: int, folders: int) -> None:
    folder.chmod(0o755)
    for path in folder.iterdir():
        if path.is_dir():
            _set_modes(path, files=files, folders=folders)
        else:
            path.chmod(files)
    folder.chmod(folders)


def _merged(default: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(default)
    for name, value in given.items():
        old = merged.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[name] = _merged(old, value)
        else:
            merged[name] = value
    return merged


def _longest_start(manifest: Manifest) -> float:
    install = manifest.lifecycle.install
    timeout = install.timeout if install is not None else None
    # Three attempts, and a moment for the processes themselves.
    return 3 * (INSTALL_TIMEOUT_SECONDS if timeout is None else timeout) + 30.0
