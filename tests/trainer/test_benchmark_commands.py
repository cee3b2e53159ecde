"""The tasks of the namespace bench, called as Invoke calls them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context

from trainer.benchmark_record import read_record
from trainer.commands.benchmark_output import plan_record
from trainer.commands.benchmarks import calibration, data_check, scaling, scores, training_speed
from trainer.quality_benchmark import Spread


@pytest.fixture(autouse=True)
def project(tmp_path: Path, tiny_base_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose trainings are quick; the current directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edgewise.toml").write_text('[train]\nminimum_steps = 0\ndevice = "cpu"\n')
    return tmp_path


@pytest.mark.parametrize(
    ("task", "given"),
    [
        (calibration, {}),
        (scores, {}),
        (training_speed, {"data": "lamps.csv"}),
        (data_check, {}),
        (scaling, {}),
    ],
    ids=["calibration", "scores", "training", "data", "scaling"],
)
def test_an_output_that_cannot_be_written_is_found_before_the_work(
    task: Callable[..., Any],
    given: dict[str, str],
    project: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (project / "file").touch()
    with pytest.raises(SystemExit) as exit_:
        task(Context(), **given, output="file/record.json")
    assert exit_.value.code == 1
    assert "error: cannot write file/record.json: " in capsys.readouterr().err
    assert not (project / "build").exists()


def test_a_record_goes_to_every_file_that_is_asked_for(project: Path) -> None:
    plan = plan_record("bench.x", "a.json", None, "b.json", data_set="Lamps", model="m", rows=3)
    plan.write(Spread(0.5, 0.0, 0.5, (0.5,)))
    record = read_record(project / "a.json")
    assert record == read_record(project / "b.json")
    assert (record.command, record.data_set, record.model) == (
        "./inv bench.x --rows 3",
        "Lamps",
        "m",
    )
    assert plan_record("bench.x", None, data_set="Lamps", model="m").files == ()


@pytest.mark.slow
def test_trainings_of_several_sizes_give_a_record(project: Path, tiny_base_model: Path) -> None:
    scaling(
        Context(), rows="3000", base_model=str(tiny_base_model), folder="bench", output="out.json"
    )
    record = read_record(project / "out.json")
    assert record.command == (
        f"./inv bench.scaling --rows 3000 --seed 1 --epochs 1 --base-model {tiny_base_model.name}"
    )
    (training,) = record.result["trainings"]
    assert training["rows"] == 3000
    assert training["peak_memory_bytes"] > 50 * 2**20
