"""The tasks of the namespace cloud, as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = (
    "from invoke.program import Program\n"
    "from greengrass_components.commands.cloud import namespace\n"
    "Program(namespace=namespace).run()\n"
)


def run(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result


def test_an_emulator_is_started_found_and_stopped_by_three_commands(tmp_path: Path) -> None:
    try:
        exports = run(tmp_path, "start").stdout.splitlines()
        told = json.loads(run(tmp_path, "status", "--json").stdout)
    finally:
        stopped = json.loads(run(tmp_path, "stop", "--json").stdout)

    assert f"export AWS_ENDPOINT_URL={told['endpoint']}" in exports
    assert told["running"]
    assert stopped == {"stopped": True}
    assert "no emulator is running" in run(tmp_path, "status").stdout


def test_a_stop_with_nothing_to_stop_is_no_error(tmp_path: Path) -> None:
    assert run(tmp_path, "stop").stdout == "no emulator is running\n"
