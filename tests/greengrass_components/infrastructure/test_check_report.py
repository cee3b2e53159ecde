"""What counts as wrong in a report on the cloud side."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.errors import SettingsError
from greengrass_components.infrastructure import check_report
from greengrass_components.infrastructure.check_report import (
    CheckReport,
    StackReport,
    load_check_settings,
)
from greengrass_components.infrastructure.checkov import CheckovReport


def report(*, apply_seconds: float = 60.0, apply_limit_seconds: float = 180.0) -> CheckReport:
    stack = StackReport(
        resources=100,
        apply_seconds=apply_seconds,
        apply_limit_seconds=apply_limit_seconds,
        second_plan=(),
        left=(),
        policy_rows=80,
        policy_failures=(),
        out_of_date=(),
    )
    return CheckReport(
        badly_formatted=(),
        tests=check_report.TestsReport(passed=1, failed=()),
        stack=stack,
        checkov=CheckovReport(passed=1, failed=(), waived=()),
    )


def test_an_apply_within_its_limit_is_no_failure() -> None:
    assert report(apply_seconds=180.0).failures == ()


def test_an_apply_over_its_limit_is_a_failure() -> None:
    slow = report(apply_seconds=46.0, apply_limit_seconds=45.0)
    failure = "too slow: the apply took 46.0 s, 45 s are allowed"

    assert slow.failures == (failure,)
    assert (slow.summary["apply_seconds"], slow.summary["apply_limit_seconds"]) == (46.0, 45.0)
    assert slow.summary["failures"] == (failure,)
    assert "100 resources applied in 46 s (45 s are allowed)" in slow.lines[1]
    assert slow.lines[-1].strip() == failure


def test_the_limit_is_three_minutes_unless_a_project_says_otherwise(tmp_path: Path) -> None:
    assert load_check_settings(project_folder=tmp_path).apply_limit_s == 180.0

    (tmp_path / "edgewise.toml").write_text("[infra_test]\napply_limit_s = 400\n")
    assert load_check_settings(project_folder=tmp_path).apply_limit_s == 400.0


def test_no_time_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "edgewise.toml").write_text("[infra_test]\napply_limit_s = 0\n")

    with pytest.raises(SettingsError, match=r"infra_test\.apply_limit_s"):
        load_check_settings(project_folder=tmp_path)
