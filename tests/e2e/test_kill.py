"""Killed at any moment, the next run completes and gives what an undisturbed run gives."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

KILLS = 20


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_twenty_kills_at_random_moments_change_no_hash(
    new_workspace, tiny_utterances: Path
) -> None:
    undisturbed = new_workspace()
    start = time.monotonic()
    undisturbed.pipeline(tiny_utterances)
    duration = time.monotonic() - start
    expected = undisturbed.documents()
    chance = random.Random(20)
    killed = 0
    for _ in range(KILLS):
        workspace = new_workspace()
        process = workspace.start(
            "pipeline", "--data", str(tiny_utterances), "--name", "small", "--json"
        )
        try:
            process.communicate(timeout=chance.uniform(0.0, duration))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            killed += 1

        workspace.pipeline(tiny_utterances)

        assert workspace.documents() == expected
        small = workspace.folder / "build" / "small"
        leftovers = [path.name for path in small.iterdir() if path.name.startswith(".")]
        assert leftovers == []
    # Moments are drawn from the time that a whole run takes; nearly all must hit one.
    assert killed >= KILLS * 3 // 4
