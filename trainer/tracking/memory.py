"""Records of trainings that live as long as the process: for tests, and to try things."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from trainer.errors import TrackingError
from trainer.tracking.tracker import Measurement, Run, RunStatus

__all__ = ["MemoryTracker"]


class MemoryTracker:
    """Keeps runs in memory.

    Args:
        reachable: when false, everything raises ``TrackingError``; may be changed at any time.
    """

    def __init__(self, *, reachable: bool = True) -> None:
        self.reachable = reachable
        self.measurements: dict[str, list[Measurement]] = {}
        """Run -> everything that was logged, in order."""
        self.files: dict[str, dict[str, bytes]] = {}
        """Run -> path -> content."""
        self._runs: dict[str, Run] = {}

    def runs(self, *, tags: Mapping[str, str], limit: int) -> list[Run]:
        """See ``Tracker``."""
        self._check()
        found = [run for run in self._runs.values() if tags.items() <= run.tags.items()]
        return found[::-1][:limit]

    def begin(self, name: str, *, params: Mapping[str, str], tags: Mapping[str, str]) -> str:
        """See ``Tracker``."""
        self._check()
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        run = Run(str(len(self._runs) + 1), name, "running", now, dict(params), {}, dict(tags))
        self._runs[run.id] = run
        self.measurements[run.id], self.files[run.id] = [], {}
        return run.id

    def set_status(self, run: str, status: RunStatus) -> None:
        """See ``Tracker``."""
        self._runs[run] = msgspec.structs.replace(self._find(run), status=status)

    def log(
        self,
        run: str,
        *,
        metrics: Sequence[Measurement] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """See ``Tracker``."""
        kept = self._find(run)
        self.measurements[run] += metrics
        # Of values at one step the later counts; of steps the highest.
        ordered = sorted(self.measurements[run], key=lambda one: one.step)
        self._runs[run] = msgspec.structs.replace(
            kept,
            metrics={one.name: one.value for one in ordered},
            tags={**kept.tags, **(tags or {})},
        )

    def attach(self, run: str, path: Path, *, folder: str = "") -> None:
        """See ``Tracker``."""
        self._find(run)
        files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
        start = path.parent if path.is_file() else path
        for file in files:
            name = "/".join(part for part in (folder, file.relative_to(start).as_posix()) if part)
            self.files[run][name] = file.read_bytes()

    def _find(self, run: str) -> Run:
        self._check()
        if run not in self._runs:
            raise TrackingError(f"there is no run {run}", run=run)
        return self._runs[run]

    def _check(self) -> None:
        if not self.reachable:
            raise TrackingError("the records of trainings cannot be reached")
