"""The time and memory of a training."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch
from invoke.context import Context

from edge_runtime.errors import SettingsError
from trainer.commands.benchmarks import training_speed
from trainer.config import CalibrationSettings, DataSettings, TrainSettings
from trainer.devices import native_precisions
from trainer.errors import MeasuringError
from trainer.training_benchmark import TrainingBenchmark, benchmark_training


@pytest.fixture
def measure(
    tiny_utterances: Path,
    tiny_train_settings: TrainSettings,
    data_settings: DataSettings,
    calibration_settings: CalibrationSettings,
    tmp_path: Path,
):
    """``benchmark_training`` of a tiny model, with some settings changed."""

    def run(
        *,
        precisions: tuple[str, ...] | None = ("fp32",),
        seeds: int = 1,
        target: float | None = None,
        **changed: object,
    ) -> TrainingBenchmark:
        return benchmark_training(
            str(tiny_utterances),
            tmp_path,
            precisions=precisions,
            seeds=seeds,
            target=target,
            data_settings=data_settings,
            train_settings=msgspec.structs.replace(tiny_train_settings, **changed),
            calibration_settings=calibration_settings,
        )

    return run


@pytest.mark.slow
def test_what_the_processor_would_emulate_is_measured_only_when_asked_for(measure) -> None:
    found = measure(precisions=None, device="cpu", minimum_steps=0, epochs=1)
    assert tuple(found.precisions) == native_precisions(torch.device("cpu"))


@pytest.mark.slow
def test_each_precision_is_trained_in_a_process_of_its_own(measure, tmp_path: Path) -> None:
    found = measure(precisions=("fp32", "bf16"), target=0.01, device="cpu")
    assert list(found.precisions) == ["fp32", "bf16"]
    assert found.memory_of == "process"
    for one in found.precisions.values():
        assert one.seconds_to_target is not None
        assert one.validation_accuracy is not None
        assert one.seconds_to_target.mean <= one.seconds_to_best.mean < one.seconds.mean
        assert one.utterances_per_second.mean > 0
        # torch alone takes more.
        assert one.peak_memory_bytes.mean > 50 * 2**20
        assert one.test_accuracy.mean > 0.5
    # The dataset stays, the checkpoints do not.
    assert [one.name for one in tmp_path.iterdir() if one.is_dir()] == ["dataset"]


@pytest.mark.slow
def test_a_target_that_is_not_reached_has_no_time(measure) -> None:
    found = measure(seeds=2, target=1.0, epochs=1, minimum_steps=0, learning_rate=1e-9)
    one = found.precisions["fp32"]
    assert one.seconds_to_target is None
    assert len(one.seconds.values) == len(one.epochs) == len(found.seeds) == 2


@pytest.mark.slow
def test_what_goes_wrong_in_the_process_is_one_line_here(measure) -> None:
    with pytest.raises(MeasuringError, match="^in fp32: .*/nowhere/at/all"):
        measure(base_model="/nowhere/at/all")


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"precisions": ("fp32", "int8")}, "there is no precision int8; take some of fp32, bf16"),
        ({"precisions": ()}, r"there is no precision \(none given\)"),
        ({"seeds": 0}, "--seeds is 0; at least one is needed"),
        ({"target": 96.5}, "--target is 96.5; it is a share of right answers, 0 to 1"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(
    measure, tmp_path: Path, asked: dict[str, object], reason: str
) -> None:
    with pytest.raises(SettingsError, match=reason):
        measure(**asked)
    assert not list(tmp_path.iterdir())


def test_a_dataset_without_a_test_is_refused_before_any_training(
    few_utterances: Path,
    tiny_train_settings: TrainSettings,
    data_settings: DataSettings,
    calibration_settings: CalibrationSettings,
    tmp_path: Path,
) -> None:
    with pytest.raises(SettingsError, match="holds out no test with intents"):
        benchmark_training(
            str(few_utterances),
            tmp_path / "bench",
            precisions=("fp32",),
            seeds=1,
            target=None,
            data_settings=data_settings,
            train_settings=tiny_train_settings,
            calibration_settings=calibration_settings,
        )


def test_the_task_ends_with_one_line_and_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        training_speed(Context(), "lamps.csv", precision="int8", folder=str(tmp_path))
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        "error: there is no precision int8; take some of fp32, bf16\n"
    )
