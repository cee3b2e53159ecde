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
