"""The state of an unfinished training on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from trainer.errors import ResumeError
from trainer.training_state import EpochRecord, TrainingState, TrainingStateStore

CPU = torch.device("cpu")
INPUTS = {"settings": {"epochs": 3, "seed": 1}, "dataset": "ab12"}


def state(epoch: int = 2) -> TrainingState:
    weight = torch.arange(4.0)
    return TrainingState(
        epoch=epoch,
        step=7,
        best_epoch=1,
        batch_parts=2,
        history=(
            EpochRecord(epoch=1, loss=0.1),
            EpochRecord(epoch=2, loss=0.2, validation_accuracy=0.5),
        ),
        schedule={"last_epoch": 7, "_last_lr": [0.1, 1 / 3]},
        optimizer={
            "state": {0: {"step": torch.tensor(7.0), "exp_avg": weight / 3}},
            "param_groups": [{"lr": 1 / 3, "betas": [0.9, 0.999], "params": [0]}],
        },
        weights={"encoder.layer.0.weight": weight},
        average={"encoder.layer.0.weight": weight / 7},
        best={"encoder.layer.0.weight": weight / 9},
    )


def store(folder: Path, **changes: object) -> TrainingStateStore:
    return TrainingStateStore(folder / "state", inputs={**INPUTS, **changes})


def test_what_is_saved_is_loaded_to_the_last_bit(tmp_path: Path) -> None:
    written = state()
    store(tmp_path).save(written)

    found = store(tmp_path).load(CPU)

    assert found is not None
    assert (found.epoch, found.step, found.best_epoch) == (2, 7, 1)
    assert (found.history, found.schedule) == (written.history, written.schedule)
    assert found.optimizer["param_groups"] == written.optimizer["param_groups"]
    for name in ("weights", "average", "best"):
        left, right = getattr(found, name), getattr(written, name)
        assert left.keys() == right.keys()
        assert all(torch.equal(left[key], right[key]) for key in left)
    assert torch.equal(found.optimizer["state"][0]["exp_avg"], torch.arange(4.0) / 3)


def test_nothing_stored_is_no_state_and_no_difference(tmp_path: Path) -> None:
    assert store(tmp_path).load(CPU) is None
    assert store(tmp_path).difference() is None


def test_the_latest_state_replaces_the_one_before(tmp_path: Path) -> None:
    store(tmp_path).save(state(1))
    store(tmp_path).save(state(2))
    found = store(tmp_path).load(CPU)
    assert found is not None
    assert found.epoch == 2
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["state.safetensors"]


def test_another_training_is_not_loaded_and_told_apart(tmp_path: Path) -> None:
    store(tmp_path).save(state())
    other = store(tmp_path, settings={"epochs": 4, "seed": 1}, dataset="cd34")
    assert other.load(CPU) is None
    assert other.difference() == "dataset was 'ab12', is 'cd34', settings.epochs was 3, is 4"
    assert store(tmp_path).difference() == ""


@pytest.mark.parametrize("content", [b"", b"damaged", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_state_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.safetensors").write_bytes(content)
    with pytest.raises(ResumeError, match=r"cannot be read .*; delete .*state to begin anew"):
        store(tmp_path).load(CPU)


def test_a_file_that_was_half_written_changes_nothing(tmp_path: Path) -> None:
    store(tmp_path).save(state(1))
    (tmp_path / "state" / "state.safetensors.partial").write_bytes(b"half")
    found = store(tmp_path).load(CPU)
    assert found is not None
    assert found.epoch == 1


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.usefixtures("small_files")
def test_a_full_disk_keeps_the_state_before_and_nothing_that_was_begun(
    tmp_path: Path, stored: bool
) -> None:
    folder = tmp_path / "state"
    if stored:
        folder.mkdir()
        (folder / "state.safetensors").write_bytes(b"the one before")
    with pytest.raises((OSError, SafetensorError)):
        store(tmp_path).save(state())
    assert [path.name for path in tmp_path.rglob("*")] == (
        ["state", "state.safetensors"] if stored else []
    )


def test_what_a_killed_process_had_begun_goes_with_a_training_that_is_done(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / "state.safetensors.partial").write_bytes(b"half")
    (folder / "letter").write_bytes(b"dear")
    store(tmp_path).remove_own()
    assert [path.name for path in folder.iterdir()] == ["letter"]
    (folder / "letter").unlink()
    store(tmp_path).remove_own()
    assert not folder.exists()


def test_a_finished_training_leaves_nothing(tmp_path: Path) -> None:
    store(tmp_path).save(state())
    store(tmp_path).remove()
    store(tmp_path).remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("accuracy", "loss", "better"),
    [(0.6, 9.0, True), (0.4, 0.1, False), (0.5, 0.4, True), (0.5, 0.5, False)],
)
def test_more_right_answers_are_better_and_of_equals_the_surer(
    accuracy: float, loss: float, better: bool
) -> None:
    before = EpochRecord(epoch=1, loss=1.0, validation_loss=0.5, validation_accuracy=0.5)
    after = EpochRecord(epoch=1, loss=1.0, validation_loss=loss, validation_accuracy=accuracy)
    assert after.is_better_than(before) is better


def test_without_validation_the_later_is_better() -> None:
    assert EpochRecord(epoch=1, loss=2.0).is_better_than(EpochRecord(epoch=1, loss=1.0))
