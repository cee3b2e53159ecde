"""A clock that can be held, in a process of its own as it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

BEGIN = (
    "from greengrass_components.emulator.clock import held_at, install_clock, now\n"
    "install_clock()\n"
    "import copy, datetime, time\n"
    "from datetime import UTC, datetime as taken\n"
)


def say(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-P", "-c", BEGIN + code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("time.time()", "1000000000.25"),
        ("datetime.datetime.now(UTC)", "2001-09-09 01:46:40.250000+00:00"),
        ("taken.now(UTC)", "2001-09-09 01:46:40.250000+00:00"),
        ("taken.utcnow()", "2001-09-09 01:46:40.250000"),
        ("datetime.date.today().year", "2001"),
        ("taken.now(UTC) + datetime.timedelta(days=1)", "2001-09-10 01:46:40.250000+00:00"),
        ("copy.deepcopy(taken.now(UTC))", "2001-09-09 01:46:40.250000+00:00"),
    ],
)
def test_a_clock_that_is_held_tells_the_same_everywhere(asked: str, told: str) -> None:
    assert say(f"with held_at(1000000000.25): print({asked})") == told


def test_a_clock_goes_on_when_it_is_let_go() -> None:
    assert say("with held_at(0): pass\nprint(abs(time.time() - now()) < 60)") == "True"
    assert say("print(taken.now(UTC).year > 2020)") == "True"


def test_a_clock_is_let_go_after_an_error() -> None:
    code = (
        "try:\n"
        "    with held_at(0): raise ValueError\n"
        "except ValueError:\n"
        "    print(time.time() > 1)\n"
    )
    assert say(code) == "True"


def test_the_true_time_is_there_while_the_clock_is_held() -> None:
    assert say("with held_at(0): print(now() > 1)") == "True"


def test_dates_that_were_made_elsewhere_count_as_dates() -> None:
    # A module written in C makes dates of the true kind.
    code = (
        "import msgspec\n"
        "date = msgspec.convert('2020-01-01T00:00:00Z', taken.__mro__[1])\n"
        "print(isinstance(date, datetime.datetime), issubclass(type(date), taken))\n"
    )
    assert say(code) == "True True"
