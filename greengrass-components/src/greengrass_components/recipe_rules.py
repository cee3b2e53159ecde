"""What a recipe must hold to beyond its form, and how a mistake is explained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from greengrass_components.recipe import Dependency, Lifecycle, Manifest, Platform, Recipe, Step
from greengrass_components.versions import parse_version, satisfies

__all__ = ["VARIABLES", "Problem", "broken_rule", "explain", "look_up"]

VARIABLES = (
    "artifacts:path",
    "artifacts:decompressedPath",
    "work:path",
    "kernel:rootPath",
    "iot:thingName",
)
"""Recipe variables that both nuclei know, besides ``configuration:/json/pointer``."""

# What a shell would read as more than one plain command or one plain word.
_SHELL = re.compile(r"[;&|<>`$()\\\"'*?\[\]~#!\n\r\t]")
_BRACES = re.compile(r"\{([^{}]*)\}")
_NUCLEUS_ONLY = ("bootstrap", "recover", "shutdown", "startup", "Skipif", "skipif")
_HINTS = {
    "ComponentName": "use 1 to 128 of a-z, A-Z, 0-9, dot, dash and underscore",
    "ComponentVersion": 'write a quoted semantic version such as "1.2.3"',
    "DependencyType": "write HARD or SOFT; Lite reads a missing one as no dependency at all",
    "Manifests": "give at least one manifest with Platform and Lifecycle",
    "RecipeFormatVersion": 'write "2020-01-25", quoted',
    "Timeout": "write a whole number of seconds; Lite reads nothing else",
    "Uri": "write s3://BUCKET/.../FILE",
    "architecture": "write amd64, aarch64, arm or x86",
    "os": "write linux",
    "run": "give the lifecycle a run step; on Lite a component without one never finishes",
    "runtime": 'write runtime: "*" inside Platform; without it Lite finds no lifecycle',
    "Script": "write the command under Script",
    "install": "write the command under install: Script:",
    "Setenv": "write name: text, with numbers quoted",
}


class Problem(NamedTuple):
    """One mistake in a recipe."""

    path: str
    """Where, such as ``$.Manifests[0].Platform.os``."""
    what: str
    mend: str


def broken_rule(recipe: Recipe, artifacts: Path | None) -> Problem | None:
    """Find the first rule that a well-formed recipe breaks.

    Args:
        recipe: what to check.
        artifacts: the folder of ``<component>/<version>/<file>``, or ``None`` not to look.
    """
    return next(_problems(recipe, artifacts), None)


def explain(error: msgspec.ValidationError, document: Any) -> Problem:
    """Turn an error of form into a path, a reason and a way to mend it."""
    reason, _, where = str(error).partition(" - at `")
    path = _with_names(where.rstrip("`") or "$", document)
    reason = reason[0].lower() + reason[1:]
    quoted = re.search(r"field `([^`]+)`", reason)
    if quoted is not None:
        path = f"{path}.{quoted[1]}"
    key = path.rsplit(".", 1)[1] if "." in path else ""
    if not isinstance(document, dict):
        return Problem("$", "a recipe is a mapping", "begin with RecipeFormatVersion")
    if quoted is not None and "unknown" in reason:
        return Problem(path, f"there is no key {key!r} here", _mend_unknown(key))
    return Problem(path, reason, _HINTS.get(key.split("[")[0], "mend the value"))


def look_up(configuration: Any, pointer: str) -> Any:
    """Find a value by JSON pointer (RFC 6901), such as ``/port``.

    Raises:
        KeyError: there is none.
    """
    value = configuration
    for part in pointer.removeprefix("/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(value, dict) or name not in value:
            raise KeyError(pointer)
        value = value[name]
    return value


def _with_names(path: str, document: Any) -> str:
    """Put the name of the wrong entry in the place of ``[...]``, which msgspec writes."""
    before, unnamed, after = path.partition("[...]")
    if not unnamed:
        return path
    entries = document
    for key, number in re.findall(r"\.([A-Za-z]+)|\[(\d+)\]", before):
        entries = entries[key or int(number)]
    expected = str if before.endswith(".Setenv") else Dependency
    for name, value in entries.items():
        try:
            msgspec.convert(value, expected)
        except msgspec.ValidationError:
            return f"{before}.{name}{after}"
    return path


def _mend_unknown(key: str) -> str:
    if key in _NUCLEUS_ONLY:
        return f"Nucleus Lite has no working {key}: do it in run, and clean up at start"
    if key == "runtime":
        return "move it into Platform"
    if key == "Lifecycle":
        return "write a Lifecycle into each manifest"
    same = [known for known in _KEYS if known.casefold() == key.casefold()]
    if same:
        return f"write it as {same[0]}, in its own place: keys are case-sensitive on Lite"
    return "take it out, or see the recipe reference for its name"


def _problems(recipe: Recipe, artifacts: Path | None) -> Iterator[Problem]:
    if recipe.component_name.lower().startswith("aws.greengrass"):
        yield Problem(
            "$.ComponentName",
            f"{recipe.component_name} would replace a public component",
            "choose a prefix of your own",
        )
    try:
        parse_version(recipe.component_version)
    except ValueError as error:
        yield Problem("$.ComponentVersion", str(error), _HINTS["ComponentVersion"])
    for name, dependency in recipe.component_dependencies.items():
        path = f"$.ComponentDependencies.{name}"
        if name == recipe.component_name:
            yield Problem(path, "a component cannot depend on itself", "take it out")
        try:
            satisfies("0.0.0", dependency.version_requirement)
        except ValueError as error:
            yield Problem(
                f"{path}.VersionRequirement", str(error), 'write an npm range such as "^1.2.0"'
            )
    for number, manifest in enumerate(recipe.manifests):
        path = f"$.Manifests[{number}]"
        for earlier in recipe.manifests[:number]:
            if _covers(earlier.platform, manifest.platform):
                yield Problem(
                    f"{path}.Platform",
                    "an earlier manifest takes every device that this one is for",
                    "put the stricter manifest first",
                )
        yield from _artifact_problems(recipe, manifest, path, artifacts)
        yield from _lifecycle_problems(recipe, manifest, path)


def _covers(earlier: Platform, later: Platform) -> bool:
    pairs = (
        (earlier.os, later.os),
        (earlier.architecture, later.architecture),
        (earlier.runtime, later.runtime),
    )
    return earlier.architecture_detail in (None, later.architecture_detail) and all(
        first in ("*", second) for first, second in pairs
    )


def _artifact_problems(
    recipe: Recipe, manifest: Manifest, path: str, artifacts: Path | None
) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, artifact in enumerate(manifest.artifacts):
        here = f"{path}.Artifacts[{number}]"
        if artifact.file in seen:
            yield Problem(
                f"{here}.Uri",
                f"two artifacts are named {artifact.file}",
                "give each a name of its own: a device keeps them in one folder",
            )
        seen.add(artifact.file)
        if artifact.unarchive == "ZIP" and not artifact.file.endswith(".zip"):
            yield Problem(f"{here}.Uri", "a ZIP artifact must end in .zip", "rename the file")
        if artifacts is not None:
            file = artifacts / recipe.component_name / recipe.component_version / artifact.file
            if not file.is_file():
                yield Problem(
                    f"{here}.Uri", f"there is no file {file}", "build the component again"
                )


def _lifecycle_problems(recipe: Recipe, manifest: Manifest, path: str) -> Iterator[Problem]:
    lifecycle: Lifecycle = manifest.lifecycle
    steps: tuple[tuple[str, Step | None], ...] = (
        ("install", lifecycle.install),
        ("run", lifecycle.run),
    )
    for name, step in steps:
        if step is None:
            continue
        here = f"{path}.Lifecycle.{name}"
        texts = {f"{here}.Script": step.script}
        texts |= {f"{here}.Setenv.{key}": value for key, value in step.setenv.items()}
        for where, text in texts.items():
            yield from _text_problems(recipe, manifest, where, text)
        words = step.script.split()
        if not words or "=" in words[0]:
            yield Problem(
                f"{here}.Script", "it begins with no command", "put variables under Setenv"
            )
        shell = _SHELL.search(step.script)
        if shell is not None:
            yield Problem(
                f"{here}.Script",
                f"{shell[0]!r} makes it more than one plain command",
                "put shell into a file of the artifact and run that",
            )


def _text_problems(recipe: Recipe, manifest: Manifest, where: str, text: str) -> Iterator[Problem]:
    rest = _BRACES.sub("", text)
    if "{" in rest or "}" in rest:
        yield Problem(
            where,
            "a brace without its partner",
            "Lite reads every { as a recipe variable and cuts the script there: take it out",
        )
    stems = {item.stem for item in manifest.artifacts if item.unarchive == "ZIP"}
    files = {item.file for item in manifest.artifacts if item.unarchive == "NONE"}
    for match in _BRACES.finditer(text):
        variable = match[1]
        after = re.match(r"/([^/\s]+)", text[match.end() :])
        if variable.startswith("configuration:/"):
            try:
                look_up(recipe.default_configuration, variable.removeprefix("configuration:"))
            except KeyError:
                yield Problem(
                    where,
                    f"DefaultConfiguration has no {variable.removeprefix('configuration:')}",
                    "give it a default: Lite cuts the script at an unknown one",
                )
        elif variable not in VARIABLES:
            yield Problem(
                where,
                f"{{{variable}}} is no variable that both nuclei know",
                f"use one of {', '.join(VARIABLES)}, configuration:/...",
            )
        elif variable == "artifacts:decompressedPath" and (after is None or after[1] not in stems):
            yield Problem(
                where,
                f"no ZIP artifact is unpacked to {match[0]}{after[0] if after else ''}",
                "follow it by the name of an archive of this manifest, without .zip",
            )
        elif variable == "artifacts:path" and (after is None or after[1] not in files):
            yield Problem(
                where,
                f"no artifact lies at {match[0]}{after[0] if after else ''}",
                "follow it by the name of an artifact that is not unpacked, or use "
                "{artifacts:decompressedPath}",
            )


def _known_keys() -> frozenset[str]:
    from greengrass_components import recipe

    structs = [value for value in vars(recipe).values() if isinstance(value, type)]
    return frozenset(
        field.encode_name
        for struct in structs
        if issubclass(struct, msgspec.Struct)
        for field in msgspec.structs.fields(struct)
    )


_KEYS = _known_keys()
