"""What the tests of edge_runtime share."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def run_runtime() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``python -m edge_runtime`` with arguments and wait for it."""

    def run(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "edge_runtime", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def locked_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that this process may not enter; root gives up its rights for so long."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0)
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)  # nobody
    yield folder
    os.seteuid(own)
    folder.chmod(0o700)


@pytest.fixture
def start_python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a child that runs Python code; it is killed at the end if it still runs."""
    children: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


@pytest.fixture
def defaults_file(tmp_path: Path) -> Path:
    """A package's ``defaults.toml`` with one section."""
    path = tmp_path / "defaults.toml"
    path.write_text('[train]\nepochs = 4\nrate = 0.002\ndevice = "cpu"\n', encoding="utf-8")
    return path
