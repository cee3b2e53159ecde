"""Several processes that train together: started by Accelerate's launcher, and told apart."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from edge_runtime.errors import SettingsError

__all__ = [
    "end_launched_process",
    "ending_launched_process",
    "is_launched",
    "is_main_process",
    "launch",
]

_INTERRUPTED = 130


def is_launched() -> bool:
    """Whether this process is one of several that a launcher started together.

    ``accelerate launch`` and ``torchrun`` say so in the environment: ``WORLD_SIZE``, ``RANK``,
    ``LOCAL_RANK``, ``MASTER_ADDR``, ``MASTER_PORT``.

    Raises:
        SettingsError: ``WORLD_SIZE`` is no number of processes.
    """
    count = os.environ.get("WORLD_SIZE", "1")
    # Letters of other scripts can be digits too, and int() takes signs and blanks.
    if not (count.isascii() and count.isdigit() and int(count)):
        raise SettingsError(
            f"WORLD_SIZE is {count!r}: launchers set it to their number of processes; unset it to "
            "train in one process",
            name="WORLD_SIZE",
        )
    return int(count) > 1


def is_main_process() -> bool:
    """Whether this process is the one that writes and speaks, as the launcher says it."""
    return os.environ.get("RANK", "0") == "0"


def end_launched_process(code: int = 0) -> NoReturn:
    """End a process of several that has done its part; everything must be written.

    Threads of a process group can outlive it, and an interpreter that waits for nothing then
    aborts in about one of a hundred ends. This leaves without a look at them.

    Args:
        code: the exit code.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@contextlib.contextmanager
def ending_launched_process() -> Iterator[None]:
    """End a process of several with the code of an error that was told, and not with an abort."""
    try:
        yield
    except SystemExit as end:
        # Each process of a launcher has a rank; what was wrong can be its WORLD_SIZE.
        if "RANK" in os.environ and isinstance(end.code, int):
            end_launched_process(end.code)
        raise


def launch(module: str, arguments: Sequence[str], *, processes: int) -> int:
    """Run a module in several processes that find each other, and wait for them.

    When one of them dies, the launcher ends the others. Each takes a GPU of its own; on a machine
    without any they share the processor's cores evenly.

    Args:
        module: as after ``python -m``.
        arguments: its arguments.
        processes: how many, at least 2.

    Returns:
        The exit code: 0 when every process ended well, else that of a killed process, or of the
        first that failed.
    """
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    # The process that failed has said why on a line of its own.
    logging.getLogger("torch.distributed.elastic.multiprocessing.api").setLevel(logging.CRITICAL)
    options: Any = launch_command_parser().parse_args(
        [
            # On a processor too: only this form starts its processes without MPI.
            "--multi_gpu",
            f"--num_processes={processes}",
            "--num_machines=1",
            f"--num_cpu_threads_per_process={max(1, (os.cpu_count() or 1) // processes)}",
            "--mixed_precision=no",
            "--dynamo_backend=no",
            # Any free port: two trainings on one machine do not meet.
            "--main_process_port=0",
            "--module",
            module,
            *arguments,
        ]
    )
    try:
        launch_command(options)
    except ChildFailedError as error:
        _, first = error.get_first_failure()
        codes = [one.exitcode for one in error.failures.values()]
        # The launcher looks now and then, and may see those first that ended because one was
        # killed. It ends who is left with SIGTERM itself.
        killed = (code for code in codes if code < 0 and code != -signal.SIGTERM)
        code = next(killed, first.exitcode)
        # A signal is negative here; a shell adds 128 to its number.
        return code if code > 0 else 128 - code
    except SignalException:
        return _INTERRUPTED
    return 0
