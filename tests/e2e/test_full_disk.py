"""A real file system that is too small, filled by the real stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(mount_disk: Callable[[str], Path]) -> Path:
    """Room for a dataset, none for a checkpoint."""
    return mount_disk("300k")


def test_a_full_disk_is_one_line_and_nothing_half_written(
    workspace, tiny_utterances: Path, small_disk: Path
) -> None:
    dataset, checkpoint = small_disk / "dataset", small_disk / "checkpoint"
    built = workspace.inv("data.build", "--data", str(tiny_utterances), "--folder", str(dataset))
    assert built.returncode == 0, built.stderr
    before = {path: path.read_bytes() for path in small_disk.rglob("*") if path.is_file()}

    done = workspace.inv("train", "--dataset", str(dataset), "--folder", str(checkpoint))

    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 1, done.stderr
    assert len(errors) == 1
    assert "the disk is full" in errors[0]
    assert str(checkpoint) in errors[0]
    assert "Traceback" not in done.stderr
    after = {path: path.read_bytes() for path in small_disk.rglob("*") if path.is_file()}
    assert after == before
