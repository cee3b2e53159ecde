"""Runs a function in a process of its own and measures that process, so its memory is its own."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import EdgeError
from trainer.errors import MeasuringError

__all__ = ["Measured", "measure", "usable_processors"]

Result = TypeVar("Result")

_STATUS = Path("/proc/self/status")
_PEAK = "VmHWM:"
_TIDYING_S = 10.0


class Measured(NamedTuple, Generic[Result]):
    """What a function returned, and what its process had used when it did."""

    result: Result
    seconds: float
    """Wall time of the function, with whatever it imports."""
    cpu_seconds: float
    """Processor time of the process, all threads together, its start included."""
    peak_memory_bytes: int
    """Largest resident memory of the process."""


class _Failed(NamedTuple):
    message: str


class _Step(NamedTuple):
    """How far the function is."""

    what: str
    done: int
    total: int
    note: str


def measure(
    function: Callable[[Any, Progress], Result],
    order: Any,
    *,
    name: str,
    progress: Progress = no_progress,
) -> Measured[Result]:
    """Run a function in a process of its own, which starts without anything of this one.

    Args:
        function: of a module; it is given ``order`` and what it tells of its progress.
        order: what to do; this and what is returned must be such that ``pickle`` can send it.
        name: what is measured, in words, for errors.
        progress: told each step.

    Raises:
        MeasuringError: whatever went wrong there, or the process was ended.
    """
    context = multiprocessing.get_context("spawn")
    hearing, telling = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(function, order, telling), daemon=True)
    process.start()
    telling.close()
    try:
        while True:
            told = hearing.recv()
            if isinstance(told, _Step):
                progress(*told)
                continue
            # It has said all, and tidies up what its libraries began.
            process.join(_TIDYING_S)
            if isinstance(told, Measured):
                return told
            raise MeasuringError(f"{name}: {told.message}")
    except EOFError:
        process.join()
        raise MeasuringError(
            f"{name}: its process was ended with exit code {process.exitcode} (-9: by the system, "
            "for want of memory); nothing was measured",
            exit_code=process.exitcode,
        ) from None
    finally:
        hearing.close()
        process.terminate()
        process.join()


def usable_processors() -> int:
    """How many processors this process may use."""
    # Not everywhere can a process be kept to some of them.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _run(function: Callable[[Any, Progress], Any], order: Any, telling: Connection) -> None:
    start = time.monotonic()

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        telling.send(_Step(what, done, total, note))

    try:
        result = function(order, progress)
        seconds = time.monotonic() - start
        telling.send(Measured(result, seconds, time.process_time(), _peak_resident_bytes()))
    except EdgeError as error:
        telling.send(_Failed(error.message))
    except (BrokenPipeError, KeyboardInterrupt):
        # Whoever asked is gone, or says so itself.
        sys.exit(1)


def _peak_resident_bytes() -> int:
    """The peak of this program alone.

    ``getrusage`` counts what the process was before it became this program: a copy of its parent.
    """
    try:
        lines = _STATUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak * (1 if sys.platform == "darwin" else 1024)
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(_PEAK))
