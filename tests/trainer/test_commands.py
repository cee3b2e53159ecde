"""The tasks of the namespaces data, train and eval, called as Invoke calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from invoke.context import Context

from trainer.commands.data import build, check, clean
from trainer.commands.evaluation import evaluate_checkpoint
from trainer.commands.training import run


@pytest.fixture(autouse=True)
def project(tiny_base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose settings choose the tiny base model; the current directory."""
    (tmp_path / "edgewise.toml").write_text(
        f'[train]\nbase_model = "{tiny_base_model}"\nminimum_steps = 12\nthreads = 1\n'
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_task_prints_one_json_object(
    tiny_utterances: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(Context(), data=str(tiny_utterances), folder="d", json=True)
    run(Context(), dataset="d", folder="c", epochs=1, json=True)
    evaluate_checkpoint(Context(), checkpoint="c", dataset="d", folder="e", json=True)
    built, trained, judged = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (built["folder"], built["skipped"], built["train"]) == ("d", False, 120)
    assert (trained["folder"], trained["skipped"], trained["utterances"]) == ("c", False, 120)
    assert set(judged) == {"folder", "skipped", "validation", "test"}


def test_each_task_tells_people_what_it_did_and_what_it_skipped(
    tiny_utterances: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        build(Context(), data=str(tiny_utterances), folder="d")
        run(Context(), dataset="d", folder="c")
    evaluate_checkpoint(Context(), checkpoint="c", dataset="d", folder="e")
    lines = capsys.readouterr().out.splitlines()
    counts = "6 intents, 120 training, 30 validation, 30 test utterances"
    assert lines[:4] == [
        f"d: built: {counts}",
        "c: trained: 6 intents, 120 utterances",
        f"d: up to date: {counts}",
        "c: up to date: 6 intents, 120 utterances",
    ]
    assert [line.split(":")[0] for line in lines[4:]] == ["validation", "test"]
    assert all("out-of-scope AUROC" in line for line in lines[4:])


def test_checking_and_cleaning_tell_machines_and_people(
    tiny_utterances: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(Context(), str(tiny_utterances), report="r", json=True)
    clean(Context(), str(tiny_utterances), "c.csv", json=True)
    checked, cleaned = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (checked["utterances"], checked["builds"], checked["report"]) == (192, True, "r")
    assert (cleaned["read"], cleaned["changes"]) == (192, "c.csv.changes.jsonl")
    check(Context(), "c.csv")
    clean(Context(), "c.csv", "d.csv", drop="in_two_splits, mojibake")
    lines = capsys.readouterr().out.splitlines()
    assert any("a dataset can be built; 0 of 11 expectations are not met" in one for one in lines)
    assert lines[-1].startswith("d.csv: 192 of 192 utterances; every change stands in d.csv.chan")
    assert (project / "build" / "check" / "index.html").is_file()


def test_an_unknown_rule_gives_one_line_and_exit_code_1(
    tiny_utterances: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        clean(Context(), str(tiny_utterances), "c.csv", drop="typos")
    assert exit_.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: rows cannot be dropped by 'typos'; choose among unreadable")


def test_a_flag_is_stronger_than_the_project_file(tiny_line, project: Path) -> None:
    run(Context(), dataset=str(tiny_line.dataset), folder="c", seed=5)
    document = json.loads((project / "c" / "checkpoint.json").read_text())
    assert (document["settings"]["seed"], document["settings"]["minimum_steps"]) == (5, 12)


@pytest.mark.parametrize("task", [run, evaluate_checkpoint])
def test_a_missing_dataset_gives_one_line_and_exit_code_1(
    task, tiny_line, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {} if task is run else {"checkpoint": str(tiny_line.checkpoint)}
    with pytest.raises(SystemExit) as exit_:
        task(Context(), dataset="nowhere", folder="new", **more)
    captured = capsys.readouterr()
    assert (exit_.value.code, captured.out) == (1, "")
    assert captured.err == (
        "error: no dataset at nowhere: dataset.json is missing; run the stage that makes it\n"
    )
    assert not (project / "new").exists()


def test_a_wrong_setting_gives_one_line_and_exit_code_1(
    tiny_line, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "edgewise.toml").write_text("[train]\nepochs = 0\n")
    with pytest.raises(SystemExit) as exit_:
        run(Context(), dataset=str(tiny_line.dataset), folder="c")
    assert exit_.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: train.epochs: ")


@pytest.mark.parametrize("split", ["validation", "test"])
def test_utterances_that_leave_a_split_without_intents_give_one_line_and_exit_code_1(
    tiny_utterances: Path, project: Path, capsys: pytest.CaptureFixture[str], split: str
) -> None:
    rows = tiny_utterances.read_text().splitlines()
    kept = [row for row in rows if not row.endswith(f",{split}") or ",oos," in row]
    assert len(kept) == len(rows) - 30
    Path("few.csv").write_text("\n".join(kept) + "\n")
    with pytest.raises(SystemExit) as exit_:
        build(Context(), data="few.csv", folder="d")
    assert exit_.value.code == 1
    line = capsys.readouterr().err.splitlines()[-1]  # below the lines of progress
    assert line.startswith(f"error: no utterance with an intent is left for the {split}: give more")
    assert not (project / "d").exists()


def test_too_few_utterances_to_hold_any_out_give_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("few.csv").write_text("text,intent\nlamp on,on\nlight on,on\nlamp off,off\ndark now,off\n")
    with pytest.raises(SystemExit) as exit_:
        build(Context(), data="few.csv", folder="d")
    assert exit_.value.code == 1
    line = capsys.readouterr().err.splitlines()[-1]  # below the lines of progress
    assert "is left for the validation: give more distinct texts of each intent" in line
