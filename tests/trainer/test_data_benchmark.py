"""The benchmark of data.check, on a small file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from trainer.data_benchmark import benchmark_data_check
from trainer.errors import DataError
from trainer.synthetic_utterances import write_synthetic_utterances

ROOT = Path(__file__).parents[2]


def test_the_same_seed_gives_the_same_file_and_another_one_another() -> None:
    first = write_synthetic_utterances(500, seed=1)
    assert first == write_synthetic_utterances(500, seed=1)
    assert first != write_synthetic_utterances(500, seed=2)


def test_the_file_has_as_many_rows_as_asked_for() -> None:
    rows = list(csv.DictReader(io.StringIO(write_synthetic_utterances(2000, seed=1).decode())))
    assert len(rows) == 2000
    assert all(row["text"] for row in rows)
    assert {row["split"] for row in rows} == {"train", "validation", "test"}
    assert sum(row["intent"] == "oos" for row in rows) == pytest.approx(40, abs=25)


@pytest.mark.slow
def test_the_task_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    found = benchmark_data_check(tmp_path, rows=6000, seed=1, project=ROOT)
    assert found.rows == 6000
    assert found.bytes == (tmp_path / "synthetic-6000-1.csv").stat().st_size
    # No process that reads such a file can do with less.
    assert found.cpu_seconds > 0
    assert found.peak_rss_bytes > 2**20
    assert (tmp_path / "report" / "index.html").is_file()
    assert {"duplicate", "same_words", "nearly_in_two_splits", "mojibake"} <= found.findings.keys()


def test_a_check_that_fails_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data.check ended with"):
        benchmark_data_check(tmp_path, rows=10, seed=1, project=tmp_path)
