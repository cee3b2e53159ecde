"""README and docs stay true: links, tasks, flags, generated pages, examples."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("docs/**/*.md")]
    if ".venv" not in path.parts
)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Paths of one machine, and hosts of package registries, have no place in a repository.
FORBIDDEN = re.compile(r"/work/|/root/|/tmp/w\b|pypi\.org|registry\.npmjs|deb\.debian\.org")


def blocks(path: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in these languages."""
    found = BLOCK.findall(path.read_text(encoding="utf-8"))
    return [content for language, content in found if language in languages]


def inv_commands(path: Path) -> list[list[str]]:
    """Every ``./inv`` command that a page shows, as words without variables and ``./inv``."""
    commands = []
    for block in blocks(path, "console"):
        for line in block.splitlines():
            _, found, rest = line.partition("./inv ")
            if line.startswith("$ ") and found:
                commands.append(shlex.split(rest.replace(')"', "")))
    return commands


@pytest.fixture(scope="module")
def tasks() -> Any:
    """The collection of tasks.py."""
    specification = importlib.util.spec_from_file_location("tasks", ROOT / "tasks.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.namespace


def test_there_are_pages() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in PAGES}
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/quickstart.md"} <= names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    broken = [target for target in targets if not (page.parent / target).exists()]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_page_holds_a_path_of_one_machine(page: Path) -> None:
    assert FORBIDDEN.findall(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_names_a_task_and_its_flags(page: Path, tasks: Any) -> None:
    for words in inv_commands(page):
        task = tasks[words[0]]
        flags = {f"--{name}" for argument in task.get_arguments() for name in argument.names}
        used = {word.partition("=")[0] for word in words[1:] if word.startswith("--")}
        assert used <= flags, f"{words[0]} has no {used - flags}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_json_example_is_json(page: Path) -> None:
    for block in blocks(page, "json"):
        json.loads(block)


def test_the_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", ["docs/edge-runtime.md", "edge-runtime/README.md"])
def test_the_python_examples_run(
    page: str, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_bundle.rename(tmp_path / "bundle")
    monkeypatch.chdir(tmp_path)
    examples = blocks(ROOT / page, "python")
    assert examples
    for example in examples:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(example, page, "exec"), {})
        assert said.getvalue().strip()
