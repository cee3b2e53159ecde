"""What the trainer's tests share."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.settings import load_settings
from trainer.config import DEFAULTS, CheckSettings


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder with the public data sets, which are not the project's to ship."""
    folder = os.environ.get("EDGEWISE_DATA")
    if not folder:
        pytest.skip("EDGEWISE_DATA does not name a folder with clinc150/ and banking77/")
    return Path(folder)


@pytest.fixture(scope="session")
def still_base_model(tiny_base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base model without dropout, whose steps can be compared; not to be changed."""
    copy = tmp_path_factory.mktemp("still") / "tiny-bert"
    shutil.copytree(tiny_base_model, copy)
    path = copy / "config.json"
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    path.write_text(json.dumps(json.loads(path.read_text()) | none))
    return copy


@pytest.fixture(scope="session")
def check_settings() -> CheckSettings:
    """The defaults of section ``[check]``."""
    return load_settings(CheckSettings, "check", defaults=DEFAULTS, environment={})


@pytest.fixture
def first_state() -> Any:
    """The state of a training after its first step, for tests that only need there to be one."""
    import torch

    from trainer.training_state import TrainingState

    return TrainingState(
        epoch=1,
        step=1,
        best_epoch=1,
        batch_parts=1,
        history=(),
        schedule={},
        optimizer={"state": {}, "param_groups": []},
        weights={"a": torch.zeros(1)},
        average={},
        best={},
    )
