"""The script that installs what tests need, with stand-ins for apt-get and sudo on the path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("install_programs.py")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """An empty folder that is the whole path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def put(folder: Path, name: str, *lines: str) -> None:
    path = folder / name
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    path.chmod(0o755)


def run(programs: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def give_rights(programs: Path) -> None:
    # Root needs no sudo; for everybody else this one asks for nothing.
    put(programs, "sudo", "shift", 'exec "$@"')


def test_nothing_is_done_where_the_programs_are(programs: Path) -> None:
    put(programs, "google-chrome")
    put(programs, "chromedriver")
    put(programs, "apt-get", "exit 9")
    assert run(programs) == ""


def test_what_is_missing_is_installed(programs: Path, tmp_path: Path) -> None:
    put(programs, "chromium")
    put(programs, "true")
    give_rights(programs)
    put(programs, "apt-get", f'echo "$@" >> {tmp_path}/asked')
    assert run(programs) == "installed: chromium-driver\n"
    assert (tmp_path / "asked").read_text().splitlines() == [
        "-q update",
        "-q install --yes --no-install-recommends chromium-driver",
    ]


def test_a_failure_is_told_and_does_no_harm(programs: Path) -> None:
    put(programs, "true")
    give_rights(programs)
    put(programs, "apt-get", "echo 'E: no network' >&2", "exit 100")
    assert run(programs) == (
        "not installed: chromium, chromium-driver: apt-get update failed: E: no network; "
        "the tests that need them cannot run\n"
    )


def test_a_system_without_apt_is_told(programs: Path) -> None:
    assert "there is no apt-get here" in run(programs)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may always install")
def test_who_may_not_install_is_told(programs: Path) -> None:
    put(programs, "apt-get", "exit 9")
    put(programs, "sudo", "exit 1")
    assert "that needs root, or sudo without a password" in run(programs)
