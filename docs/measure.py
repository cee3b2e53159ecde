"""Measures what docs/benchmarks.md shows, by the plan in docs/benchmarks/plan.toml.

python docs/measure.py              tell the state of each record
python docs/measure.py NAME ...     measure these, one after the other, in the plan's order
python docs/measure.py --due        measure those that are missing or of other settings

A measurement that was interrupted goes on where it stopped, but for times. Run it on a machine
that does nothing else, because records hold seconds. EDGEWISE_DATA names the folder with the data
sets.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import generate
import msgspec
from benchmark_settings import Settings, default_settings, other_settings

from trainer.benchmark_record import read_record

__all__ = ["PlannedMeasurement", "command_for", "read_plan", "state_of"]

RECORDS = Path(__file__).resolve().parent / "benchmarks"
ROOT = RECORDS.parents[1]
_DATA_FLAGS = frozenset({"data", "test"})


class PlannedMeasurement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One record of the page."""

    name: str
    """Of its file, without the ending."""
    task: str
    """Such as ``bench.quality``."""
    flags: dict[str, str | int | float]
    """Of the task; ``data`` and ``test`` are below the folder of the data sets."""
    switches: tuple[str, ...] = ()
    """Flags of the task that have no value."""


class _Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    record: list[PlannedMeasurement]


def read_plan(folder: Path = RECORDS) -> list[PlannedMeasurement]:
    """Read ``plan.toml``: the order is that in which records are measured."""
    return msgspec.toml.decode((folder / "plan.toml").read_bytes(), type=_Plan).record


def state_of(planned: PlannedMeasurement, folder: Path, *, defaults: Settings) -> str:
    """Tell in words: ``missing``, ``measured``, or which settings of the record are others."""
    path = folder / f"{planned.name}.json"
    if not path.exists():
        return "missing"
    others = other_settings(read_record(path), defaults)
    return f"of other settings: {', '.join(others)}" if others else "measured"


def command_for(planned: PlannedMeasurement, *, data: Path | None, output: Path) -> list[str]:
    """Spell the call.

    Args:
        planned: what is measured.
        data: the folder of the data sets; ``None`` when it is not known.
        output: the record's file.

    Raises:
        ValueError: the data sets are needed, and not known.
    """
    words = [str(ROOT / "inv"), planned.task]
    for name, value in planned.flags.items():
        if name not in _DATA_FLAGS:
            words.append(f"--{name}={value}")
        elif data is not None:
            words.append(f"--{name}={data / str(value)}")
        else:
            raise ValueError(
                f"{planned.name} is measured on a public data set; let EDGEWISE_DATA name the "
                "folder that holds them"
            )
    return [*words, *(f"--{name}" for name in planned.switches), f"--output={output}"]


def main(arguments: list[str]) -> int:
    """Tell or measure; the exit code."""
    if set(arguments) & {"-h", "--help"}:
        sys.stdout.write(__doc__ or "")
        return 0
    plan, defaults = read_plan(), default_settings()
    states = {one.name: state_of(one, RECORDS, defaults=defaults) for one in plan}
    if not arguments:
        for name, state in states.items():
            sys.stdout.write(f"{name}: {state}\n")
        return 0
    if arguments == ["--due"]:
        arguments = [name for name, state in states.items() if state != "measured"]
    if unknown := sorted(set(arguments) - set(states)):
        sys.stderr.write(f"error: {unknown[0]} is not in {RECORDS / 'plan.toml'}\n")
        return 1
    given = os.environ.get("EDGEWISE_DATA")
    try:
        commands = {
            one.name: command_for(
                one, data=Path(given) if given else None, output=RECORDS / f"{one.name}.json"
            )
            for one in plan
            if one.name in arguments
        }
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    for number, (name, command) in enumerate(commands.items(), start=1):
        sys.stdout.write(f"== {number}/{len(commands)} {name}\n")
        sys.stdout.flush()
        if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
            return code
        # After each: a break-off leaves a page that tells of all records.
        generate.main([])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
