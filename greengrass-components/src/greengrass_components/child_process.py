"""Run a program to its end: its lines as they come, a time limit, no orphan and no litter."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

__all__ = ["CommandResult", "LineSink", "run_program"]

_POLL_SECONDS = 0.05

LineSink = Callable[[str], None]
"""Called with each line that a program says, while it runs."""


class CommandResult(NamedTuple):
    """What a program left."""

    code: int
    """Exit code; negative when a signal ended it."""
    out: str
    """Standard output."""
    err: str
    """Standard error."""


def run_program(
    argv: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    on_line: LineSink,
    timeout_s: float,
    grace_s: float,
) -> CommandResult:
    """Run a program and wait for it.

    When the time is over or this process is interrupted, the program gets an interrupt
    (SIGINT) and ``grace_s`` to tidy up before it is killed with its children. When this
    process is killed itself, the program still runs to its own end undisturbed.

    Args:
        argv: the program and its arguments.
        folder: its current directory.
        environment: all its environment variables.
        on_line: called with each line of its standard output.
        timeout_s: seconds that it may take.
        grace_s: seconds between the interrupt and the kill.

    Raises:
        TimeoutError: it took longer than ``timeout_s``.
        OSError: it cannot be started.
    """
    # Files and not pipes: a program that outlives this process can go on writing. They
    # have no name, so none stays behind.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            # Ctrl-C is ours to pass on, once: many programs give up at the second.
            start_new_session=True,
        )
        lines = _LineReader(out)
        try:
            deadline = time.monotonic() + timeout_s
            while process.poll() is None:
                for line in lines.read():
                    on_line(line)
                if time.monotonic() > deadline:
                    raise TimeoutError
                time.sleep(_POLL_SECONDS)
        except BaseException:
            _stop(process, grace_s)
            raise
        for line in lines.read():
            on_line(line)
        return CommandResult(process.returncode, _read_all(out), _read_all(err))


class _LineReader:
    """Whole lines of a file that another process is writing."""

    def __init__(self, file: IO[bytes]) -> None:
        self._descriptor = file.fileno()
        self._position = 0
        self._rest = b""

    def read(self) -> Iterator[str]:
        # The descriptor shares its position with the writer, so it must not be moved.
        while chunk := os.pread(self._descriptor, 1 << 16, self._position):
            self._position += len(chunk)
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                yield line.decode("utf-8", errors="replace")


def _stop(process: subprocess.Popen[bytes], grace_s: float) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=grace_s)
    except subprocess.TimeoutExpired:
        # Its children are in the same group and go with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _read_all(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", errors="replace")
