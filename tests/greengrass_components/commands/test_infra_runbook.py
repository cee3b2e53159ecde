"""The runbook's commands do what it says, on the whole stack in an emulator."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from greengrass_components.emulator import start_emulator

ROOT = Path(__file__).resolve().parents[3]
RUNBOOK = ROOT / "docs/runbook.md"
STATE_BUCKET = "slm-terraform-state-dev-123456789012-eu-central-1"
ALIAS = "alias/edgewise-dev-signing"


def commands(task: str) -> list[list[str]]:
    """What the runbook says after ``./inv`` in every line with this task, for dev."""
    found = re.findall(rf"^ *\$ \./inv ({re.escape(task)} .*)$", RUNBOOK.read_text(), re.MULTILINE)
    return [shlex.split(line.replace("--env prod", "--env dev")) for line in found]


@pytest.mark.slow
@pytest.mark.terraform
@pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no Terraform here")
def test_the_signing_key_is_replaced_as_the_runbook_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inv(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [sys.executable, "-m", "invoke", "--search-root", str(ROOT), *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result

    def signing_key() -> str:
        told = boto3.client("kms").describe_key(KeyId=ALIAS)["KeyMetadata"]
        return str(told["KeyId"])

    (plan,) = [line for line in commands("infra.plan") if "--replace" in line]
    (apply,) = [line for line in commands("infra.apply") if "--replace" in line]
    with start_emulator(tmp_path / "emulator") as emulator:
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        boto3.client("s3").create_bucket(
            Bucket=STATE_BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        inv("infra.apply")
        old = signing_key()

        told = json.loads(inv(*plan, "--json").stdout)
        assert [(loss["action"], loss["address"]) for loss in told["losses"]] == [
            ("replace", plan[-1])
        ]
        # Nobody is at a terminal here, so nobody can type the name.
        assert "--confirm edgewise-dev" in inv(*apply, code=1).stderr
        assert signing_key() == old
        inv(*apply, "--confirm", "edgewise-dev")

        assert signing_key() != old
        deleted = boto3.client("kms").describe_key(KeyId=old)["KeyMetadata"]
        assert deleted["KeyState"] == "PendingDeletion"
        assert json.loads(inv("infra.plan", "--json").stdout)["empty"]
