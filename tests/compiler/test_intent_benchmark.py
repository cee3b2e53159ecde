"""What an added intent costs the others."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from compiler.config import DEFAULTS as COMPILER_DEFAULTS
from compiler.config import BundleSettings, CompileSettings
from compiler.intent_benchmark import LineSettings, benchmark_addition
from edge_runtime.errors import SettingsError
from edge_runtime.settings import load_settings
from trainer.config import DEFAULTS, CalibrationSettings, DataSettings, TrainSettings
from trainer.dataset import read_dataset


@pytest.fixture
def settings(
    tiny_train_settings: TrainSettings, calibration_settings: CalibrationSettings
) -> LineSettings:
    return LineSettings(
        data=load_settings(DataSettings, "data", defaults=DEFAULTS, environment={}),
        train=tiny_train_settings,
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
            # With so few intents a new one changes every confidence.
            flags={"golden_samples": 4, "golden_tolerance": 0.5},
        ),
    )


def test_intents_that_training_never_saw_are_added_and_measured(
    tiny_utterances: Path, settings: LineSettings, tmp_path: Path
) -> None:
    result = benchmark_addition(
        str(tiny_utterances), tmp_path, intents=2, examples=10, seed=1, settings=settings
    )
    assert len(result.intents) == 2
    assert set(read_dataset(tmp_path / "dataset").labels).isdisjoint(result.intents)
    assert result.others_before > 0.9
    assert len(result.others_fall.values) == 2 - len(result.refused)
    assert result.found.mean > 0.5
    assert all(one > 0 for one in result.seconds.values)


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
        )
    assert not (tmp_path / "checkpoint").exists()


def test_the_same_seed_leaves_out_the_same_intents_and_trains_once(
    tiny_utterances: Path, settings: LineSettings, tmp_path: Path
) -> None:
    quick = settings._replace(train=msgspec.structs.replace(settings.train, minimum_steps=30))
    first, second = (
        benchmark_addition(
            str(tiny_utterances), tmp_path, intents=1, examples=10, seed=2, settings=quick
        )
        for _ in range(2)
    )
    assert first.intents == second.intents
    assert first.others_fall == second.others_fall
    assert first.found == second.found
