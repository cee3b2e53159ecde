"""Layered settings: defaults < edgewise.toml < EDGEWISE_... environment < flags."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from edge_runtime.errors import SettingsError

__all__ = ["load_settings"]

PROJECT_FILE = "edgewise.toml"
Settings = TypeVar("Settings", bound=msgspec.Struct)


def load_settings(
    struct: type[Settings],
    section: str,
    *,
    defaults: Path,
    project_folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Resolve one section of settings into its struct.

    Args:
        struct: the frozen struct of the section; its fields are the allowed names.
        section: the table's name in the TOML files and, in capitals, in the environment:
            ``EDGEWISE_<SECTION>_<FIELD>``.
        defaults: the package's ``defaults.toml``.
        project_folder: where an ``edgewise.toml`` may lie; ``None`` reads none.
        environment: variables to look at; the process's own by default.
        flags: values from the command line; ``None`` stands for "not given".

    Raises:
        SettingsError: an unknown name, a wrong type or a value out of range.
    """
    variables = os.environ if environment is None else environment
    prefix = f"EDGEWISE_{section.upper()}_"
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    layers: list[tuple[str, Mapping[str, Any]]] = [(str(defaults), _table(defaults, section))]
    if project_folder is not None and (project_folder / PROJECT_FILE).is_file():
        path = project_folder / PROJECT_FILE
        layers.append((str(path), _table(path, section)))
    layers.append(
        (
            "the environment",
            {
                name.removeprefix(prefix).lower(): value
                for name, value in variables.items()
                if name.startswith(prefix)
            },
        )
    )
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    layers.append(("the command line", given))
    for origin, layer in layers:
        for name, value in layer.items():
            _check_name(struct, section, name, origin)
            # The environment and flags hold only strings: a list is written with commas.
            is_list = isinstance(value, str) and isinstance(values.get(name), list)
            values[name] = [part.strip() for part in value.split(",")] if is_list else value
            origins[name] = origin
    return _convert(struct, section, values, origins)


def _table(path: Path, section: str) -> Mapping[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"cannot read settings from {path}: {error}", path=path) from error
    table = document.get(section, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: {section} must be a table", path=path)
    return table


def _check_name(struct: type[msgspec.Struct], section: str, name: str, origin: str) -> None:
    if name in struct.__struct_fields__:
        return
    close = difflib.get_close_matches(name, struct.__struct_fields__, n=1)
    hint = f"did you mean {section}.{close[0]}?" if close else "see the settings table in docs/"
    raise SettingsError(
        f"unknown setting {section}.{name} in {origin}; {hint}", section=section, name=name
    )


def _convert(
    struct: type[Settings], section: str, values: dict[str, Any], origins: dict[str, str]
) -> Settings:
    try:
        # strict=False reads "4" as a number: the environment holds only strings.
        return msgspec.convert(values, struct, strict=False)
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at `$.")
        reason = reason.partition(", got `")[0]  # the value itself says more than its type
        name = where.rstrip("`").split("[")[0].split(".")[0]
        came = f", got {values[name]!r} from {origins[name]}" if name in values else ""
        dotted = f"{section}.{where.rstrip('`')}" if where else section
        raise SettingsError(
            f"{dotted}: {reason[0].lower()}{reason[1:]}{came}", section=section, name=name
        ) from error
