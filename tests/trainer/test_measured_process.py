"""What a process of its own takes."""

from __future__ import annotations

import atexit
import os
import signal
import time
from pathlib import Path

import pytest

from edge_runtime.console import Progress
from edge_runtime.errors import StorageError
from trainer.errors import MeasuringError
from trainer.measured_process import measure, usable_processors

MIB = 2**20


def hold(megabytes: int, progress: Progress) -> int:
    progress("holding", 1, 1, f"{megabytes} MiB")
    return len(bytes(1) * (megabytes * MIB))


def refuse(_: None, progress: Progress) -> None:
    raise StorageError("cannot write there; choose another place")


def leave_late(path: Path, progress: Progress) -> None:
    atexit.register(lambda: (time.sleep(0.5), path.touch()))


def be_ended(_: None, progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_function_is_measured_and_tells_of_its_progress() -> None:
    told: list[tuple[object, ...]] = []
    start = time.monotonic()
    found = measure(hold, 3, name="hold", progress=lambda *one: told.append(one))
    assert found.result == 3 * MIB
    assert told == [("holding", 1, 1, "3 MiB")]
    assert 0 < found.seconds < time.monotonic() - start
    assert found.cpu_seconds > 0


def test_the_peak_of_memory_is_what_the_process_itself_holds() -> None:
    held = bytes(1) * (600 * MIB)  # by this process, at the time when the other one is started
    small, large = (measure(hold, size, name="hold").peak_memory_bytes for size in (1, 200))
    assert small < len(held) // 2
    assert 190 * MIB < large - small < 210 * MIB


def test_the_process_may_tidy_up_before_it_is_gone(tmp_path: Path) -> None:
    measure(leave_late, tmp_path / "tidied", name="it")
    assert (tmp_path / "tidied").exists()


def test_what_goes_wrong_there_is_one_line_here() -> None:
    with pytest.raises(MeasuringError, match="^storing: cannot write there; choose another place$"):
        measure(refuse, None, name="storing")


def test_a_process_that_is_ended_is_told() -> None:
    with pytest.raises(MeasuringError, match="^it: its process was ended with exit code -9"):
        measure(be_ended, None, name="it")


def test_processors_that_a_process_may_use_are_counted() -> None:
    assert 1 <= usable_processors() <= (os.cpu_count() or 1)
