"""Stages that run one after the other."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from compiler.line import Stages


class Made(NamedTuple):
    skipped: bool


def test_a_stage_gives_its_result_and_tells_its_start_and_its_end() -> None:
    said: list[str] = []
    stages = Stages(said.append)
    assert stages.run("train", lambda: Made(skipped=False)) == Made(skipped=False)
    assert said == ["train ...", f"train: {stages.seconds['train']:.1f} s"]
    assert stages.skipped == []


def test_a_stage_that_was_up_to_date_is_told_as_such() -> None:
    said: list[str] = []
    stages = Stages(said.append)
    stages.run("train", lambda: Made(skipped=True))
    assert said[-1] == "train: up to date, skipped"
    assert stages.skipped == ["train"]


def test_a_stage_that_fails_leaves_no_time() -> None:
    stages = Stages()
    with pytest.raises(ZeroDivisionError):
        stages.run("train", lambda: 1 / 0)
    assert stages.seconds == {}
