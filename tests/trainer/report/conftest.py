"""A report of the tiny model, and a browser to look at it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge_runtime.settings import load_settings
from trainer.config import DEFAULTS, GateSettings, ReportSettings
from trainer.report import Report, make_report, read_report

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1200,900",
)


@pytest.fixture(scope="session")
def report_settings() -> ReportSettings:
    """The defaults of section ``[report]``, with few draws."""
    return load_settings(
        ReportSettings, "report", defaults=DEFAULTS, environment={}, flags={"resamples": 200}
    )


@pytest.fixture(scope="session")
def gate_settings() -> GateSettings:
    """The defaults of section ``[gates]``."""
    return load_settings(GateSettings, "gates", defaults=DEFAULTS, environment={})


@pytest.fixture(scope="session")
def tiny_report_folder(
    tiny_line: Any,
    report_settings: ReportSettings,
    gate_settings: GateSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The report of the tiny model, made once; not to be changed."""
    folder = tmp_path_factory.mktemp("report") / "report"
    make_report(
        tiny_line.checkpoint,
        tiny_line.dataset,
        tiny_line.evaluation,
        folder,
        settings=report_settings,
        gates=gate_settings,
    )
    return folder


@pytest.fixture(scope="session")
def tiny_report(tiny_report_folder: Path) -> Report:
    """What the tiny model's report holds."""
    return read_report(tiny_report_folder)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Chromium without a window, with an empty profile of its own."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        missing = "chromium and chromedriver are not installed; see tests/install_programs.py"
        # Where everything is to be tested, nothing is left out in silence.
        if os.environ.get("EDGEWISE_ALL_TESTS") or os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = program
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # With the driver's path given, Selenium looks for none on the network.
    opened = Chrome(options=options, service=Service(driver))
    try:
        yield opened
    finally:
        opened.quit()


@pytest.fixture
def browser(chromium: Chrome) -> Chrome:
    """Chromium with an empty page, an empty log and a usual window."""
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.get("about:blank")
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    return chromium
