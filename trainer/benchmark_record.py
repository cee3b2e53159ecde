"""A benchmark's result as a file: with the machine, the versions and the command that gave it."""

from __future__ import annotations

import os
import platform
import shlex
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.errors import StorageError
from edge_runtime.storage import JSON_ERRORS, canonical_json, write_atomically
from trainer.measured_process import usable_processors
from trainer.tracking.provenance import PACKAGES, code_version, library_versions

__all__ = [
    "BenchmarkRecord",
    "Machine",
    "describe_machine",
    "inv_command",
    "read_record",
    "write_record",
]

_INV = "./inv"
# What a result depends on besides the libraries of a training.
_LIBRARIES = ("onnxruntime", "llama-cpp-python", "polars", "great-expectations", "scikit-learn")


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a benchmark ran."""

    processor: str
    """The processor's own name, or its architecture."""
    cores: int
    """Processors that this process may use."""
    memory_gib: float
    """Main memory; 0 when it is not known."""
    gpu: str | None
    """The NVIDIA GPU's name."""
    system: str
    """Such as ``Linux x86_64``."""


class BenchmarkRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``--output`` writes, and what docs/benchmarks.md is made from."""

    data_set: str
    """The data set's name, such as ``CLINC150``."""
    model: str
    """What was measured, in words."""
    command: str
    """The task that gave it, with names of files in place of whole paths."""
    machine: Machine
    versions: dict[str, str]
    """Library -> version."""
    commit: str | None
    """The git commit; ``None`` outside of a checkout."""
    dirty: bool | None
    """Whether files of the packages that were measured differed from it."""
    result: dict[str, Any]
    """What the task prints with ``--json``."""
    code_sha256: str | None = None
    """Digest of those packages' files, see ``CodeVersion``: a commit may get another name later.
    ``None`` in records from before it was kept."""

    @property
    def task(self) -> str:
        """The task that gave it, such as ``bench.quality``."""
        return (self.command.removeprefix(_INV).split() or [""])[0]


def inv_command(task: str, **flags: str | float | Path | None) -> str:
    """Spell the call of a task, for a record.

    Args:
        task: its name, such as ``bench.data``.
        flags: by name, in order; ``None`` was not given, ``True`` has no value. Of a path its name
            alone is told: where files lie on a machine means nothing elsewhere.
    """
    words = [_INV, task]
    for name, value in flags.items():
        if value is None or value is False:
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(shlex.quote(value.name if isinstance(value, Path) else str(value)))
    return " ".join(words)


def describe_machine() -> Machine:
    """Describe this machine; torch is asked for the GPU."""
    import torch

    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if os.name == "posix" else 0
    return Machine(
        processor=_processor(),
        cores=usable_processors(),
        memory_gib=round(pages / 2**30, 1),
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        system=f"{platform.system()} {platform.machine()}",
    )


def write_record(
    path: Path,
    result: msgspec.Struct,
    *,
    data_set: str,
    model: str,
    command: str,
    packages: tuple[Path, ...] = (),
) -> BenchmarkRecord:
    """Write a result with everything that it takes to understand it.

    Args:
        path: the JSON file, replaced when it is there.
        result: what the task prints with ``--json``.
        data_set: the data set's name.
        model: what was measured, in words.
        command: the task and its flags, see ``inv_command``.
        packages: folders of packages that were measured besides the trainer's and the runtime's.

    Raises:
        StorageError: the file cannot be written.
    """
    code = code_version(*PACKAGES, *packages)
    record = BenchmarkRecord(
        data_set=data_set,
        model=model,
        command=command,
        machine=describe_machine(),
        versions=library_versions(*_LIBRARIES),
        commit=code.commit,
        dirty=code.dirty,
        result=msgspec.json.decode(msgspec.json.encode(result)),
        code_sha256=code.sha256,
    )
    write_atomically(path, canonical_json(record))
    return record


def read_record(path: Path) -> BenchmarkRecord:
    """Read what ``write_record`` wrote.

    Raises:
        StorageError: the file is missing, or no such record.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=BenchmarkRecord)
    except (OSError, *JSON_ERRORS) as error:
        raise StorageError(
            f"{path} is no benchmark's record ({error}); write it anew with --output", path=path
        ) from error


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
