"""The task bench.quality, called as Invoke calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from invoke.context import Context

from compiler.commands.benchmarks import quality
from trainer.benchmark_record import read_record


@pytest.fixture(autouse=True)
def project(tmp_path: Path, tiny_base_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose trainings are quick; the current directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edgewise.toml").write_text(
        f'[train]\nbase_model = "{tiny_base_model}"\nepochs = 1\nminimum_steps = 20\nthreads = 1\n'
        'device = "cpu"\n'
    )
    return tmp_path


def test_int8_is_measured_few_shot_and_again_with_the_seconds_of_the_first_time(
    tiny_utterances: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> str:
        quality(
            Context(),
            data=str(tiny_utterances),
            protocol="fewshot-5",
            seeds=1,
            variant="int8",
            folder="bench",
            output="out/record.json",
            json=True,
        )
        return capsys.readouterr().out

    first = run()
    result = json.loads(first)
    assert {"in_scope_accuracy", "macro_f1", "ece", "oos_auroc"} < set(result["measures"])
    place = project / "bench" / "fewshot-5-1"
    assert result["variant"] == "int8"
    assert result["bytes"] == (place / "checkpoint-int8" / "model.int8.onnx").stat().st_size
    assert result["seconds"] > 0
    assert result["settings"]["compile"]["variants"] == ["int8"]
    record = read_record(project / "out" / "record.json")
    assert record.command == (
        "./inv bench.quality --data small.csv --variant int8 --protocol fewshot-5 --seeds 1"
    )
    assert record == read_record(project / "bench" / "fewshot-5-int8.json")
    assert record.result == result
    assert run() == first


def test_an_output_that_cannot_be_written_is_found_before_training(
    tiny_utterances: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "file").touch()
    with pytest.raises(SystemExit) as exit_:
        quality(Context(), data=str(tiny_utterances), folder="bench", output="file/record.json")
    assert exit_.value.code == 1
    assert "error: cannot write file/record.json: " in capsys.readouterr().err
    assert not (project / "bench" / "dataset").exists()
