"""Measures ``data.check`` on a large file: seconds, processor time and memory of its process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.console import Progress, no_progress
from edge_runtime.storage import write_atomically
from trainer.errors import DataError
from trainer.synthetic_utterances import write_synthetic_utterances

__all__ = ["DataBenchmark", "benchmark_data_check"]


class DataBenchmark(msgspec.Struct, frozen=True):
    """What ``bench.data`` prints with ``--json``."""

    rows: int
    """Rows of the file."""
    bytes: int
    """Size of the file."""
    seconds: float
    """Wall time of the process, from its start to its end."""
    cpu_seconds: float
    """Processor time of the process, all threads together."""
    peak_rss_bytes: int
    """Largest resident memory of the process."""
    processors: int
    """Processors that the process may use."""
    findings: dict[str, int]
    """Rule -> count."""


def benchmark_data_check(
    folder: Path,
    *,
    rows: int,
    seed: int,
    project: Path,
    progress: Progress = no_progress,
) -> DataBenchmark:
    """Make a file of utterances, run ``data.check`` on it as a user would, and measure that.

    Args:
        folder: where the file and the report go.
        rows: of the file, at least 1.
        seed: of the file.
        project: the folder with ``tasks.py``.
        progress: called after each step.

    Raises:
        DataError: the check failed.
        StorageError: the file cannot be written.
    """
    file = folder / f"synthetic-{rows}-{seed}.csv"
    content = write_synthetic_utterances(rows, seed=seed)
    write_atomically(file, content)
    size = len(content)
    del content
    progress("benchmark", 1, 2, f"{rows} utterances written")
    command = [
        *(sys.executable, "-m", "invoke", "--search-root", str(project)),
        *("data.check", str(file), "--report", str(folder / "report"), "--json"),
    ]
    with (folder / "check.out").open("w+b") as out, (folder / "check.err").open("w+b") as err:
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=err)
        # Not Popen.wait: only this tells what the process has used.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        told, complaint = out.read(), err.read().decode(errors="replace")
    if process.returncode:
        last = complaint.strip().splitlines()[-1:] or ["it said nothing"]
        raise DataError(
            f"data.check ended with {process.returncode} on {file}: {last[0]}; see {folder}",
            returncode=process.returncode,
        )
    check: dict[str, Any] = msgspec.json.decode(told)
    progress("benchmark", 2, 2, f"checked in {seconds:.0f} s")
    return DataBenchmark(
        rows=rows,
        bytes=size,
        seconds=round(seconds, 1),
        cpu_seconds=round(usage.ru_utime + usage.ru_stime, 1),
        peak_rss_bytes=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        processors=len(os.sched_getaffinity(0)),
        findings={one["rule"]: one["count"] for one in check["findings"]},
    )
