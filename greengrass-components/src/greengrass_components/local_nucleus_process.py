"""One component's life on the local nucleus: install, run, errors, the end of its processes."""

from __future__ import annotations

import contextlib
import enum
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

__all__ = ["ComponentLife", "Script", "State"]

logger = logging.getLogger(__name__)

INSTALL_TIMEOUT_SECONDS = 120.0
"""What a nucleus grants an install script that names no Timeout."""
MAX_ERRORS = 3
"""A component that fails this often is broken until it is deployed again."""


class State(enum.Enum):
    """States of a component, named as a nucleus names them."""

    NEW = "NEW"
    INSTALLED = "INSTALLED"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    ERRORED = "ERRORED"
    BROKEN = "BROKEN"


class Script(NamedTuple):
    """A script with its variables filled in."""

    command: str
    timeout_s: float | None
    environment: Mapping[str, str]


class ComponentLife:
    """Runs the scripts of one component, each in a process group of its own.

    Args:
        install: run first, to its end; its failure is an error of the component.
        run: run then; while it does, the component is RUNNING.
        work: current directory of the scripts.
        log: file that takes their output.
    """

    def __init__(self, *, install: Script | None, run: Script, work: Path, log: Path) -> None:
        self._install = install
        self._run = run
        self._work = work
        self._log = log
        self._state = State.NEW
        self._changed = threading.Condition()
        self._stopping = False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._live, name=log.stem, daemon=True)

    @property
    def state(self) -> State:
        """Where the component is in its life."""
        return self._state

    @property
    def process_id(self) -> int | None:
        """The process that runs now, which leads a group of the same number."""
        process = self._process
        return process.pid if process is not None else None

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def wait(self, states: frozenset[State], *, timeout_s: float) -> State:
        """Wait for one of some states; return the state at the end of the wait."""
        with self._changed:
            self._changed.wait_for(lambda: self._state in states, timeout_s)
            return self._state

    def stop(self, *, grace_s: float) -> None:
        """End the processes: SIGTERM, and SIGKILL for what is left after the grace."""
        with self._changed:
            self._stopping = True
            process = self._process
            if process is not None:
                _signal_group(process.pid, signal.SIGTERM)
        self._thread.join(grace_s)
        if self._thread.is_alive():
            with self._changed:
                if self._process is not None:
                    _signal_group(self._process.pid, signal.SIGKILL)
            self._thread.join()

    def _live(self) -> None:
        with self._log.open("ab", buffering=0) as log:
            for _ in range(MAX_ERRORS):
                if self._attempt(log):
                    return
                if self._stopping:
                    return
                self._enter(State.ERRORED)
        self._enter(State.BROKEN)

    def _attempt(self, log: IO[bytes]) -> bool:
        self._enter(State.NEW)
        if self._install is not None and not self._execute(self._install, log):
            return False
        self._enter(State.INSTALLED)
        if not self._execute(self._run, log, while_it_runs=State.RUNNING):
            return False
        self._enter(State.FINISHED)
        return True

    def _execute(self, script: Script, log: IO[bytes], while_it_runs: State | None = None) -> bool:
        with self._changed:
            if self._stopping:
                return False
            process = subprocess.Popen(
                # A script is one plain command, so the shell need not stay: the process that
                # is asked to end is then the component itself, and its end is what is awaited.
                ["/bin/sh", "-c", f"exec {script.command}"],
                cwd=self._work,
                env=dict(script.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            self._process = process
        with _ending_with_this_process(process.pid):
            if while_it_runs is not None:
                self._enter(while_it_runs)
            try:
                code = process.wait(script.timeout_s)
                problem = f"ended with exit code {code}" if code else ""
            except subprocess.TimeoutExpired:
                problem = f"took longer than {script.timeout_s:g} s and was stopped"
        with self._changed:
            # Whatever the script left behind goes with it.
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
            self._process = None
        if problem and not self._stopping:
            log.write(f"nucleus: `{script.command}` {problem}\n".encode())
            logger.warning("%s: %s", self._log.stem, problem)
        return not problem

    def _enter(self, state: State) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()


def _signal_group(process_id: int, number: signal.Signals) -> None:
    try:
        os.killpg(process_id, number)
    except ProcessLookupError:
        return


@contextlib.contextmanager
def _ending_with_this_process(group: int) -> Iterator[None]:
    """Kill a process group when this process is killed itself and cannot.

    A guard waits at the end of a pipe that only this process holds open; the kernel closes
    it whatever way this process goes.
    """
    guard = subprocess.Popen(
        ["/bin/sh", "-c", 'cat > /dev/null; kill -s KILL -- "-$1"', "guard", str(group)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        _signal_group(guard.pid, signal.SIGKILL)
        guard.communicate()
