"""Records of benchmarks: what docs/benchmarks.md is made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.errors import StorageError
from trainer.benchmark_record import (
    BenchmarkRecord,
    describe_machine,
    inv_command,
    read_record,
    write_record,
)
from trainer.quality_benchmark import QualityResult, Spread
from trainer.tracking.provenance import code_version


@pytest.fixture
def result() -> QualityResult:
    return QualityResult(
        measures={"in_scope_accuracy": Spread(0.9, 0.01, 0.9, (0.89, 0.9, 0.91))},
        parameters=22_700_000,
        seconds=120.4,
        protocol="full",
        seeds=(1, 2, 3),
        data="d" * 64,
        settings={"train": {"epochs": 6}},
    )


def write(path: Path, result: QualityResult) -> BenchmarkRecord:
    command = "./inv bench.quality --data lamps.csv"
    return write_record(path, result, data_set="Lamps", model="edgewise", command=command)


def test_a_record_is_read_as_it_was_written(tmp_path: Path, result: QualityResult) -> None:
    path = tmp_path / "new" / "lamps.json"
    written = write(path, result)
    assert read_record(path) == written
    assert written.result["measures"]["in_scope_accuracy"]["values"] == [0.89, 0.9, 0.91]


def test_the_same_result_gives_the_same_bytes(tmp_path: Path, result: QualityResult) -> None:
    write(tmp_path / "a.json", result)
    write(tmp_path / "b.json", result)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_command_tells_names_of_files_and_leaves_out_what_was_not_given() -> None:
    data = Path("/somewhere/secret/my lamps.csv")
    command = inv_command("bench.quality", data=data, data_set=None, seeds=3, keep=True, slow=False)
    assert command == "./inv bench.quality --data 'my lamps.csv' --seeds 3 --keep"


def test_a_record_knows_the_task_that_gave_it(tmp_path: Path, result: QualityResult) -> None:
    assert write(tmp_path / "a.json", result).task == "bench.quality"


def test_a_record_names_the_machine_and_no_user() -> None:
    machine = describe_machine()
    assert machine.cores >= 1
    assert machine.processor
    assert machine.memory_gib > 0


@pytest.mark.parametrize("content", ["", "{}", '{"measures": {}}', "[1"])
def test_what_is_no_record_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(StorageError, match="a.json is no benchmark's record"):
        read_record(tmp_path / "a.json")


def test_the_commit_and_whether_it_differs_are_of_every_package_that_was_measured(
    tmp_path: Path, result: QualityResult
) -> None:
    known = {"data_set": "Lamps", "model": "edgewise", "command": "./inv bench.quality"}
    assert write_record(tmp_path / "a.json", result, **known).commit == code_version().commit
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "__init__.py").write_text("one = 1\n")
    # No commit of this checkout says what stands in a folder elsewhere.
    elsewhere = write_record(tmp_path / "c.json", result, **known, packages=(tmp_path / "other",))
    assert (elsewhere.commit, elsewhere.dirty) == (None, None)
