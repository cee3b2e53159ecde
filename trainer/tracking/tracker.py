"""The port to whatever keeps the records of trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import msgspec

__all__ = ["Measurement", "Run", "RunStatus", "Tracker"]

RunStatus = Literal["running", "finished", "failed", "killed"]
"""``failed`` ended with an error, ``killed`` was stopped from outside."""


class Measurement(NamedTuple):
    """One value of a metric."""

    name: str
    """A slash groups metrics: ``test/ece``."""
    value: float
    step: int = 0
    """The pass, for what changes during training."""


class Run(msgspec.Struct, frozen=True):
    """The record of one training."""

    id: str
    """The tracker's own name of it."""
    name: str
    """For people; several runs may have the same."""
    status: RunStatus
    started: str
    """Date and time in UTC, ISO 8601, to the second."""
    params: dict[str, str]
    """Settings, by dotted name."""
    metrics: dict[str, float]
    """The last value of each."""
    tags: dict[str, str]
    """Digests, versions, and everything else that may be set anew."""


class Tracker(Protocol):
    """Keeps runs. Every method raises ``TrackingError`` when it cannot."""

    def runs(self, *, tags: Mapping[str, str], limit: int) -> list[Run]:
        """The newest runs that have all these tags, newest first."""

    def begin(self, name: str, *, params: Mapping[str, str], tags: Mapping[str, str]) -> str:
        """Make a running run; return its id."""

    def set_status(self, run: str, status: RunStatus) -> None:
        """End a run, or take it up again."""

    def log(
        self,
        run: str,
        *,
        metrics: Sequence[Measurement] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add metrics, and set tags."""

    def attach(self, run: str, path: Path, *, folder: str = "") -> None:
        """Keep a file, or everything below a folder, with the run, in a folder of this name."""
