"""What tests of records share."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.settings import load_settings
from trainer.config import DEFAULTS, TrackSettings


@pytest.fixture(scope="session")
def track_settings() -> TrackSettings:
    """The defaults of section ``[track]``."""
    return load_settings(TrackSettings, "track", defaults=DEFAULTS, environment={})


@pytest.fixture(autouse=True)
def empty_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory in which a file that nobody asked for is seen."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here
