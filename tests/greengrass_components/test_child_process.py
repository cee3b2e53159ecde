"""Running a program: its lines as they come, its end, and ours."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from greengrass_components.child_process import CommandResult, LineSink, run_program


def run_shell(
    script: str,
    *,
    folder: Path,
    on_line: LineSink = lambda _: None,
    timeout_s: float = 60.0,
    grace_s: float = 60.0,
) -> CommandResult:
    return run_program(
        ["/bin/sh", "-c", script],
        folder=folder,
        environment={"PATH": os.environ["PATH"], "GREETING": "hello"},
        on_line=on_line,
        timeout_s=timeout_s,
        grace_s=grace_s,
    )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)


def test_the_result_has_exit_code_and_both_outputs(tmp_path: Path) -> None:
    result = run_shell("echo out; echo err >&2; exit 7", folder=tmp_path)

    assert result == CommandResult(code=7, out="out\n", err="err\n")


def test_the_program_has_the_folder_and_the_environment_that_were_given(tmp_path: Path) -> None:
    result = run_shell('echo "$GREETING"; pwd -P; echo "$HOME"', folder=tmp_path)

    assert result.out.splitlines() == ["hello", str(tmp_path.resolve()), ""]


def test_a_line_is_passed_on_while_the_program_still_runs(tmp_path: Path) -> None:
    # The program ends only when its first line has been seen.
    lines: list[str] = []

    def answer(line: str) -> None:
        lines.append(line)
        (tmp_path / "go").touch()

    run_shell("echo first; while [ ! -e go ]; do sleep 0.02; done", folder=tmp_path, on_line=answer)

    assert lines == ["first"]


def test_lines_are_passed_on_whole_and_once(tmp_path: Path) -> None:
    lines: list[str] = []

    run_shell(
        "printf 'a'; sleep 0.2; printf 'b\\n'; seq 1 30000", folder=tmp_path, on_line=lines.append
    )

    assert lines == ["ab", *(str(number) for number in range(1, 30001))]


def test_a_program_that_takes_too_long_is_interrupted_and_may_tidy_up(tmp_path: Path) -> None:
    script = "trap 'touch tidied; exit 0' INT; echo ready; while :; do sleep 0.02; done"

    with pytest.raises(TimeoutError):
        run_shell(script, folder=tmp_path, timeout_s=1.0)

    assert (tmp_path / "tidied").exists()


def test_a_program_that_does_not_heed_the_interrupt_is_killed_with_its_children(
    tmp_path: Path,
) -> None:
    script = "trap '' INT; sleep 600 & echo $! > child; echo $$ > parent; wait; sleep 600"

    with pytest.raises(TimeoutError):
        run_shell(script, folder=tmp_path, timeout_s=1.0, grace_s=0.2)

    for name in ("parent", "child"):
        wait_for_end(int((tmp_path / name).read_text()))


def test_a_program_outlives_the_kill_of_the_one_that_runs_it(tmp_path: Path) -> None:
    script = "echo started; touch started; while [ ! -e go ]; do sleep 0.02; done; echo; touch end"
    code = (
        "from pathlib import Path\n"
        "from greengrass_components.child_process import run_program\n"
        f"run_program(['/bin/sh', '-c', {script!r}], folder=Path({str(tmp_path)!r}),"
        " environment={'PATH': '/usr/bin:/bin'}, on_line=lambda _: None, timeout_s=60, grace_s=1)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as runner:
        try:
            wait_for(tmp_path / "started")
        finally:
            runner.kill()

    (tmp_path / "go").touch()

    wait_for(tmp_path / "end")


def wait_for_end(pid: int) -> None:
    # Only the parent was waited for; the kernel ends the rest of its group soon after.
    deadline = time.monotonic() + 30
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    # A dead child of nobody may wait for its reaper.
    return status not in "ZX"
