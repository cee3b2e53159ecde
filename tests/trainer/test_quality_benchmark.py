"""Means over seeds, on the test."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch

from edge_runtime.errors import SettingsError
from edge_runtime.settings import load_settings
from trainer.checkpoint import read_checkpoint
from trainer.config import (
    DEFAULTS,
    CalibrationSettings,
    DataSettings,
    DistillationSettings,
    SoupSettings,
    TrainSettings,
)
from trainer.dataset import read_dataset
from trainer.devices import choose_precision
from trainer.evaluate import read_evaluation
from trainer.quality_benchmark import QualityResult, benchmark_quality


@pytest.fixture
def quick(tiny_train_settings: TrainSettings) -> TrainSettings:
    return msgspec.structs.replace(tiny_train_settings, epochs=1, minimum_steps=20)


def benchmark(
    utterances: Path,
    folder: Path,
    settings: tuple[DataSettings, TrainSettings, CalibrationSettings],
    *,
    protocol: str,
    seeds: int,
    trainings: int = 1,
) -> QualityResult:
    of_data, of_training, of_calibration = settings
    return benchmark_quality(
        str(utterances),
        folder,
        protocol=protocol,
        seeds=seeds,
        data_settings=of_data,
        train_settings=of_training,
        calibration_settings=of_calibration,
        soup=SoupSettings(trainings=trainings),
    )


@pytest.fixture
def settings(
    data_settings: DataSettings, quick: TrainSettings, calibration_settings: CalibrationSettings
) -> tuple[DataSettings, TrainSettings, CalibrationSettings]:
    return data_settings, quick, calibration_settings


def test_every_measure_has_a_value_for_each_seed(
    tiny_utterances: Path,
    tmp_path: Path,
    settings: tuple[DataSettings, TrainSettings, CalibrationSettings],
) -> None:
    result = benchmark(tiny_utterances, tmp_path, settings, protocol="full", seeds=2)
    assert set(result.measures) == {
        "in_scope_accuracy",
        "macro_f1",
        "ece",
        "in_scope_rejected",
        "overall_accuracy",
        "oos_auroc",
        "oos_fpr95",
        "oos_recall",
    }
    for spread in result.measures.values():
        first, second = spread.values
        assert spread.mean == spread.median == pytest.approx((first + second) / 2)
        assert spread.sd == pytest.approx(abs(first - second) / 2**0.5)
    assert result.measures["ece"].sd > 0
    assert (result.seeds, result.protocol) == ((1, 2), "full")
    assert result.parameters > 80_000
    assert result.precisions == (choose_precision(settings[1].precision, torch.device("cpu")),)


def test_what_texts_out_of_scope_would_tell_is_left_out_without_any(
    tiny_utterances: Path,
    tmp_path: Path,
    settings: tuple[DataSettings, TrainSettings, CalibrationSettings],
) -> None:
    rows = tiny_utterances.read_text().splitlines()
    within = tmp_path / "within.csv"
    within.write_text("\n".join(row for row in rows if ",oos" not in row) + "\n")
    result = benchmark(within, tmp_path / "bench", settings, protocol="full", seeds=1)
    assert set(result.measures) == {
        "in_scope_accuracy",
        "macro_f1",
        "ece",
        "in_scope_rejected",
        "overall_accuracy",
    }


@pytest.mark.parametrize(("protocol", "shots"), [("fewshot-5", 5), ("fewshot-10", 10)])
def test_a_few_shot_protocol_draws_that_many_of_each_intent_anew_for_each_seed(
    tiny_utterances: Path,
    tmp_path: Path,
    settings: tuple[DataSettings, TrainSettings, CalibrationSettings],
    protocol: str,
    shots: int,
) -> None:
    result = benchmark(tiny_utterances, tmp_path, settings, protocol=protocol, seeds=2)
    whole = read_dataset(tmp_path / "dataset")
    drawn = [read_dataset(tmp_path / f"{protocol}-{seed}" / "dataset") for seed in (1, 2)]
    for one in drawn:
        assert sorted(one.train.intents) == sorted(
            label for label in whole.labels for _ in range(shots)
        )
        assert set(one.train.texts) <= set(whole.train.texts)
        assert one.test == whole.test
        assert one.validation.texts == []
    assert drawn[0].train.texts != drawn[1].train.texts
    # Fitted on nothing that the protocol does not grant.
    evaluation = read_evaluation(tmp_path / f"{protocol}-1" / "checkpoint-evaluation")
    assert (evaluation.basis.in_scope, evaluation.basis.threshold) == (0, "default")
    assert evaluation.basis.out_of_scope_training == 0
    assert {"in_scope_accuracy", "ece", "oos_auroc", "overall_accuracy"} < set(result.measures)
    assert (result.variant, result.bytes, result.missed_gates) == (None, None, ())


def test_a_benchmark_that_was_interrupted_goes_on(
    tiny_utterances: Path,
    tmp_path: Path,
    settings: tuple[DataSettings, TrainSettings, CalibrationSettings],
) -> None:
    one = benchmark(tiny_utterances, tmp_path, settings, protocol="full", seeds=1)
    document = (tmp_path / "full-1" / "checkpoint" / "checkpoint.json").stat()
    assert one.seconds is not None
    (tmp_path / "full-1" / "checkpoint.seconds.json").unlink()
    two = benchmark(tiny_utterances, tmp_path, settings, protocol="full", seeds=2)
    # A mean of what is known of one training alone would not be that of both.
    assert two.seconds is None
    assert (tmp_path / "full-1" / "checkpoint" / "checkpoint.json").stat() == document
    for name, spread in one.measures.items():
        assert two.measures[name].values[0] == spread.values[0]


@pytest.mark.parametrize(
    ("protocol", "seeds", "said"),
    [
        ("zero-shot", 1, "no protocol 'zero-shot'; take one of full, fewshot-5, fewshot-10"),
        ("full", 0, "--seeds is 0; at least one"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_any_work(
    tiny_utterances: Path,
    tmp_path: Path,
    settings: tuple[DataSettings, TrainSettings, CalibrationSettings],
    protocol: str,
    seeds: int,
    said: str,
) -> None:
    with pytest.raises(SettingsError, match=said):
        benchmark(tiny_utterances, tmp_path, settings, protocol=protocol, seeds=seeds)
    assert list(tmp_path.iterdir()) == []


def test_a_student_of_each_model_is_measured_instead_of_the_model(
    tiny_utterances: Path,
    tmp_path: Path,
    settings: tuple[DataSettings, TrainSettings, CalibrationSettings],
) -> None:
    of_data, of_training, of_calibration = settings
    distillation = load_settings(
        DistillationSettings,
        "distillation",
        defaults=DEFAULTS,
        environment={},
        flags={"tier": "static", "static_width": 8},
    )
    result = benchmark_quality(
        str(tiny_utterances),
        tmp_path,
        protocol="full",
        seeds=1,
        data_settings=of_data,
        train_settings=of_training,
        calibration_settings=of_calibration,
        soup=SoupSettings(trainings=1),
        distillation=distillation,
    )
    teacher = read_checkpoint(tmp_path / "full-1" / "checkpoint").artifact
    assert result.parameters < teacher.document.result["parameters"] / 2
    assert result.settings["distillation"]["tier"] == "static"


def test_a_dataset_without_a_test_is_refused_before_any_training(
    few_utterances: Path,
    tmp_path: Path,
    settings: tuple[DataSettings, TrainSettings, CalibrationSettings],
) -> None:
    with pytest.raises(SettingsError, match="holds out no test with intents"):
        benchmark(few_utterances, tmp_path / "bench", settings, protocol="full", seeds=1)
    assert not (tmp_path / "bench" / "full-1").exists()


def test_models_may_each_be_the_mean_of_several_trainings(
    tiny_utterances: Path,
    tmp_path: Path,
    settings: tuple[DataSettings, TrainSettings, CalibrationSettings],
) -> None:
    single = benchmark(tiny_utterances, tmp_path, settings, protocol="full", seeds=1)
    assert "soup" not in single.settings
    alone = (tmp_path / "full-1" / "checkpoint" / "checkpoint.json").stat()
    result = benchmark(tiny_utterances, tmp_path, settings, protocol="full", seeds=1, trainings=2)
    assert result.settings["soup"] == {"trainings": 2}
    mean = read_checkpoint(tmp_path / "full-1" / "checkpoint-mean-of-2").artifact
    # The first of them was measured by itself, and was not trained again.
    assert (tmp_path / "full-1" / "checkpoint" / "checkpoint.json").stat() == alone
    first = read_checkpoint(tmp_path / "full-1" / "checkpoint").artifact
    assert mean.document.result["trainings"][0]["checkpoint"] == first.digest
    assert result.parameters == single.parameters
    assert result.seconds > single.seconds
    assert result.precisions == single.precisions != ()
    # A mean that is up to date still tells what its trainings took.
    again = benchmark(tiny_utterances, tmp_path, settings, protocol="full", seeds=1, trainings=2)
    assert again.seconds == result.seconds
    assert (tmp_path / "full-1" / "checkpoint-mean-of-2-evaluation").is_dir()


def test_a_student_that_is_a_mean_has_a_teacher_that_is_one(
    tiny_utterances: Path,
    tmp_path: Path,
    settings: tuple[DataSettings, TrainSettings, CalibrationSettings],
) -> None:
    of_data, of_training, of_calibration = settings
    benchmark_quality(
        str(tiny_utterances),
        tmp_path,
        protocol="full",
        seeds=1,
        data_settings=of_data,
        train_settings=of_training,
        calibration_settings=of_calibration,
        soup=SoupSettings(trainings=2),
        distillation=load_settings(
            DistillationSettings,
            "distillation",
            defaults=DEFAULTS,
            environment={},
            flags={"tier": "static", "static_width": 8},
        ),
    )
    place = tmp_path / "full-1"
    teacher = read_checkpoint(place / "checkpoint-mean-of-2").artifact
    student = read_checkpoint(place / "static-mean-of-2").artifact
    assert student.document.parents["teacher"] == teacher.digest
    assert student.document.settings["soup"] == {"trainings": 2}
