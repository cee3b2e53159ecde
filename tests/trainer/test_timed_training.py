"""How long a checkpoint's training took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from trainer.config import TrainSettings
from trainer.timed_training import train_timed
from trainer.train import train


@pytest.fixture
def quick(tiny_train_settings: TrainSettings) -> TrainSettings:
    return msgspec.structs.replace(tiny_train_settings, epochs=2, minimum_steps=20)


def test_a_training_that_is_up_to_date_tells_what_it_took_when_it_ran(
    tiny_line: Any, quick: TrainSettings, tmp_path: Path
) -> None:
    first = train_timed(tiny_line.dataset, tmp_path / "checkpoint", settings=quick)
    again = train_timed(tiny_line.dataset, tmp_path / "checkpoint", settings=quick)
    assert first.seconds is not None
    assert again.artifact.skipped
    assert again.seconds == first.seconds
    assert first.looks
    assert first.looks[-1].epoch == first.artifact.document.result["epochs"]
    assert again.looks == ()


def test_nothing_is_told_of_a_training_that_nobody_timed(
    tiny_line: Any, quick: TrainSettings, tmp_path: Path
) -> None:
    train(tiny_line.dataset, tmp_path / "checkpoint", settings=quick)
    assert train_timed(tiny_line.dataset, tmp_path / "checkpoint", settings=quick).seconds is None


def test_seconds_of_another_checkpoint_are_not_told(
    tiny_line: Any, quick: TrainSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    train_timed(tiny_line.dataset, folder, settings=quick)
    other = msgspec.structs.replace(quick, seed=9)
    train(tiny_line.dataset, folder, settings=other)
    assert train_timed(tiny_line.dataset, folder, settings=other).seconds is None


def test_a_training_that_goes_on_after_a_kill_is_not_told_as_a_short_one(
    tiny_line: Any, quick: TrainSettings, tmp_path: Path
) -> None:
    def stop(what: str, done: int, total: int, note: str = "") -> None:
        if what == "training" and done > total // 2:
            raise KeyboardInterrupt

    folder = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        train(tiny_line.dataset, folder, settings=quick, save_every_s=0, progress=stop)
    assert (tmp_path / "checkpoint.training").is_dir()
    assert train_timed(tiny_line.dataset, folder, settings=quick).seconds is None
