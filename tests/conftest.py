"""What tests of every package share."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from edge_runtime.settings import load_settings
from edge_runtime.storage import canonical_json
from trainer.config import DEFAULTS as TRAINER_DEFAULTS
from trainer.config import CalibrationSettings, DataSettings, TrainSettings

MODELS = Path(__file__).parent / "models"


def load_script(path: Path) -> ModuleType:
    """Import a script that belongs to no package."""
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session", autouse=True)
def own_records() -> Iterator[None]:
    """No test writes to the tracking server of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


@pytest.fixture(scope="session")
def make_tiny_bundle() -> Callable[..., Path]:
    """The function ``make_tiny_bundle(folder, ...)`` of tests/models/make_tiny_model.py."""
    make: Callable[..., Path] = load_script(MODELS / "make_tiny_model.py").make_tiny_bundle
    return make


@pytest.fixture(scope="session")
def built_tiny_bundle(
    make_tiny_bundle: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The tiny bundle, built once; not to be changed."""
    return make_tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle")


@pytest.fixture
def tiny_bundle(built_tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the tiny bundle for one test, which may change it.

    It answers "lights on" with lights_on, "play a song" with play_music, "will it rain" with
    weather; "open the door" is out of scope. Variants: int8, fp32.
    """
    copy = tmp_path / "tiny-bundle"
    shutil.copytree(built_tiny_bundle, copy)
    return copy


@pytest.fixture(scope="session")
def tiny_base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of two layers in the transformers layout; not to be changed."""
    script = load_script(MODELS / "make_tiny_base_model.py")
    made: Path = script.make_tiny_base_model(tmp_path_factory.mktemp("base") / "tiny-bert")
    return made


@pytest.fixture
def wide_base_model(tmp_path: Path) -> Path:
    """A random BERT of two layers, 768 numbers wide."""
    script = load_script(MODELS / "make_tiny_base_model.py")
    made: Path = script.make_tiny_base_model(tmp_path / "wide-bert", width=768)
    return made


@pytest.fixture(scope="session")
def tiny_family(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give a random base model of a family of tests/models/make_tiny_families.py, made once."""
    script = load_script(MODELS / "make_tiny_families.py")
    made: dict[str, Path] = {}

    def give(family: str) -> Path:
        if family not in made:
            folder = tmp_path_factory.mktemp("families") / f"tiny-{family}"
            made[family] = script.make_tiny_family(family, folder)
        return made[family]

    return give


@pytest.fixture(scope="session")
def tiny_utterances(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV for the tiny base model, not to be changed: 6 intents of 30 texts.

    Of each intent 20 texts are for training, 5 for validation and 5 for the test; validation
    and test have 6 texts out of scope each.
    """
    script = load_script(MODELS / "make_tiny_base_model.py")
    made: Path = script.make_tiny_utterances(tmp_path_factory.mktemp("utterances") / "small.csv")
    return made


class TinyLine(NamedTuple):
    """What the trainer makes of ``tiny_utterances`` with ``tiny_base_model``."""

    dataset: Path
    checkpoint: Path
    evaluation: Path


@pytest.fixture(scope="session")
def tiny_train_settings(tiny_base_model: Path) -> TrainSettings:
    """The defaults of section ``[train]``, for a training of half a second."""
    return load_settings(
        TrainSettings,
        "train",
        defaults=TRAINER_DEFAULTS,
        environment={},
        # One thread: for matrices this small, threads only wait for each other.
        flags={
            "base_model": str(tiny_base_model),
            "minimum_steps": 60,
            # A base model of random numbers knows nothing that is worth keeping.
            "initial_share": 0.0,
            "threads": 1,
            "device": "cpu",
        },
    )


@pytest.fixture(scope="session")
def calibration_settings() -> CalibrationSettings:
    """The defaults of section ``[calibration]``."""
    return load_settings(
        CalibrationSettings, "calibration", defaults=TRAINER_DEFAULTS, environment={}
    )


@pytest.fixture(scope="session")
def data_settings() -> DataSettings:
    """The defaults of section ``[data]``."""
    return load_settings(DataSettings, "data", defaults=TRAINER_DEFAULTS, environment={})


@pytest.fixture(scope="session")
def tiny_line(
    tiny_utterances: Path,
    data_settings: DataSettings,
    tiny_train_settings: TrainSettings,
    calibration_settings: CalibrationSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> TinyLine:
    """A dataset, a trained checkpoint and its evaluation, made once; not to be changed.

    Training, validation and test have 120, 36 and 36 texts; the model answers nearly all of
    those with an intent right.
    """
    from trainer.dataset import build_dataset
    from trainer.evaluate import evaluate
    from trainer.train import train

    folder = tmp_path_factory.mktemp("line")
    line = TinyLine(folder / "dataset", folder / "checkpoint", folder / "evaluation")
    build_dataset(str(tiny_utterances), line.dataset, settings=data_settings)
    train(line.dataset, line.checkpoint, settings=tiny_train_settings)
    evaluate(line.checkpoint, line.dataset, line.evaluation, settings=calibration_settings)
    return line


@pytest.fixture
def made_of_another(tmp_path: Path) -> Callable[[Path, str], Path]:
    """Copy a stage's folder, and let its document name another input than it was made of."""

    def copy(folder: Path, parent: str) -> Path:
        stray = tmp_path / f"{folder.name}-of-another-{parent}"
        shutil.copytree(folder, stray)
        (path,) = (found for found in stray.glob("*.json") if b'"parents"' in found.read_bytes())
        document = json.loads(path.read_bytes())
        document["parents"][parent] = "0" * 64
        path.write_bytes(canonical_json(document))
        return stray

    return copy


@pytest.fixture
def few_utterances(tmp_path: Path) -> Path:
    """A CSV of two intents with three texts each: nothing of it is held out."""
    path = tmp_path / "few.csv"
    rows = (f"{what} {number},{what}\n" for what in ("lamp", "song") for number in range(3))
    path.write_text("text,intent\n" + "".join(rows), encoding="utf-8")
    return path


@pytest.fixture
def mount_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """The function ``mount_disk(size)``: a file system of its own of that size, such as ``64k``."""
    folder = tmp_path / "disk"

    def mount(size: str) -> Path:
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if (
            os.name != "posix"
            or subprocess.run(command, capture_output=True, check=False).returncode
        ):
            folder.rmdir()
            pytest.skip("this user may not mount a file system")
        return folder

    yield mount
    if folder.is_dir():
        # Lazily, because a stage's process may still be closing its files.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
