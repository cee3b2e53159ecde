"""The tasks of the namespace cloud, as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3

PROGRAM = (
    "from invoke.program import Program\n"
    "from greengrass_components.commands.cloud import namespace\n"
    "Program(namespace=namespace).run()\n"
)


def run(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result


def test_an_emulator_is_started_found_and_stopped_by_three_commands(tmp_path: Path) -> None:
    try:
        exports = run(tmp_path, "start").stdout.splitlines()
        told = json.loads(run(tmp_path, "status", "--json").stdout)
    finally:
        stopped = json.loads(run(tmp_path, "stop", "--json").stdout)

    assert f"export AWS_ENDPOINT_URL={told['endpoint']}" in exports
    assert told["running"]
    assert stopped == {"stopped": True}
    assert "no emulator is running" in run(tmp_path, "status").stdout


def test_a_stop_with_nothing_to_stop_is_no_error(tmp_path: Path) -> None:
    assert run(tmp_path, "stop").stdout == "no emulator is running\n"


def test_an_emulator_that_keeps_its_state_says_so_and_is_not_confused_with_another(
    tmp_path: Path,
) -> None:
    try:
        run(tmp_path, "start")
        assert "gone with it" in run(tmp_path, "status").stdout
        refused = run(tmp_path, "start", "--keep", code=1)
        assert "stop it first with cloud.stop" in refused.stderr
        run(tmp_path, "stop")

        told = json.loads(run(tmp_path, "start", "--keep", "--json").stdout)
        assert told["keeps_state"]
        assert "kept over a restart" in run(tmp_path, "status").stdout
    finally:
        run(tmp_path, "stop")


def test_what_was_made_is_there_after_a_stop_and_a_start(tmp_path: Path) -> None:
    place = {"Bucket": "kept", "CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}}
    try:
        told = json.loads(run(tmp_path, "start", "--keep", "--json").stdout)
        storage(told).create_bucket(**place)
        run(tmp_path, "stop")

        told = json.loads(run(tmp_path, "start", "--keep", "--json").stdout)
        buckets = storage(told).list_buckets()["Buckets"]
    finally:
        run(tmp_path, "stop")

    assert [bucket["Name"] for bucket in buckets] == ["kept"]


def storage(told: dict[str, Any]) -> Any:
    environment = told["environment"]
    return boto3.client(
        "s3",
        endpoint_url=told["endpoint"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
