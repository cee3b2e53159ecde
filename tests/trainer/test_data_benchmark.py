"""The benchmark of data.check, on a small file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from edge_runtime.errors import SettingsError
from trainer.config import CheckSettings, DataSettings, TrainSettings
from trainer.data_benchmark import DataBenchmark, benchmark_data_check
from trainer.errors import MeasuringError
from trainer.synthetic_utterances import write_synthetic_utterances


@pytest.fixture
def measure(
    data_settings: DataSettings,
    tiny_train_settings: TrainSettings,
    check_settings: CheckSettings,
    tmp_path: Path,
):
    """``benchmark_data_check`` of so many rows."""

    def run(rows: int, *, splits: bool = True, accents: bool = False) -> DataBenchmark:
        return benchmark_data_check(
            tmp_path,
            rows=rows,
            seed=1,
            splits=splits,
            accents=accents,
            data_settings=data_settings,
            train_settings=tiny_train_settings,
            check_settings=check_settings,
        )

    return run


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


def test_a_file_may_have_accents_and_leave_its_splits_to_be_drawn() -> None:
    written = write_synthetic_utterances(200, seed=1, splits=False, accents=True).decode()
    rows = list(csv.DictReader(io.StringIO(written)))
    assert len(rows) == 200
    assert set(rows[0]) == {"text", "intent"}
    assert sum(not row["text"].isascii() for row in rows) > 190


@pytest.mark.slow
def test_the_check_is_measured_in_a_process_of_its_own(measure, tmp_path: Path) -> None:
    found = measure(6000)
    assert found.rows == 6000
    assert found.bytes == (tmp_path / "synthetic-6000-1.csv").stat().st_size
    # No process that reads such a file can do with less.
    assert found.cpu_seconds > 0
    assert found.peak_memory_bytes > 2**20
    assert (tmp_path / "report" / "index.html").is_file()
    assert {"duplicate", "same_words", "nearly_in_two_splits", "mojibake"} <= found.findings.keys()
    other = measure(6000, splits=False, accents=True)
    assert (other.splits, other.accents) == (False, True)
    assert other.bytes == (tmp_path / "synthetic-6000-1-no-splits-accents.csv").stat().st_size
    assert "nearly_in_two_splits" in other.findings


def test_a_check_that_fails_is_an_error(measure, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file where the report goes")
    with pytest.raises(MeasuringError, match="^data.check: .*report"):
        measure(10)


@pytest.mark.parametrize("rows", [0, -5])
def test_without_a_row_nothing_is_measured(measure, tmp_path: Path, rows: int) -> None:
    with pytest.raises(SettingsError, match=f"--rows is {rows}; at least one is needed"):
        measure(rows)
    assert not list(tmp_path.iterdir())
