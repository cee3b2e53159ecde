"""Killed at any moment, the next run completes and gives what an undisturbed run gives."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import pytest

from tests.e2e import forked_tasks

KILLS = 20


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_twenty_kills_at_random_moments_change_no_hash(
    new_workspace, finished, tiny_utterances: Path
) -> None:
    expected = finished.documents()
    context = forked_tasks.prepare()

    def pipeline(data: Path) -> tuple[str, ...]:
        return ("pipeline", "--data", str(data), "--name", "small", "--json")

    # Half of the kills hit a run that replaces an older result, and half a first use.
    older = new_workspace()
    other = older.folder / "other.csv"
    other.write_text(tiny_utterances.read_text().replace("\n", "\nwell ", 1))
    forked_tasks.run(context, older, *pipeline(other))
    assert older.documents() != expected
    # The first run waited for imports: the second one tells how long a run takes.
    again = new_workspace()
    start = time.monotonic()
    forked_tasks.run(context, again, *pipeline(tiny_utterances))
    duration = time.monotonic() - start
    assert again.documents() == expected
    chance = random.Random(20)
    killed = 0
    for _ in range(3 * KILLS):
        workspace = new_workspace(later=killed % 2 == 1)
        if killed % 2:
            shutil.copytree(older.folder / "build/small", workspace.folder / "build/small")
        start = time.monotonic()
        process = forked_tasks.start(context, workspace, *pipeline(tiny_utterances))
        process.join(chance.uniform(0.0, duration))
        if process.exitcode is not None:
            assert process.exitcode == 0
            # The machine is less busy than before: a later moment would meet nothing again.
            duration = time.monotonic() - start
            continue
        forked_tasks.kill(process)
        killed += 1

        forked_tasks.run(context, workspace, *pipeline(tiny_utterances))

        assert workspace.documents() == expected
        small = workspace.folder / "build" / "small"
        leftovers = [path.name for path in small.iterdir() if path.name.startswith(".")]
        assert leftovers == []
        if killed == KILLS:
            break
    assert killed == KILLS
