"""The tasks of the namespaces data, train and eval, called as Invoke calls them."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from invoke.context import Context

from trainer.commands.data import build, check, clean
from trainer.commands.evaluation import evaluate_checkpoint
from trainer.commands.training import run, runs, student
from trainer.config import DataSettings
from trainer.dataset import build_dataset
from trainer.training_state import TrainingState, TrainingStateStore


@pytest.fixture(autouse=True)
def project(tiny_base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose settings choose the tiny base model; the current directory."""
    (tmp_path / "edgewise.toml").write_text(
        f'[train]\nbase_model = "{tiny_base_model}"\nminimum_steps = 12\nthreads = 1\n'
        # Records have tests of their own; MLflow takes seconds to begin.
        "[track]\nenabled = false\n"
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
    assert trained["cost"] is None  # not recorded, not measured
    assert set(judged) == {
        *("folder", "skipped", "validation", "test", "calibration", "page", "report")
    }


def test_each_task_tells_people_what_it_did_and_what_it_skipped(
    tiny_utterances: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        build(Context(), data=str(tiny_utterances), folder="d")
        run(Context(), dataset="d", folder="c")
    evaluate_checkpoint(Context(), checkpoint="c", dataset="d", folder="e")
    lines = capsys.readouterr().out.splitlines()
    counts = (
        "6 intents, 120 training, 30 validation, 30 test utterances; "
        "every change stands in d.changes.jsonl"
    )
    assert lines[:4] == [
        f"d: built: {counts}",
        "c: trained: 6 intents, 120 utterances",
        f"d: up to date: {counts}",
        "c: up to date: 6 intents, 120 utterances",
    ]
    assert [line.split(":")[0] for line in lines[4:]] == ["validation", "test", "report"]
    assert all("out-of-scope AUROC" in line for line in lines[4:6])
    assert lines[6] == "report: e-report/report.html"


def judged(tiny_line: Any, **flags: Any) -> int:
    """The exit code of the task ``eval``."""
    try:
        evaluate_checkpoint(
            Context(),
            checkpoint=str(tiny_line.checkpoint),
            dataset=str(tiny_line.dataset),
            folder="e",
            **flags,
        )
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0


def test_a_missed_gate_is_told_and_ends_with_exit_code_3(
    tiny_line, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "edgewise.toml").write_text(
        "[gates]\nminimum_in_scope_accuracy = 0.5\nmaximum_typo_fall = 0.0\n"
    )
    for _ in range(2):  # also when the report is up to date
        assert judged(tiny_line) == 3
        captured = capsys.readouterr()
        assert "gate minimum_in_scope_accuracy 0.5: 1.0000, passed\n" in captured.out
        assert "gate maximum_typo_fall 0: 0." in captured.out
        line = captured.err.splitlines()[-1]
        assert line.startswith("error: 1 of 2 quality gates missed: maximum_typo_fall 0, found 0.")
        assert "see e-report/report.html" in line
    assert (project / "e-report" / "report.html").is_file()


def test_a_missed_gate_keeps_standard_output_one_json_object(
    tiny_line, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "edgewise.toml").write_text("[gates]\nmaximum_typo_fall = 0.0\n")
    assert judged(tiny_line, json=True) == 3
    told = json.loads(capsys.readouterr().out)
    assert [gate["passed"] for gate in told["report"]["gates"]] == [False]


def test_passed_gates_end_well(
    tiny_line, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "edgewise.toml").write_text("[gates]\nminimum_macro_f1 = 0.5\n")
    assert judged(tiny_line) == 0
    assert "gate minimum_macro_f1 0.5: 1.0000, passed" in capsys.readouterr().out


def test_without_anything_held_out_the_report_is_left_out_unless_a_gate_asks_for_it(
    tiny_line,
    tiny_utterances: Path,
    data_settings: DataSettings,
    project: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = tiny_utterances.read_text().splitlines()
    (project / "train.csv").write_text(
        "\n".join(row for row in rows if row.endswith(("split", "train")))
    )
    nothing = msgspec.structs.replace(data_settings, test_share=0.0, validation_share=0.0)
    build_dataset("train.csv", project / "whole", settings=nothing)
    line = tiny_line._replace(dataset=project / "whole")
    assert judged(line, json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["test"], told["report"], told["page"]) == (None, None, None)
    assert judged(line) == 0
    assert "report: left out, the dataset holds out nothing" in capsys.readouterr().out
    assert not (project / "e-report").exists()
    (project / "edgewise.toml").write_text("[gates]\nminimum_macro_f1 = 0.5\n")
    assert judged(line) == 1
    assert "holds out no utterance with an intent" in capsys.readouterr().err


def test_a_model_against_itself_shows_no_difference(
    tiny_line, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judged(tiny_line, against=str(tiny_line.checkpoint)) == 0
    told = capsys.readouterr().out
    assert "in-scope accuracy 100.00%, champion 100.00%, p 1: no difference shown" in told


def test_a_model_worse_than_its_champion_ends_with_exit_code_3(
    tiny_line, tiny_utterances: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Trained with every intent called by the name of another.
    with tiny_utterances.open() as file:
        rows = list(csv.DictReader(file))
    names = sorted({row["intent"] for row in rows} - {"oos"})
    swapped = dict(zip(names, names[1:] + names[:1], strict=True))
    with Path("swapped.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, "intent": swapped.get(row["intent"], row["intent"])})
    build(Context(), data="swapped.csv", folder="d")
    run(Context(), dataset="d", folder="worse")
    worse = tiny_line._replace(checkpoint=Path("worse"))
    assert judged(worse, against=str(tiny_line.checkpoint)) == 3
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: the new model is worse than the champion ")
    assert "answers lost, 0 gained, p " in line
    assert line.endswith("keep the champion, or train again")
    # The other way round it is the better one.
    assert judged(tiny_line, against="worse") == 0
    assert ": better" in capsys.readouterr().out


def test_a_champion_that_is_neither_a_checkpoint_nor_a_bundle_ends_with_exit_code_1(
    tiny_line, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judged(tiny_line, against="nowhere") == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: no champion at nowhere: it holds neither checkpoint.json nor")


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
    assert line.startswith(f"error: no utterance of the {split} has an intent, all are out of")
    assert not (project / "d").exists()


def test_too_few_utterances_to_hold_any_out_are_all_learnt_from(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    Path("few.csv").write_text("text,intent\nlamp on,on\nlight on,on\nlamp off,off\ndark now,off\n")
    build(Context(), data="few.csv", folder="d", json=True)
    result = json.loads(capsys.readouterr().out)
    assert (result["train"], result["validation"], result["test"]) == (4, 0, 0)
    assert [said.split(":")[0] for said in caplog.messages] == [
        "nothing is held out for validation",
        "nothing is held out for the test",
    ]


def test_where_nothing_is_held_out_the_evaluation_has_no_report(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("few.csv").write_text("text,intent\nlamp on,on\nlight on,on\nlamp off,off\ndark now,off\n")
    build(Context(), data="few.csv", folder="d")
    run(Context(), dataset="d", folder="c", epochs=1)
    capsys.readouterr()
    evaluate_checkpoint(Context(), checkpoint="c", dataset="d", folder="e")
    assert capsys.readouterr().out.splitlines()[-1] == (
        "report: left out, the dataset holds out nothing to judge the model by"
    )
    evaluate_checkpoint(Context(), checkpoint="c", dataset="d", folder="e", json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["skipped"], found["page"], found["report"]) == (True, None, None)
    assert not (project / "e-report").exists()


@pytest.mark.parametrize(
    ("gates", "against"), [("[gates]\nminimum_in_scope_accuracy = 0.5\n", None), ("", "c")]
)
def test_what_is_asked_for_and_cannot_be_judged_is_still_an_error(
    project: Path, capsys: pytest.CaptureFixture[str], gates: str, against: str | None
) -> None:
    Path("few.csv").write_text("text,intent\nlamp on,on\nlight on,on\nlamp off,off\ndark now,off\n")
    build(Context(), data="few.csv", folder="d")
    run(Context(), dataset="d", folder="c", epochs=1)
    with (project / "edgewise.toml").open("a") as file:
        file.write(gates)
    with pytest.raises(SystemExit) as ended:
        evaluate_checkpoint(Context(), checkpoint="c", dataset="d", folder="e", against=against)
    assert ended.value.code == 1
    assert "holds out no utterance with an intent" in capsys.readouterr().err


def test_a_model_may_be_the_mean_of_several_trainings(
    tiny_line, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        run(Context(), dataset=str(tiny_line.dataset), folder="c", trainings=2)
    student(
        Context(),
        teacher="c",
        dataset=str(tiny_line.dataset),
        folder="s",
        tier="static",
        trainings=2,
        json=True,
    )
    first, second, taught = capsys.readouterr().out.splitlines()
    assert first == "c: trained: 6 intents, 120 utterances"
    assert second == "c: up to date: 6 intents, 120 utterances"
    assert len(json.loads(taught)["trainings"]) == 2
    made = sorted(str(path) for path in Path().glob("*/*/checkpoint.json"))
    assert made == [f"{name}.trainings/{n}/checkpoint.json" for name in "cs" for n in (1, 2)]


def test_no_training_at_all_is_no_model(tiny_line, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(Context(), dataset=str(tiny_line.dataset), folder="c", trainings=0)
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "soup.trainings" in line
    assert not Path("c").exists()


@pytest.mark.slow
def test_each_of_several_trainings_is_recorded_and_so_is_their_mean(
    tiny_line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGEWISE_TRACK_ENABLED", "true")
    dataset = str(tiny_line.dataset)
    run(Context(), dataset=dataset, folder="lamps/checkpoint", trainings=2, json=True)
    evaluate_checkpoint(
        Context(), checkpoint="lamps/checkpoint", dataset=dataset, folder="e", json=True
    )
    runs(Context(), json=True)
    trained, judged, table = map(json.loads, capsys.readouterr().out.splitlines())
    found = {one["name"]: one for one in table["runs"]}
    assert set(found) == {"lamps", "lamps-1", "lamps-2"}
    assert {one["status"] for one in found.values()} == {"finished"}
    energies = [found[name]["cost"]["energy_wh"] for name in ("lamps-1", "lamps-2")]
    assert trained["cost"]["energy_wh"] == pytest.approx(sum(energies))
    # So the model that ships tells what it took.
    assert found["lamps"]["cost"]["energy_wh"] == pytest.approx(sum(energies))
    accuracy = judged["test"]["in_scope_accuracy"]
    assert found["lamps"]["test"]["in_scope_accuracy"] == accuracy


@pytest.mark.slow
def test_training_and_evaluation_are_one_recorded_run(
    tiny_line, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGEWISE_TRACK_ENABLED", "true")
    dataset = str(tiny_line.dataset)
    for _ in range(2):  # the second time everything is up to date
        run(Context(), dataset=dataset, folder="c", json=True)
        evaluate_checkpoint(Context(), checkpoint="c", dataset=dataset, folder="e", json=True)
    runs(Context(), json=True)
    captured = capsys.readouterr()
    trained, judged, again, _, table = (json.loads(line) for line in captured.out.splitlines())
    (recorded,) = table["runs"]
    assert trained["cost"]["energy_wh"] == recorded["cost"]["energy_wh"] > 0
    assert trained["cost"]["method"] == recorded["cost"]["method"]
    assert recorded["test"]["in_scope_accuracy"] == judged["test"]["in_scope_accuracy"]
    assert (recorded["status"], again["cost"]) == ("finished", None)
    made = sorted(path.name for path in project.iterdir())
    assert made == ["build", "c", "e", "e-report", "edgewise.toml"]
    # Lines of progress, and no word of MLflow or CodeCarbon.
    assert all(line.startswith("  ") for line in captured.err.splitlines())
    runs(Context())
    shown = capsys.readouterr().out
    assert recorded["id"][:8] in shown
    assert f"{judged['test']['in_scope_accuracy']:.4f}" in shown


def test_people_are_told_the_energy_of_a_training(
    tiny_line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGEWISE_TRACK_ENABLED", "true")
    # Nothing answers there: one warning, and the training is not lost.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    run(Context(), dataset=str(tiny_line.dataset), folder="c")
    captured = capsys.readouterr()
    assert re.fullmatch(
        r"[\d.e-]+ Wh, [\d.e-]+ g CO2eq \((measured|estimated)\)", captured.out.splitlines()[1]
    )
    (warning,) = [line for line in captured.err.splitlines() if not line.startswith("  ")]
    assert warning.startswith("warning: MLflow at http://127.0.0.1:9 does not answer (")
    assert warning.endswith("; going on without a record")


def test_without_a_record_there_is_nothing_to_list(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs(Context())
    runs(Context(), json=True)
    assert capsys.readouterr().out == 'no training is recorded yet\n{"runs":[],"same":{}}\n'
    assert not (project / "build").exists()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("EDGEWISE_TRACK_COUNTRY", "Germany", "track.country: "),
        ("EDGEWISE_TRACK_COUNTRY", "XXX", "track.country is 'XXX'"),
        ("MLFLOW_TRACKING_URI", "nowhere://x", "MLFLOW_TRACKING_URI is 'nowhere://x'"),
    ],
)
def test_a_wrong_setting_of_the_record_stops_before_training(
    tiny_line,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    told: str,
) -> None:
    monkeypatch.setenv("EDGEWISE_TRACK_ENABLED", "true")
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as exit_:
        run(Context(), dataset=str(tiny_line.dataset), folder="c")
    assert exit_.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {told}")
    assert not (project / "c").exists()


@pytest.mark.parametrize("count", [0, -3])
@pytest.mark.parametrize("task", [run, student])
def test_fewer_than_one_process_is_refused(
    task: Callable[..., None], count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        task(Context(), processes=count)
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"error: --processes is {count}; at least one trains\n"


@pytest.mark.parametrize("count", [0, -1])
def test_fewer_than_one_run_is_refused(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        runs(Context(), limit=count)
    assert ended.value.code == 1
    expected = f"error: --limit is {count}; at least one run can be listed\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("count", ["abc", "-2", "0", "", "2.5"])
def test_a_launcher_s_variable_that_is_no_number_is_one_clear_line(
    tiny_line, count: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", count)
    with pytest.raises(SystemExit) as ended:
        run(Context(), dataset=str(tiny_line.dataset), folder="c")
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: WORLD_SIZE is {count!r}: launchers set it")


def test_an_unfinished_training_of_other_settings_is_refused_until_it_is_discarded(
    tiny_line, project: Path, first_state: TrainingState, capsys: pytest.CaptureFixture[str]
) -> None:
    store = TrainingStateStore(project / "c.training", inputs={"settings": {"seed": 7}})
    store.save(first_state)
    with pytest.raises(SystemExit) as ended:
        run(Context(), dataset=str(tiny_line.dataset), folder="c")
    assert ended.value.code == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert "settings.seed was 7, is 1" in line
    assert "delete that folder to discard it" in line
    assert line.endswith("; --anew does that")
    run(Context(), dataset=str(tiny_line.dataset), folder="c", anew=True)
    assert not (project / "c.training").exists()
