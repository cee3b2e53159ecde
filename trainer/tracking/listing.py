"""The runs of an experiment as a table: what differs between them, and what came of it."""

from __future__ import annotations

from typing import Any

import msgspec

from trainer.tracking.fields import CHECKPOINT, cost_of
from trainer.tracking.tracker import Run, RunStatus, Tracker

__all__ = ["RunRow", "RunTable", "list_runs"]


class RunRow(msgspec.Struct, frozen=True):
    """One training."""

    id: str
    """The tracker's own name of it."""
    name: str
    started: str
    """Date and time in UTC, ISO 8601."""
    status: RunStatus
    settings: dict[str, str]
    """Those that are not the same in all of the table's runs, by dotted name."""
    test: dict[str, float]
    """Measures of the official test; empty before the evaluation."""
    validation: dict[str, float]
    """Measures of the validation."""
    cost: dict[str, Any] | None
    """``seconds``, ``energy_wh``, ``co2eq_g``, ``method``, ``country``."""
    checkpoint: str | None
    """SHA-256 of the checkpoint's document."""


class RunTable(msgspec.Struct, frozen=True):
    """What ``train.runs`` prints."""

    runs: list[RunRow]
    """Newest first."""
    same: dict[str, str]
    """Settings that are the same in all of them."""


def list_runs(tracker: Tracker, *, limit: int = 20) -> RunTable:
    """List the newest runs, and tell what differs between them.

    Args:
        tracker: where the runs are.
        limit: how many, at most.

    Raises:
        TrackingError: they cannot be read.
    """
    runs = tracker.runs(tags={}, limit=limit)
    names = sorted({name for run in runs for name in run.params})
    values = {name: {run.params.get(name) for run in runs} for name in names}
    differing = [name for name in names if len(values[name]) > 1]
    return RunTable(
        runs=[_row(run, differing) for run in runs],
        same={name: runs[0].params[name] for name in names if name not in differing},
    )


def _row(run: Run, differing: list[str]) -> RunRow:
    cost = cost_of(run)
    return RunRow(
        id=run.id,
        name=run.name,
        started=run.started,
        status=run.status,
        settings={name: run.params[name] for name in differing if name in run.params},
        test=_group(run, "test/"),
        validation=_group(run, "validation/"),
        cost=None if cost is None else msgspec.structs.asdict(cost),
        checkpoint=run.tags.get(CHECKPOINT),
    )


def _group(run: Run, start: str) -> dict[str, float]:
    return {
        name.removeprefix(start): value
        for name, value in sorted(run.metrics.items())
        if name.startswith(start)
    }
