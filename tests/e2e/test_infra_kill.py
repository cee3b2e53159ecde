"""Applies that are killed at any moment: the next one converges, and a lock is never broken.

Half of the kills hit ``inv`` alone: Terraform then finishes by itself, and the next apply
waits for it. The other half hit Terraform and its provider too, as a power cut does: the
state's lock stays, resources exist that the state does not know, and somebody has to free
the lock on purpose before the next apply takes those resources over, or the next destroy
deletes them.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import psutil
import pytest

from greengrass_components.emulator import Emulator, start_emulator
from greengrass_components.infrastructure.account import find_caller
from greengrass_components.infrastructure.census import take_census

pytestmark = [
    pytest.mark.slow,
    pytest.mark.terraform,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no Terraform here"),
]

ROOT = Path(__file__).resolve().parents[2]
FULL = ("--var-file", str(ROOT / "terraform/examples/full.tfvars"))
"""Everything that can be switched on."""

KILLS = 5
"""For each set of values."""

LONGEST_APPLY_SECONDS = 90.0


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with start_emulator(tmp_path / "emulator") as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        yield running


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "invoke", "--search-root", str(ROOT), *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def inv(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    process = start(folder, *arguments)
    out, err = process.communicate()
    assert process.returncode == code, out + err
    return subprocess.CompletedProcess(arguments, code, out, err)


def everything_in(folder: Path) -> list[psutil.Process]:
    """Terraform and its provider, whoever started them."""
    place = str(folder.resolve())
    return [
        process
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["cwd"] == place and process.info["name"].startswith("terraform")
    ]


def power_cut(folder: Path) -> None:
    for process in everything_in(folder):
        process.kill()


def free_the_lock(folder: Path, *arguments: str) -> None:
    """Be refused, and do what the refusal says."""
    refused = start(folder, *arguments, "--confirm", "edgewise-dev")
    out, err = refused.communicate(timeout=60)
    assert refused.returncode == 1, out + err
    last = err.strip().splitlines()[-1]
    assert re.search(r"locked by \S+@\S+ since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(\w+\)", last)
    lock_id = re.search(r"infra\.unlock --lock-id (\S+)", last)
    assert lock_id is not None
    inv(folder, "infra.unlock", "--lock-id", lock_id[1])


def is_locked() -> bool:
    listed = boto3.client("s3").list_objects_v2(
        Bucket="slm-terraform-state-dev-123456789012-eu-central-1"
    )
    return any(entry["Key"].endswith(".tflock") for entry in listed.get("Contents", []))


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("values", [(), FULL], ids=["as committed", "everything"])
def test_kills_at_random_moments_and_the_next_apply_converges(
    tmp_path: Path, emulator: Emulator, values: tuple[str, ...]
) -> None:
    inv(tmp_path, "infra.bootstrap")
    before = take_census(find_caller())
    work = tmp_path / "build/infra/dev"
    chance = random.Random(10 + len(values))
    killed = locks = 0
    while killed < KILLS:
        process = start(tmp_path, "infra.apply", *values, "--confirm", "edgewise-dev")
        try:
            out, err = process.communicate(timeout=chance.uniform(2.0, LONGEST_APPLY_SECONDS))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            killed += 1
            if killed % 2:
                power_cut(work)
        else:
            # All is made: begin again, so that every kill meets something to do.
            assert process.returncode == 0, out + err
            inv(tmp_path, "infra.destroy", *values, "--confirm", "edgewise-dev")
        if killed % 2 and is_locked():
            free_the_lock(tmp_path, "infra.apply", *values)
            locks += 1

    last = inv(tmp_path, "infra.apply", *values, "--confirm", "edgewise-dev", "--json")

    assert json.loads(last.stdout)["outputs"]["artifact_bucket"] in {
        bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]
    }
    assert json.loads(inv(tmp_path, "infra.plan", *values, "--json").stdout)["empty"]
    assert locks, "no kill left a lock: the moments were badly chosen"
    inv(tmp_path, "infra.destroy", *values, "--confirm", "edgewise-dev")
    assert take_census(find_caller()) - before == frozenset()
    assert everything_in(work) == []


def made_so_far() -> int:
    return len(take_census(find_caller()))


@pytest.mark.timeout(1200)
def test_a_destroy_after_a_kill_leaves_nothing(tmp_path: Path, emulator: Emulator) -> None:
    inv(tmp_path, "infra.bootstrap")
    before = take_census(find_caller())
    process = start(tmp_path, "infra.apply", *FULL)
    # Half of the stack, before the state is saved for the first time.
    deadline = time.monotonic() + 120
    while made_so_far() < len(before) + 40 and time.monotonic() < deadline:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    power_cut(tmp_path / "build/infra/dev")
    process.communicate()
    if is_locked():
        free_the_lock(tmp_path, "infra.destroy", *FULL)
    assert made_so_far() >= len(before) + 40

    gone = inv(tmp_path, "infra.destroy", *FULL, "--confirm", "edgewise-dev", "--json")

    assert json.loads(gone.stdout)["adopt"] > 0
    assert take_census(find_caller()) - before == frozenset()
