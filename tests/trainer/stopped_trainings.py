"""Trainings that are stopped once they have a state to go on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainer.config import TrainSettings
from trainer.teaching import Teaching
from trainer.train import train


def start_and_kill(
    line: Any,
    folder: Path,
    settings: TrainSettings,
    *,
    after: int,
    teaching: Teaching | None = None,
) -> None:
    """Train until a state is stored, and be stopped."""
    steps = 0

    def stop(what: str, _done: int, _total: int, _note: str = "") -> None:
        nonlocal steps
        steps += what == "training"
        if steps == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(
            line.dataset,
            folder,
            settings=settings,
            teaching=teaching,
            save_every_s=0,
            progress=stop,
        )
