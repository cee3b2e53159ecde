"""Writes the pages that are made from the code: settings.md and tasks.md.

python docs/generate.py           write them
python docs/generate.py --check   exit 1 when one is out of date
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from invoke.collection import Collection

from compiler import config as compiler_config
from edge_runtime.storage import write_atomically
from greengrass_components import config as components_config
from trainer import config as trainer_config

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
SECTIONS: tuple[tuple[str, type[msgspec.Struct], Path], ...] = (
    ("data", trainer_config.DataSettings, trainer_config.DEFAULTS),
    ("train", trainer_config.TrainSettings, trainer_config.DEFAULTS),
    ("compile", compiler_config.CompileSettings, compiler_config.DEFAULTS),
    ("bundle", compiler_config.BundleSettings, compiler_config.DEFAULTS),
    ("component", components_config.ComponentSettings, components_config.DEFAULTS),
)


def settings_page() -> str:
    """The table of every setting: default and meaning."""
    lines = [
        "# Settings",
        "",
        "Generated from the code by `docs/generate.py`. Order, low to high: these defaults,",
        "`edgewise.toml` in the current directory, `EDGEWISE_<SECTION>_<FIELD>` in the",
        "environment, flags.",
    ]
    for section, struct, defaults in SECTIONS:
        table = tomllib.loads(defaults.read_text(encoding="utf-8"))[section]
        lines += ["", f"## [{section}]", "", "| setting | default | meaning |", "|---|---|---|"]
        for name, meaning in field_docstrings(struct).items():
            value = f"`{msgspec.json.encode(table[name]).decode()}`" if name in table else "not set"
            lines.append(f"| `{name}` | {value} | {meaning} |")
    return "\n".join(lines) + "\n"


def field_docstrings(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The line below each field of a struct."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(struct))).body[0]
    assert isinstance(tree, ast.ClassDef)
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


def load_namespace() -> Collection:
    """The collection of tasks.py."""
    specification = importlib.util.spec_from_file_location("tasks", ROOT / "tasks.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    namespace: Collection = module.namespace
    return namespace


def tasks_page() -> str:
    """Every task with its purpose and flags."""
    lines = ["# Tasks", "", "Generated from the code by `docs/generate.py`."]
    namespace = load_namespace()
    for name in sorted(namespace.task_names):
        task: Any = namespace[name]
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
            shown = f"`{argument.name.upper()}`" if argument.positional else flags
            rows.append(f"| {shown} | {argument.help or ''} |")
        if rows:
            lines += ["", "| flag | meaning |", "|---|---|", *rows]
    return "\n".join(lines) + "\n"


PAGES = {"settings.md": settings_page, "tasks.md": tasks_page}


def main(arguments: list[str]) -> int:
    """Write or check the pages; the exit code."""
    stale = 0
    for name, make in PAGES.items():
        path, content = DOCS / name, make().encode()
        if path.is_file() and path.read_bytes() == content:
            continue
        if "--check" in arguments:
            print(f"{path.name} is out of date; run: python docs/generate.py", file=sys.stderr)
            stale = 1
        else:
            write_atomically(path, content)
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
