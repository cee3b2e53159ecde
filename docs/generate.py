"""Writes the pages that are made from code and records: settings.md, tasks.md, benchmarks.md.

python docs/generate.py           write them
python docs/generate.py --check   exit 1 when one is out of date
"""

from __future__ import annotations

import ast
import copy
import inspect
import sys
import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import msgspec.inspect
from benchmark_settings import default_settings
from benchmarks_page import benchmarks_page

import tasks
from compiler import config as compiler_config
from edge_runtime.storage import write_atomically
from greengrass_components import config as components_config
from greengrass_components.deploy import DeploySettings
from greengrass_components.infrastructure.check_report import CheckSettings
from greengrass_components.infrastructure.cost import CostSettings
from trainer import config as trainer_config
from trainer.commands.locations import EXAMPLE

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
SECTIONS: tuple[tuple[str, type[msgspec.Struct], Path], ...] = (
    ("data", trainer_config.DataSettings, trainer_config.DEFAULTS),
    ("train", trainer_config.TrainSettings, trainer_config.DEFAULTS),
    ("soup", trainer_config.SoupSettings, trainer_config.DEFAULTS),
    ("distillation", trainer_config.DistillationSettings, trainer_config.DEFAULTS),
    ("calibration", trainer_config.CalibrationSettings, trainer_config.DEFAULTS),
    ("track", trainer_config.TrackSettings, trainer_config.DEFAULTS),
    ("report", trainer_config.ReportSettings, trainer_config.DEFAULTS),
    ("gates", trainer_config.GateSettings, trainer_config.DEFAULTS),
    ("check", trainer_config.CheckSettings, trainer_config.DEFAULTS),
    ("compile", compiler_config.CompileSettings, compiler_config.DEFAULTS),
    ("bundle", compiler_config.BundleSettings, compiler_config.DEFAULTS),
    ("intent", compiler_config.IntentSettings, compiler_config.DEFAULTS),
    ("component", components_config.ComponentSettings, components_config.DEFAULTS),
    ("deploy", DeploySettings, components_config.DEFAULTS),
    ("cost", CostSettings, components_config.DEFAULTS),
    ("infra_test", CheckSettings, components_config.DEFAULTS),
)


def settings_page() -> str:
    """The table of every setting: default and meaning."""
    lines = [
        "# Settings",
        "",
        "Generated from the code by `docs/generate.py`. Order, low to high: these defaults,",
        "`edgewise.toml` in the current directory, `EDGEWISE_<SECTION>_<FIELD>` in the",
        "environment, flags. There, a list is written with commas: `int8,fp32`.",
    ]
    for section, struct, defaults in SECTIONS:
        table = tomllib.loads(defaults.read_text(encoding="utf-8"))[section]
        lines += ["", f"## [{section}]", "", "| setting | default | range | meaning |"]
        lines.append("|---|---|---|---|")
        ranges = field_ranges(struct)
        for name, meaning in field_docstrings(struct).items():
            value = f"`{msgspec.json.encode(table[name]).decode()}`" if name in table else "not set"
            lines.append(f"| `{name}` | {value} | {ranges[name]} | {meaning} |")
    return "\n".join(lines) + "\n"


def field_docstrings(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The line below each field of a struct."""
    tree = cast("ast.ClassDef", ast.parse(textwrap.dedent(inspect.getsource(struct))).body[0])
    found: dict[str, str] = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            found[field.target.id] = " ".join(str(below.value.value).replace("``", "`").split())
    missing = set(struct.__struct_fields__) - found.keys()
    if missing:
        raise SystemExit(f"{struct.__name__} has fields without a docstring: {sorted(missing)}")
    return found


def field_ranges(struct: type[msgspec.Struct]) -> dict[str, str]:
    """What each field of a struct may be, in words."""
    kind = cast("msgspec.inspect.StructType", msgspec.inspect.type_info(struct))
    return {field.name: range_in_words(field.type) for field in kind.fields}


def range_in_words(kind: Any) -> str:
    """What a value of a type may be."""
    if isinstance(kind, msgspec.inspect.IntType | msgspec.inspect.FloatType):
        word = "whole number" if isinstance(kind, msgspec.inspect.IntType) else "number"
        bounds = (("from", kind.ge), ("above", kind.gt), ("to", kind.le), ("below", kind.lt))
        return " ".join([word, *(f"{side} {end:,}" for side, end in bounds if end is not None)])
    if isinstance(kind, msgspec.inspect.LiteralType):
        return ", ".join(f"`{value}`" for value in kind.values)
    if isinstance(kind, msgspec.inspect.VarTupleType | msgspec.inspect.ListType):
        return "list"
    if isinstance(kind, msgspec.inspect.UnionType):
        return " or ".join(range_in_words(one) for one in kind.types)
    if isinstance(kind, msgspec.inspect.NoneType):
        return "not set"
    pattern = getattr(kind, "pattern", None)
    # In a table a bar ends the cell, inside of code as well.
    shown = "" if pattern is None else pattern.replace("|", "\\|")
    return f"text like `{shown}`" if shown else "text"


def tasks_page() -> str:
    """Every task with its purpose and flags."""
    lines = ["# Tasks", "", "Generated from the code by `docs/generate.py`."]
    namespace = tasks.namespace
    for name in sorted(namespace.task_names):
        task: Any = copy.copy(namespace[name])
        # Who asks for a task's arguments empties its help; the page may be asked for again.
        task.help = dict(task.help)
        aliases = namespace.task_names[name]
        lines += ["", f"## {name}", "", (task.__doc__ or "").strip().splitlines()[0]]
        if aliases:
            lines += ["", f"Short: `{'`, `'.join(sorted(aliases))}`."]
        rows = []
        for argument in task.get_arguments():
            flags = ", ".join(
                f"`--{flag}`" if len(flag) > 1 else f"`-{flag}`"
                for flag in sorted(argument.names, key=len, reverse=True)
            )
            # Only texts are words without a flag; others that must be given have one as well.
            shown = (
                f"`{argument.name.upper()}`"
                if argument.kind is list and argument.positional
                else flags
            )
            rows.append(f"| {shown} | {default_in_words(argument)} | {argument.help or ''} |")
        if rows:
            lines += ["", "| flag | default | meaning |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def default_in_words(argument: Any) -> str:
    """What a flag is when it is not given."""
    if argument.positional:
        return "to be given"
    if argument.default is False or argument.default in (None, "", []):
        return ""
    shown = str(argument.default)
    # The example's folder is an absolute path, and another one in each checkout.
    return f"`{shown.removeprefix(str(EXAMPLE.parents[2]) + '/')}`"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "tasks.md": tasks_page,
    "benchmarks.md": lambda: benchmarks_page(DOCS / "benchmarks", defaults=default_settings()),
}


def main(arguments: list[str]) -> int:
    """Write or check the pages; the exit code."""
    stale = 0
    for name, make in PAGES.items():
        path, content = DOCS / name, make().encode()
        if path.is_file() and path.read_bytes() == content:
            continue
        if "--check" in arguments:
            sys.stderr.write(f"{path.name} is out of date; run: python docs/generate.py\n")
            stale = 1
        else:
            write_atomically(path, content)
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
