"""Tasks in processes that are forked from one that has everything imported.

Imports are most of a short run and change nothing on disk. Without them, a kill at any moment
hits work.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from tests.e2e.conftest import ROOT, Workspace

IMPORTED_BY_THE_LINE = (
    "onnx",
    "onnxruntime",
    "llama_cpp",
    "sklearn.metrics",
    "transformers.models.auto.modeling_auto",
    "transformers.models.bert.modeling_bert",
    "tests.e2e.opened_records",
)


def prepare() -> ForkServerContext:
    """Give what starts processes; the first one waits until all is imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED_BY_THE_LINE))
    return context


def start(context: ForkServerContext, workspace: Workspace, *arguments: str) -> ForkServerProcess:
    """Start ``inv`` with these arguments in a workspace."""
    process = context.Process(
        target=_run, args=(workspace.folder, workspace.environment, arguments)
    )
    process.start()
    return process


def run(context: ForkServerContext, workspace: Workspace, *arguments: str) -> None:
    """Run ``inv`` with these arguments to its end, which must be a good one."""
    process = start(context, workspace, *arguments)
    process.join()
    assert process.exitcode == 0, _output(workspace.folder).read_text()


def kill(process: ForkServerProcess) -> None:
    """Kill a process and what it has started."""
    assert process.pid is not None
    # In its first moments it is in no group of its own yet.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def _output(folder: Path) -> Path:
    return folder / "output.txt"


def _run(folder: Path, environment: dict[str, str], arguments: tuple[str, ...]) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    with _output(folder).open("wb") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    from invoke.main import program

    program.run(["inv", "--search-root", str(ROOT), *arguments])
