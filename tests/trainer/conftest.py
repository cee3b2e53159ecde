"""What the trainer's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_runtime.settings import load_settings
from trainer.config import DEFAULTS, CheckSettings, DataSettings


@pytest.fixture(scope="session")
def data_settings() -> DataSettings:
    """The defaults of section ``[data]``."""
    return load_settings(DataSettings, "data", defaults=DEFAULTS, environment={})


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder with the public data sets, which are not the project's to ship."""
    folder = os.environ.get("EDGEWISE_DATA")
    if not folder:
        pytest.skip("EDGEWISE_DATA does not name a folder with clinc150/ and banking77/")
    return Path(folder)


@pytest.fixture(scope="session")
def check_settings() -> CheckSettings:
    """The defaults of section ``[check]``."""
    return load_settings(CheckSettings, "check", defaults=DEFAULTS, environment={})
