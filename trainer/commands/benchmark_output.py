"""Where the tasks of the namespace ``bench`` write their records."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from edge_runtime.storage import check_writable

__all__ = ["OUTPUT_HELP", "PlannedRecord", "plan_record"]

OUTPUT_HELP = "a JSON file for the result, the machine, versions, commit and command"


class PlannedRecord(NamedTuple):
    """What a record will say besides the result, and where it goes."""

    files: tuple[Path, ...]
    """All of them get the same; none when no record was asked for."""
    data_set: str
    model: str
    command: str

    def write(self, result: msgspec.Struct, *, packages: tuple[Path, ...] = ()) -> None:
        """Write the record into each file.

        Args:
            result: of the benchmark.
            packages: folders of packages that were measured besides the trainer's and the
                runtime's.

        Raises:
            StorageError: one cannot be written.
        """
        from trainer.benchmark_record import write_record

        for file in self.files:
            write_record(
                file,
                result,
                data_set=self.data_set,
                model=self.model,
                command=self.command,
                packages=packages,
            )


def plan_record(
    task: str,
    *files: str | Path | None,
    data_set: str,
    model: str,
    **flags: str | float | Path | None,
) -> PlannedRecord:
    """Check before the work that its record can be written afterwards.

    Args:
        task: its name, such as ``bench.data``.
        files: for the record; ``None`` was not asked for.
        data_set: the data set's name.
        model: what is measured, in words.
        flags: of the task, see ``trainer.benchmark_record.inv_command``.

    Raises:
        StorageError: a file cannot be written.
    """
    from trainer.benchmark_record import inv_command

    wanted = tuple(Path(file) for file in files if file)
    for file in wanted:
        check_writable(file)
    return PlannedRecord(wanted, data_set, model, inv_command(task, **flags))
