"""A real file system that is too small, filled by the real stages."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 KB: room for a dataset, none for a checkpoint."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    if os.name != "posix" or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


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
