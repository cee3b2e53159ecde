"""README and docs stay true: links, tasks, flags, generated pages, examples."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from invoke.parser import Parser
from invoke.program import Program

from edge_runtime import __main__ as edge_runtime_main

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("docs/**/*.md")]
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# A path of one machine is no path of the reader's; a page names few hosts, all of them here.
MACHINE_PATH = re.compile(r"(?<![\w.}\]])/(?:home|opt|root|tmp|Users|work)/")
HOST = re.compile(r"https?://([\w.-]+)")
HOSTS = {"127.0.0.1", "keepachangelog.com", "localhost", "semver.org"}


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
    # Flags and tasks in running text, too: `./inv train --json`.
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    commands += [shlex.split(rest) for rest in re.findall(r"`\./inv ([a-z][^`]*)`", text)]
    return commands


def runtime_commands(path: Path) -> list[list[str]]:
    """Every ``python -m edge_runtime`` command that a page shows, as words after that."""
    lines = [line for block in blocks(path, "console") for line in block.splitlines()]
    return [
        shlex.split(line.partition("-m edge_runtime ")[2])
        for line in lines
        if line.startswith("$ ") and "-m edge_runtime " in line
    ]


@pytest.fixture(scope="module")
def tasks() -> Any:
    """The collection of tasks.py."""
    specification = importlib.util.spec_from_file_location("tasks", ROOT / "tasks.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.namespace


def test_every_section_of_the_settings_is_on_their_page() -> None:
    sources = [
        path
        for folder in ("trainer", "compiler", "greengrass-components")
        for path in (ROOT / folder).rglob("defaults.toml")
    ]
    assert len(sources) == 3
    sections = {name for path in sources for name in tomllib.loads(path.read_text("utf-8"))}
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## \[(\w+)\]$", page, re.MULTILINE)) == sections


def test_there_are_pages() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in PAGES}
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/quickstart.md"} <= names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    broken = [target for target in targets if not (page.parent / target).exists()]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_page_holds_a_path_of_one_machine_or_a_strange_host(page: Path) -> None:
    content = page.read_text(encoding="utf-8")
    assert MACHINE_PATH.findall(content) == []
    assert set(HOST.findall(content)) <= HOSTS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_names_a_task_and_its_flags(
    page: Path, tasks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in inv_commands(page):
        # device.classify counts its texts on the command line itself.
        monkeypatch.setattr(sys, "argv", ["inv", *words])
        task = tasks[words[0]]
        flags = {f"--{name}" for argument in task.get_arguments() for name in argument.names}
        used = {word.partition("=")[0] for word in words[1:] if word.startswith("--")}
        assert used <= flags, f"{words[0]} has no {used - flags}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_invoke_takes_every_command_that_is_shown_whole(
    page: Path, tasks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [words for words in inv_commands(page) if len(words) > 1]
    for words in shown:
        monkeypatch.setattr(sys, "argv", ["inv", *words])
        parser = Parser(contexts=tasks.to_contexts(), initial=Program().initial_context)
        # A wrong value, a missing one, a flag of one letter that is not there: ParseError.
        assert len(parser.parse_argv(words)) == 2, " ".join(words)


def test_every_short_flag_is_a_letter(tasks: Any) -> None:
    # Invoke takes the first character of a flag's name that is free, be it a hyphen.
    short = {
        (context.name, name)
        for context in tasks.to_contexts()
        for argument in context.args.values()
        for name in argument.names
        if len(name) == 1
    }
    assert short
    assert {(task, name) for task, name in short if not name.isalpha()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_runtime_takes_every_command_that_is_shown(page: Path) -> None:
    for words in runtime_commands(page):
        assert edge_runtime_main._parser().parse_args(words).command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_json_example_is_json(page: Path) -> None:
    for block in blocks(page, "json"):
        try:
            json.loads(block)
        except json.JSONDecodeError:  # one object a line
            for line in block.splitlines():
                json.loads(line)


def test_the_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_pages_are_the_same_when_one_process_makes_them_again() -> None:
    twice = "import generate; print([generate.main(['--check']) for _ in range(2)])"
    done = subprocess.run(
        [sys.executable, "-c", twice],
        cwd=ROOT / "docs",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[0, 0]\n"


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
