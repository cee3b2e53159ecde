"""Tasks of the namespace ``cloud``: an AWS of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors
from greengrass_components.commands.numbers import whole_number

__all__ = ["namespace"]

_FOLDER = "build/cloud"

_HELP = {
    "folder": "where the emulator's address and log are kept",
    "json": "print one JSON object",
}


@task(
    help={
        **_HELP,
        "port": "port on loopback; by default a free one",
        "keep": "write down what it is told, and begin with what was written down before",
    }
)
def start(
    _: Context,
    *,
    port: str | None = None,
    keep: bool = False,
    folder: str = _FOLDER,
    json: bool = False,
) -> None:
    """Start an AWS emulator; use it with: eval "$(./inv cloud.start)"."""
    from greengrass_components.emulator import start_emulator

    with reporting_errors():
        emulator = start_emulator(
            Path(folder),
            port=whole_number("port", port, default=0, least=0),
            keep_running=True,
            keep_state=keep,
        )
        if json:
            print_json(_description(emulator))
            return
        for name, value in emulator.environment.items():
            print(f"export {name}={value}")


@task(help=_HELP)
def stop(_: Context, *, folder: str = _FOLDER, json: bool = False) -> None:
    """Stop the AWS emulator; what it holds is gone, unless it keeps its state."""
    from greengrass_components.emulator import find_emulator

    with reporting_errors():
        emulator = find_emulator(Path(folder))
        if emulator is not None:
            emulator.stop()
        if json:
            print_json({"stopped": emulator is not None})
        else:
            print("stopped" if emulator else "no emulator is running")


@task(help=_HELP)
def status(_: Context, *, folder: str = _FOLDER, json: bool = False) -> None:
    """Say whether an AWS emulator is running, and where."""
    from greengrass_components.emulator import find_emulator

    with reporting_errors():
        emulator = find_emulator(Path(folder))
        if json:
            print_json(_description(emulator) if emulator else {"running": False})
        elif emulator:
            kept = "kept over a restart" if emulator.keeps_state else "gone with it"
            print(f"running at {emulator.endpoint} (process {emulator.pid}); its state is {kept}")
        else:
            print("no emulator is running; start one with cloud.start")


def _description(emulator: Any) -> dict[str, Any]:
    return {
        "running": True,
        "endpoint": emulator.endpoint,
        "pid": emulator.pid,
        "keeps_state": emulator.keeps_state,
        "environment": emulator.environment,
    }


namespace = Collection("cloud", start, stop, status)
