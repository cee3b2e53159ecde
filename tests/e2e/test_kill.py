"""Killed at any moment, the next run completes and gives what an undisturbed run gives."""

from __future__ import annotations

import os
import random
import shutil
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
    undisturbed.pipeline(tiny_utterances)
    expected = undisturbed.documents()
    # The first run also fetched the wheels, if this machine had none: the second one tells
    # how long a run takes.
    again = new_workspace()
    start = time.monotonic()
    again.pipeline(tiny_utterances)
    duration = time.monotonic() - start
    assert again.documents() == expected
    # Half of the kills hit a run that replaces an older result, and half a first use.
    older = new_workspace()
    other = older.folder / "other.csv"
    other.write_text(tiny_utterances.read_text().replace("\n", "\nwell ", 1))
    older.pipeline(other)
    assert older.documents() != expected
    chance = random.Random(20)
    killed = 0
    for _ in range(3 * KILLS):
        workspace = new_workspace(first=not killed % 2)
        if killed % 2:
            shutil.copytree(older.folder / "build/small", workspace.folder / "build/small")
        start = time.monotonic()
        process = workspace.start(
            "pipeline", "--data", str(tiny_utterances), "--name", "small", "--json"
        )
        try:
            process.communicate(timeout=chance.uniform(0.0, duration))
            # The machine is less busy than before: a later moment would meet nothing again.
            duration = time.monotonic() - start
            continue
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            killed += 1

        workspace.pipeline(tiny_utterances)

        assert workspace.documents() == expected
        small = workspace.folder / "build" / "small"
        leftovers = [path.name for path in small.iterdir() if path.name.startswith(".")]
        assert leftovers == []
        if killed == KILLS:
            break
    assert killed == KILLS
