"""checkov, really installed and really run, on a configuration with one good and one bad thing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from greengrass_components.errors import ChecksError
from greengrass_components.infrastructure.checkov import (
    CONSTRAINTS,
    prepare_checkov,
    run_checkov,
)

BUCKET = """
resource "aws_sns_topic" "open" {
  name = "alarms"
}

resource "aws_iam_user" "waived" {
  #checkov:skip=CKV_AWS_273: a made-up reason that stands beside the resource
  name = "somebody"
}
"""


@pytest.fixture(scope="module")
def program() -> Path:
    try:
        return prepare_checkov(on_line=lambda _: None)
    except ChecksError as error:
        if "No matching distribution" in error.message or "connection" in error.message.lower():
            pytest.skip(error.message)
        raise


@pytest.mark.slow
def test_failures_and_waivers_are_told_with_their_place(program: Path, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(BUCKET)

    report = run_checkov(program, tmp_path)

    assert any(
        line.startswith("CKV_AWS_26 aws_sns_topic.open (main.tf:2): ") for line in report.failed
    )
    assert [(waiver.check, waiver.resource) for waiver in report.waived] == [
        ("CKV_AWS_273", "aws_iam_user.waived")
    ]
    assert report.waived[0].reason == "a made-up reason that stands beside the resource"


@pytest.mark.slow
def test_it_is_installed_once(program: Path) -> None:
    told: list[str] = []

    assert prepare_checkov(on_line=told.append) == program
    assert told == []
    assert Path(sys.prefix) in program.parents


@pytest.mark.slow
def test_a_file_that_cannot_be_read_is_an_error(program: Path, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('resource "aws_sns_topic" {{{')

    with pytest.raises(ChecksError, match=r"checkov cannot read .*main\.tf"):
        run_checkov(program, tmp_path)


def test_everything_is_pinned() -> None:
    lines = CONSTRAINTS.read_text().splitlines()

    assert any(line.startswith("checkov==") for line in lines)
    assert [line for line in lines if "==" not in line] == []
