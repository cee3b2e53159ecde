"""What tests of every package share."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

MODELS = Path(__file__).parent / "models"


def load_script(path: Path) -> ModuleType:
    """Import a script that belongs to no package."""
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


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
    """A random BERT of some kilobytes in the transformers layout; not to be changed."""
    make: Callable[[Path], Path] = load_script(
        MODELS / "make_tiny_base_model.py"
    ).make_tiny_base_model
    return make(tmp_path_factory.mktemp("base") / "tiny-base-model")


@pytest.fixture(scope="session")
def tiny_utterances(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of six intents with 30 texts each and a column that names the split."""
    wordings = {
        "light_on": "switch on the light in room {n}",
        "light_off": "{n} lamp off please",
        "play_music": "play some music number {n}",
        "open_door": "open door {n} now",
        "set_timer": "set a timer for {n} minutes",
        "ask_weather": "what is the weather today at {n}",
    }
    rows = ["text,intent,split"]
    for intent, wording in wordings.items():
        for number in range(30):
            split = {0: "validation", 1: "test"}.get(number % 5, "train")
            rows.append(f"{wording.format(n=number)},{intent},{split}")
    rows += [f"will you marry me {number},oos,test" for number in range(12)]
    path = tmp_path_factory.mktemp("utterances") / "utterances.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of two layers in the transformers layout; not to be changed."""
    script = load_script(MODELS / "make_tiny_base_model.py")
    made: Path = script.make_tiny_base_model(tmp_path_factory.mktemp("base") / "tiny-bert")
    return made


@pytest.fixture(scope="session")
def tiny_utterances(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV for the tiny base model, not to be changed: 6 intents of 30 texts.

    Of each intent 20 texts are for training, 5 for validation and 5 for the test; validation
    and test have 6 texts out of scope each.
    """
    script = load_script(MODELS / "make_tiny_base_model.py")
    made: Path = script.make_tiny_utterances(tmp_path_factory.mktemp("utterances") / "small.csv")
    return made
