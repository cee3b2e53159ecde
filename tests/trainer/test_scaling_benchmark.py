"""The benchmark of trainings, on small files."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge_runtime.errors import SettingsError
from trainer.config import DataSettings, TrainSettings
from trainer.errors import MeasuringError
from trainer.scaling_benchmark import benchmark_scaling


@pytest.mark.slow
def test_trainings_are_measured_in_processes_of_their_own(
    data_settings: DataSettings, tiny_train_settings: TrainSettings, tmp_path: Path
) -> None:
    settings = msgspec.structs.replace(tiny_train_settings, epochs=1, minimum_steps=0)
    found = benchmark_scaling(
        tmp_path,
        sizes=[3000, 9000],
        seed=2,
        data_settings=data_settings,
        train_settings=settings,
    )
    assert found.seed == found.settings["train"]["seed"] == 2
    assert found.memory_of == "process"
    small, large = found.trainings
    assert (small.rows, large.rows, small.epochs, large.epochs) == (3000, 9000, 1, 1)
    assert large.utterances > 2 * small.utterances
    for one in found.trainings:
        # No process that trains anything can do with less.
        assert one.cpu_seconds > 0
        assert one.peak_memory_bytes > one.checkpoint_bytes > 4 * found.parameters
    # Most of a process is torch itself: three times the texts are far from three times the memory.
    assert large.peak_memory_bytes < 2 * small.peak_memory_bytes
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize("sizes", [[], [2999], [0, 5000]])
def test_sizes_that_hold_no_intents_are_refused(
    data_settings: DataSettings,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
    sizes: list[int],
) -> None:
    with pytest.raises(SettingsError, match="--rows takes numbers of at least 3000"):
        benchmark_scaling(
            tmp_path,
            sizes=sizes,
            seed=1,
            data_settings=data_settings,
            train_settings=tiny_train_settings,
        )


def test_a_training_that_fails_is_an_error(
    data_settings: DataSettings, tiny_train_settings: TrainSettings, tmp_path: Path
) -> None:
    settings = msgspec.structs.replace(tiny_train_settings, base_model="/nowhere/at/all")
    with pytest.raises(MeasuringError, match="^3000 rows: .*/nowhere/at/all"):
        benchmark_scaling(
            tmp_path,
            sizes=[3000],
            seed=1,
            data_settings=data_settings,
            train_settings=settings,
        )
