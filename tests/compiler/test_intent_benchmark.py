"""What an added intent costs the others."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from compiler.config import DEFAULTS as COMPILER_DEFAULTS
from compiler.config import BundleSettings, CompileSettings, IntentSettings, LineSettings
from compiler.intent_benchmark import benchmark_addition
from edge_runtime.bundle import open_bundle
from edge_runtime.errors import SettingsError
from edge_runtime.settings import load_settings
from trainer.config import (
    DEFAULTS,
    CalibrationSettings,
    DataSettings,
    SoupSettings,
    TrainSettings,
)
from trainer.dataset import read_dataset

# An encoder that was never pretrained scatters new intents among the others.
TAKEN = IntentSettings(taken=0.4)
ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "invoke", f"--search-root={ROOT}", "intent.add"]


@pytest.fixture
def settings(
    tiny_train_settings: TrainSettings, calibration_settings: CalibrationSettings
) -> LineSettings:
    return LineSettings(
        data=load_settings(DataSettings, "data", defaults=DEFAULTS, environment={}),
        train=tiny_train_settings,
        soup=SoupSettings(trainings=1),
        calibration=calibration_settings,
        compile=load_settings(
            CompileSettings,
            "compile",
            defaults=COMPILER_DEFAULTS,
            environment={},
            flags={"variants": ("fp32",)},
        ),
        bundle=load_settings(
            BundleSettings,
            "bundle",
            defaults=COMPILER_DEFAULTS,
            environment={},
            flags={"golden_samples": 4},
        ),
    )


def test_when_none_can_be_added_it_says_so(
    tiny_utterances: Path, settings: LineSettings, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="none of 2 intents could be added"):
        benchmark_addition(
            str(tiny_utterances),
            tmp_path,
            intents=2,
            examples=10,
            seed=1,
            settings=settings,
            of_intent=IntentSettings(taken=0.001),
            command=COMMAND,
        )
    assert (tmp_path / "bundle").is_dir()


@pytest.mark.parametrize(
    ("intents", "examples", "reason"),
    [
        (0, 5, "--intents is 0; of 6 intents 1 to 4 can be left out"),
        (5, 5, "--intents is 5"),
        (1, 21, "has 20 training utterances, --examples asks for 21"),
    ],
)
def test_too_few_of_anything_is_refused_before_training(
    tiny_utterances: Path,
    settings: LineSettings,
    tmp_path: Path,
    intents: int,
    examples: int,
    reason: str,
) -> None:
    with pytest.raises(SettingsError, match=reason):
        benchmark_addition(
            str(tiny_utterances),
            tmp_path,
            intents=intents,
            examples=examples,
            seed=1,
            settings=settings,
            of_intent=TAKEN,
            command=COMMAND,
        )
    assert not (tmp_path / "checkpoint").exists()


def test_a_dataset_without_a_test_is_refused_before_training(
    settings: LineSettings, tmp_path: Path
) -> None:
    rows = (f"{what} {row},{what}\n" for what in ("lamp", "song", "rain") for row in range(3))
    (tmp_path / "few.csv").write_text("text,intent\n" + "".join(rows))
    with pytest.raises(SettingsError, match="holds out no test with intents"):
        benchmark_addition(
            str(tmp_path / "few.csv"),
            tmp_path,
            intents=1,
            examples=2,
            seed=1,
            settings=settings,
            of_intent=TAKEN,
            command=COMMAND,
        )
    assert not (tmp_path / "checkpoint").exists()


def test_intents_that_training_never_saw_are_added_and_measured_the_same_each_time(
    tiny_utterances: Path, settings: LineSettings, tmp_path: Path
) -> None:
    quick = settings._replace(train=msgspec.structs.replace(settings.train, minimum_steps=30))
    first, second = (
        benchmark_addition(
            str(tiny_utterances),
            tmp_path,
            intents=1,
            examples=10,
            seed=2,
            settings=quick,
            of_intent=TAKEN,
            command=COMMAND,
        )
        for _ in range(2)
    )
    assert first.intents == second.intents
    assert first.others_fall == second.others_fall
    assert first.found == second.found
    assert set(read_dataset(tmp_path / "dataset").labels).isdisjoint(first.intents)
    assert 0.5 < first.before.answered <= first.before.accuracy
    assert first.before.answered + first.before.rejected <= 1.0
    assert len(first.others_fall.values) + len(first.refused) == len(first.found.values) == 1
    assert first.found.mean <= first.found_best.mean
    assert all(one > 0 for one in first.seconds.values)
    assert len(first.command_seconds.values) == 1
    added = open_bundle(tmp_path / "added").manifest
    assert added.labels[-1:] == first.intents
    assert first.seed == 2
    assert first.data == read_dataset(tmp_path / "whole").digest
    stages = {"data", "train", "soup", "calibration", "compile", "bundle", "intent"}
    assert set(first.settings) == stages
    assert first.settings["intent"] == {"taken": 0.4}
