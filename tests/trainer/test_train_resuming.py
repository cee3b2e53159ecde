"""A training that was stopped goes on, or says why it does not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from edge_runtime.settings import load_settings
from tests.trainer.stopped_trainings import start_and_kill
from trainer.checkpoint import read_checkpoint
from trainer.config import DEFAULTS, DataSettings, DistillationSettings, TrainSettings
from trainer.dataset import build_dataset
from trainer.devices import choose_precision
from trainer.errors import ResumeError, TrainingError
from trainer.teaching import Teaching
from trainer.train import train


@pytest.fixture
def longer(tiny_train_settings: TrainSettings) -> TrainSettings:
    """Ten passes of two steps."""
    return msgspec.structs.replace(
        tiny_train_settings, epochs=10, minimum_steps=10, early_stopping_epochs=0
    )


@pytest.fixture
def small(longer: TrainSettings) -> TrainSettings:
    """As many, looked at after every fifth; a share of the first weights stays."""
    return msgspec.structs.replace(longer, epochs=2, minimum_steps=20, initial_share=0.35)


def check_that_it_goes_on(
    line: Any, place: Path, settings: TrainSettings, *, teaching: Teaching | None = None
) -> None:
    """Train twenty steps at once, and again with a stop within the fifth of ten passes."""
    whole = train(line.dataset, place / "whole", settings=settings, teaching=teaching)
    folder = place / "killed"
    start_and_kill(line, folder, settings, after=9, teaching=teaching)
    assert not folder.exists()
    steps: list[str] = []

    def count(what: str, *_: object) -> None:
        steps.append(what)

    resumed = train(line.dataset, folder, settings=settings, teaching=teaching, progress=count)
    assert steps.count("training") == 12
    assert resumed.digest == whole.digest
    assert not (place / "killed.training").exists()


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
def test_a_killed_training_ends_with_the_bytes_of_one_that_was_not(
    tiny_line, longer: TrainSettings, tmp_path: Path, method: str
) -> None:
    longer = msgspec.structs.replace(longer, method=method, lora_dropout=0.1)
    check_that_it_goes_on(tiny_line, tmp_path, longer)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_so_does_that_of_a_small_set(
    tiny_line, small: TrainSettings, tmp_path: Path, method: str
) -> None:
    check_that_it_goes_on(tiny_line, tmp_path, msgspec.structs.replace(small, method=method))


def test_so_does_that_of_a_student(tiny_line, longer: TrainSettings, tmp_path: Path) -> None:
    teacher = tmp_path / "teacher"
    shutil.copytree(tiny_line.checkpoint, teacher)
    distillation = load_settings(
        DistillationSettings,
        "distillation",
        defaults=DEFAULTS,
        environment={},
        flags={"tier": "static", "static_width": 16, "epochs": 10},
    )
    check_that_it_goes_on(
        tiny_line, tmp_path, longer, teaching=Teaching(read_checkpoint(teacher), distillation)
    )


def test_other_settings_are_refused_with_the_difference_and_what_to_do(
    tiny_line, longer: TrainSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    start_and_kill(tiny_line, folder, longer, after=9)
    other = msgspec.structs.replace(longer, seed=5)
    with pytest.raises(
        ResumeError,
        match=r"other settings or data at .*killed\.training: settings\.seed was 1, is 5; "
        r"give it the same ones to go on, or delete that folder to discard it$",
    ):
        train(tiny_line.dataset, folder, settings=other)
    # Nothing was lost: the right settings still go on.
    assert (tmp_path / "killed.training").is_dir()
    train(tiny_line.dataset, folder, settings=longer)


def test_what_auto_stands_for_here_is_a_difference_too(
    tiny_line, longer: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "killed"
    longer = msgspec.structs.replace(longer, precision="auto")
    start_and_kill(tiny_line, folder, longer, after=9)
    here = choose_precision("auto", torch.device("cpu"))
    there = {"fp32": "bf16", "bf16": "fp32"}[here]
    with monkeypatch.context() as patch:
        patch.setattr("trainer.devices.native_precisions", lambda _: (there,))
        with pytest.raises(ResumeError, match=f"precision was '{here}', is '{there}'; give it"):
            train(tiny_line.dataset, folder, settings=longer)
    train(tiny_line.dataset, folder, settings=longer)


def test_other_data_is_refused_with_the_difference(
    tiny_line,
    longer: TrainSettings,
    tiny_utterances: Path,
    data_settings: DataSettings,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "killed"
    start_and_kill(tiny_line, folder, longer, after=9)
    changed = tmp_path / "changed.csv"
    changed.write_text(tiny_utterances.read_text().replace("play jazz loudly", "play jazz"))
    build_dataset(str(changed), tmp_path / "dataset", settings=data_settings)
    with pytest.raises(ResumeError, match=r"dataset was '[0-9a-f]{12}', is '[0-9a-f]{12}'; gi"):
        train(tmp_path / "dataset", folder, settings=longer)


@pytest.mark.parametrize("seed", [1, 5])
def test_an_unfinished_training_is_discarded_when_that_is_asked_for(
    tiny_line, longer: TrainSettings, tmp_path: Path, seed: int
) -> None:
    folder = tmp_path / "killed"
    start_and_kill(tiny_line, folder, longer, after=9)
    steps: list[str] = []

    def count(what: str, *_: object) -> None:
        steps.append(what)

    train(
        tiny_line.dataset,
        folder,
        settings=msgspec.structs.replace(longer, seed=seed),
        anew=True,
        progress=count,
    )
    assert steps.count("training") == 20


def test_an_unfinished_training_that_cannot_be_read_is_refused_and_can_be_discarded(
    tiny_line, longer: TrainSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    (tmp_path / "checkpoint.training").mkdir()
    (tmp_path / "checkpoint.training" / "state.safetensors").write_bytes(b"damaged")
    with pytest.raises(ResumeError, match="cannot be read"):
        train(tiny_line.dataset, folder, settings=longer)
    assert not train(tiny_line.dataset, folder, settings=longer, anew=True).skipped


def test_a_file_where_the_state_of_a_training_goes_is_told_before_the_training(
    tiny_line, longer: TrainSettings, tmp_path: Path
) -> None:
    (tmp_path / "checkpoint.training").write_text("mine")
    with pytest.raises(TrainingError, match=r"checkpoint\.training is no folder, and the state"):
        train(tiny_line.dataset, tmp_path / "checkpoint", settings=longer)
    assert (tmp_path / "checkpoint.training").read_text() == "mine"
    assert not (tmp_path / "checkpoint").exists()


def test_until_the_checkpoint_stands_in_its_place_the_state_is_kept(
    tiny_line, longer: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "made"

    def refuse(*_: object) -> None:
        raise KeyboardInterrupt

    # The last thing before the folder gets its name.
    with monkeypatch.context() as patch:
        patch.setattr("edge_runtime.artifact.write_atomically", refuse)
        with pytest.raises(KeyboardInterrupt):
            train(tiny_line.dataset, folder, settings=longer, save_every_s=0)
    steps: list[str] = []

    def count(what: str, *_: object) -> None:
        steps.append(what)

    assert not train(tiny_line.dataset, folder, settings=longer, progress=count).skipped
    assert "training" not in steps
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_state_that_outlived_its_training_is_removed_and_that_of_another_in_nobody_s_way(
    tiny_line, longer: TrainSettings, tmp_path: Path
) -> None:
    folder, kept = tmp_path / "made", tmp_path / "made.training"
    start_and_kill(tiny_line, folder, longer, after=9)
    shutil.copytree(kept, tmp_path / "copy")
    train(tiny_line.dataset, folder, settings=longer)
    (tmp_path / "copy").rename(kept)
    assert train(tiny_line.dataset, folder, settings=longer).skipped
    assert not kept.exists()

    start_and_kill(tiny_line, folder, msgspec.structs.replace(longer, seed=5), after=9)
    assert train(tiny_line.dataset, folder, settings=longer).skipped
    assert kept.is_dir()
