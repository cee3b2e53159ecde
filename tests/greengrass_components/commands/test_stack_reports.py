"""infra.cost and infra.graph, as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = (
    "from invoke.collection import Collection\n"
    "from invoke.program import Program\n"
    "from greengrass_components.commands.stack_reports import cost, graph\n"
    "Program(namespace=Collection(cost, graph)).run()\n"
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


def error(folder: Path, *arguments: str) -> str:
    result = run(folder, *arguments, code=1)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """A plan of one key and one bucket."""
    key = {"mode": "managed", "type": "aws_kms_key", "name": "data", "address": "aws_kms_key.data"}
    bucket = {
        "mode": "managed",
        "type": "aws_s3_bucket",
        "name": "raw",
        "address": "aws_s3_bucket.raw",
    }
    resources: list[dict[str, Any]] = [
        {**key, "values": {"arn": "arn:aws:kms:eu-central-1:1:key/abc"}},
        {**bucket, "values": {"bucket": "raw", "kms": "arn:aws:kms:eu-central-1:1:key/abc"}},
    ]
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"planned_values": {"root_module": {"resources": resources}}}))
    return path


def test_the_cost_is_a_table_with_a_total_and_a_lever(tmp_path: Path) -> None:
    told = run(tmp_path, "cost", "--devices", "1000").stdout

    assert "PutMetricData calls" in told
    assert "USD a month for 1,000 devices in eu-central-1" in told
    assert "largest lever: cost.telemetry_per_day 144 instead of 288 saves" in told


def test_the_json_says_the_same(tmp_path: Path) -> None:
    told = json.loads(run(tmp_path, "cost", "--devices", "10", "--json").stdout)

    assert (told["devices"], told["region"], told["currency"]) == (10, "eu-central-1", "USD")
    assert sum(line["usd"] for line in told["lines"]) == pytest.approx(told["total_usd"])
    assert told["per_device_usd"] == pytest.approx(told["total_usd"] / 10)
    assert told["levers"][0]["setting"] == "telemetry_per_day"


def test_flags_go_over_the_settings_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "edgewise.toml").write_text('[cost]\ndevices = 7\nregion = "us-east-1"\n')

    told = json.loads(run(tmp_path, "cost", "--region", "eu-central-1", "--json").stdout)

    assert (told["devices"], told["region"]) == (7, "eu-central-1")


def test_a_plan_is_counted(tmp_path: Path, plan: Path) -> None:
    told = json.loads(run(tmp_path, "cost", "--plan", str(plan), "--json").stdout)

    # The one of the plan, and that of the state.
    assert [line["quantity"] for line in told["lines"] if line["price"] == "kms_keys"] == [2]


def test_a_wrong_number_is_one_line_with_the_setting(tmp_path: Path) -> None:
    assert "cost.devices" in error(tmp_path, "cost", "--devices", "many")


@pytest.mark.parametrize("task", ["cost", "graph"])
@pytest.mark.parametrize("content", ["", "[]", "{}", None])
def test_a_file_that_is_no_plan_is_one_line(tmp_path: Path, task: str, content: str | None) -> None:
    if content is not None:
        (tmp_path / "plan.json").write_text(content)

    assert "plan" in error(tmp_path, task, "--plan", "plan.json")


def test_the_picture_is_written(tmp_path: Path, plan: Path) -> None:
    told = run(tmp_path, "graph", "--plan", str(plan), "--to", "docs/stack.svg").stdout

    assert told == "docs/stack.svg shows 2 boxes and 1 arrows\n"
    assert (tmp_path / "docs" / "stack.svg").read_text().startswith("<svg ")


def test_a_picture_that_is_up_to_date_passes_the_check(tmp_path: Path, plan: Path) -> None:
    run(tmp_path, "graph", "--plan", str(plan), "--to", "stack.svg")

    run(tmp_path, "graph", "--plan", str(plan), "--to", "stack.svg", "--check")


def test_a_picture_of_another_stack_fails_the_check_and_stays(tmp_path: Path, plan: Path) -> None:
    (tmp_path / "stack.svg").write_text("<svg/>\n")

    told = error(tmp_path, "graph", "--plan", str(plan), "--to", "stack.svg", "--check")

    assert "infra.graph --to stack.svg" in told
    assert (tmp_path / "stack.svg").read_text() == "<svg/>\n"


def test_the_json_counts_what_is_drawn(tmp_path: Path, plan: Path) -> None:
    told = run(tmp_path, "graph", "--plan", str(plan), "--to", "stack.svg", "--json").stdout

    assert json.loads(told) == {"path": "stack.svg", "boxes": 2, "arrows": 1, "unknown": 0}
