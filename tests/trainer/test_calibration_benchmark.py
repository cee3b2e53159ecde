"""The comparison of ways to calibrate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from invoke.context import Context
from scipy.special import softmax

from edge_runtime.errors import SettingsError
from trainer.benchmark_record import read_record
from trainer.calibration import PRIOR_TEMPERATURE, PRIOR_WEIGHT, fit_temperature
from trainer.calibration_benchmark import METHODS, benchmark_calibration
from trainer.commands.benchmarks import calibration
from trainer.measures import expected_calibration_error


def drawn(rows: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are three times too large, and truths drawn from the right ones."""
    chance = np.random.default_rng(seed)
    right = chance.normal(size=(rows, 4)) * 2
    shares = np.exp(right) / np.exp(right).sum(axis=1, keepdims=True)
    truth = np.array([chance.choice(4, p=share) for share in shares])
    return right * 3, truth


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"none"}))
def test_every_method_mends_logits_that_are_too_large(name: str) -> None:
    known, new = drawn(3000, seed=1), drawn(3000, seed=2)
    before = expected_calibration_error(*METHODS["none"](*known, *new))
    after = expected_calibration_error(*METHODS[name](*known, *new))
    assert before > 0.15
    assert after < 0.04


def test_the_temperature_is_fitted_as_the_calibration_does_it() -> None:
    known, new = drawn(30, seed=1), drawn(30, seed=2)
    temperature = fit_temperature(
        known[0].astype(np.float32), known[1], believed=PRIOR_TEMPERATURE, weight=PRIOR_WEIGHT
    )
    shares = softmax(new[0] / temperature, axis=1)
    assert np.allclose(METHODS["temperature"](*known, *new)[0], shares.max(axis=1))
    assert not np.allclose(METHODS["temperature-alone"](*known, *new)[0], shares.max(axis=1))


def test_the_result_is_repeatable_and_holds_every_method(tiny_line) -> None:
    once, again = (
        benchmark_calibration(
            tiny_line.checkpoint, tiny_line.dataset, tiny_line.evaluation, repeats=2
        )
        for _ in range(2)
    )
    assert once == again
    assert set(once.confidences) == {
        "none", "temperature", "temperature-alone", "vector", "isotonic", "histogram",
    }  # fmt: skip
    assert (once.utterances, once.repeats) == (30, 2)
    # Thirty utterances are too few for any size of threshold.
    assert once.thresholds == {}


def test_the_task_prints_one_json_object(tiny_line, capsys: pytest.CaptureFixture[str]) -> None:
    calibration(
        Context(),
        checkpoint=str(tiny_line.checkpoint),
        dataset=str(tiny_line.dataset),
        evaluation=str(tiny_line.evaluation),
        repeats=1,
        json=True,
    )
    told = json.loads(capsys.readouterr().out)
    assert set(told["confidences"]["temperature"]) == {"ece", "ece_sd", "brier", "accuracy"}


def test_the_task_writes_a_record_without_folders_of_this_machine(
    tiny_line, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calibration(
        Context(),
        checkpoint=str(tiny_line.checkpoint),
        dataset=str(tiny_line.dataset),
        evaluation=str(tiny_line.evaluation),
        repeats=1,
        output=str(tmp_path / "calibration.json"),
        data_set="Lamps",
        json=True,
    )
    record = read_record(tmp_path / "calibration.json")
    assert (record.task, record.data_set) == ("bench.calibration", "Lamps")
    assert record.result == json.loads(capsys.readouterr().out)
    assert str(tiny_line.checkpoint.parent) not in (tmp_path / "calibration.json").read_text()


def test_without_a_repeat_nothing_is_compared(tiny_line) -> None:
    folders: tuple[Path, Path, Path] = tiny_line
    dataset, checkpoint, evaluation = folders
    with pytest.raises(SettingsError, match="0 repeats over 30 in-scope"):
        benchmark_calibration(checkpoint, dataset, evaluation, repeats=0)
