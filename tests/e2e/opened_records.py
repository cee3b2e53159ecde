"""Imports what MLflow imports when a run is recorded."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

from trainer.tracking import MlflowTracker

with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
    tracker = MlflowTracker(f"sqlite:///{Path(folder) / 'mlflow.db'}", experiment="imports")
    tracker.begin("none", params={}, tags={})
