"""Records of trainings: settings, metrics, digests, energy; by MLflow, or in memory."""

from __future__ import annotations

from trainer.tracking.listing import RunRow, RunTable, list_runs
from trainer.tracking.memory import MemoryTracker
from trainer.tracking.mlflow_tracker import MlflowTracker
from trainer.tracking.recorder import Recorder, open_recorder, open_tracker
from trainer.tracking.tracker import Measurement, Run, RunStatus, Tracker

__all__ = [
    "Measurement",
    "MemoryTracker",
    "MlflowTracker",
    "Recorder",
    "Run",
    "RunRow",
    "RunStatus",
    "RunTable",
    "Tracker",
    "list_runs",
    "open_recorder",
    "open_tracker",
]
