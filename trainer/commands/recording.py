"""How the tasks record trainings, and show the records."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.settings import load_settings
from trainer.commands.locations import BUILD
from trainer.config import DEFAULTS, TrackSettings

if TYPE_CHECKING:
    from trainer.tracking import Recorder, RunTable

__all__ = [
    "print_runs",
    "recorder_of_project",
    "tell_custom_metrics",
    "track_settings_of_project",
]

_WIDTH = 120


def track_settings_of_project() -> TrackSettings:
    """Section ``[track]`` for the current directory.

    Raises:
        SettingsError: an unknown name, a wrong type or a value out of range.
    """
    return load_settings(TrackSettings, "track", defaults=DEFAULTS, project_folder=Path.cwd())


def recorder_of_project(build: Path = BUILD) -> Recorder:
    """What records the trainings of the current directory; warnings go to stderr.

    Raises:
        SettingsError: see ``open_recorder``.
    """
    from trainer.tracking import open_recorder

    def warn(line: str) -> None:
        print(f"warning: {line}", file=sys.stderr, flush=True)

    return open_recorder(track_settings_of_project(), folder=build, warn=warn)


def tell_custom_metrics(count: int) -> None:
    """Say on stderr how many metrics went to CloudWatch, because they cost money."""
    if count:
        print(f"{count} custom metrics written to CloudWatch", file=sys.stderr, flush=True)


def print_runs(table: RunTable) -> None:
    """Print a table of runs for people."""
    from rich.console import Console
    from rich.table import Table

    if not table.runs:
        print("no training is recorded yet")
        return
    settings = sorted({name for run in table.runs for name in run.settings})
    shown = Table("run", "started", "name", "status", *settings, "accuracy", "AUROC", "ECE", "s")
    shown.add_column("energy")
    for run in table.runs:
        cost = run.cost or {}
        energy, method = cost.get("energy_wh"), cost.get("method")
        shown.add_row(
            run.id[:8],
            run.started[:16].replace("T", " "),
            run.name,
            run.status,
            *(run.settings.get(name, "") for name in settings),
            *(
                "" if value is None else f"{value:.4f}"
                for value in map(run.test.get, ("in_scope_accuracy", "oos_auroc", "ece"))
            ),
            f"{cost['seconds']:.0f}" if cost else "",
            ""
            if energy is None
            else f"{energy:.2g} Wh{' (est.)' if method == 'estimated' else ''}",
        )
    Console(width=max(_WIDTH, 100 + 14 * len(settings))).print(shown)
