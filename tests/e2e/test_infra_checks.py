"""The task that checks the whole cloud side, run as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def infra_test(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "invoke", "--search-root", str(ROOT), "infra.test", "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.slow
@pytest.mark.terraform
@pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no Terraform here")
@pytest.mark.timeout(3600)
def test_the_cloud_side_passes_every_check_without_an_account(tmp_path: Path) -> None:
    # Settings of a real account, which must not be used; and no limit of time, because how long
    # an apply takes says nothing while other tests run beside it.
    result = infra_test(
        tmp_path,
        AWS_PROFILE="nobody",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        EDGEWISE_INFRA_TEST_APPLY_LIMIT_S="3600",
    )

    assert result.returncode == 0, result.stdout + result.stderr
    told = json.loads(result.stdout)
    if "skipped" in told:
        pytest.skip(told["skipped"])
    assert told["failures"] == []
    assert told["resources"] > 90
    assert told["second_plan_changes"] == told["left_after_destroy"] == 0
    assert told["policy_rows"] >= 80
    assert told["policy_failures"] == 0
    assert told["checkov"]["passed"] > 100
    assert told["checkov"]["failed"] == 0
    assert told["terraform_tests"]["passed"] > 50


def test_a_machine_without_terraform_is_told_what_was_skipped(tmp_path: Path) -> None:
    result = infra_test(tmp_path, PATH=str(tmp_path))

    assert result.returncode == 0
    assert result.stderr.splitlines()[-1].startswith("skipped: cannot run 'terraform'")
    assert "install Terraform" in json.loads(result.stdout)["skipped"]
