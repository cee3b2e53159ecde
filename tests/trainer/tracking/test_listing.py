"""The table of recorded trainings."""

from __future__ import annotations

from trainer.tracking import Measurement, MemoryTracker, list_runs


def begin(tracker: MemoryTracker, *, seed: str, rate: str = "0.1") -> str:
    params = {"train.seed": seed, "train.learning_rate": rate}
    return tracker.begin("lamp", params=params, tags={})


def test_settings_that_differ_stand_with_each_run_and_the_others_once() -> None:
    tracker = MemoryTracker()
    begin(tracker, seed="1")
    begin(tracker, seed="2")
    table = list_runs(tracker)
    assert [run.settings for run in table.runs] == [{"train.seed": "2"}, {"train.seed": "1"}]
    assert table.same == {"train.learning_rate": "0.1"}


def test_a_setting_that_some_runs_lack_differs() -> None:
    tracker = MemoryTracker()
    begin(tracker, seed="1")
    tracker.begin("lamp", params={"train.seed": "1"}, tags={})
    table = list_runs(tracker)
    assert [run.settings for run in table.runs] == [{}, {"train.learning_rate": "0.1"}]
    assert table.same == {"train.seed": "1"}


def test_a_row_has_measures_and_cost() -> None:
    tracker = MemoryTracker()
    run = begin(tracker, seed="1")
    values = {"test/ece": 0.01, "validation/ece": 0.02, "cost/seconds": 60.0, "cost/energy_wh": 3.0}
    tracker.log(
        run,
        metrics=[Measurement(*item) for item in values.items()],
        tags={"edgewise.energy": "estimated", "edgewise.checkpoint": "abc"},
    )
    (row,) = list_runs(tracker).runs
    assert (row.test, row.validation, row.checkpoint) == ({"ece": 0.01}, {"ece": 0.02}, "abc")
    assert row.cost == {
        "seconds": 60.0,
        "energy_wh": 3.0,
        "co2eq_g": None,
        "method": "estimated",
        "country": None,
    }


def test_a_run_without_training_has_no_cost() -> None:
    tracker = MemoryTracker()
    begin(tracker, seed="1")
    assert list_runs(tracker).runs[0].cost is None


def test_only_the_newest_are_listed() -> None:
    tracker = MemoryTracker()
    newest = [begin(tracker, seed=str(number)) for number in range(5)][:2:-1]
    assert [run.id for run in list_runs(tracker, limit=2).runs] == newest


def test_without_runs_the_table_is_empty() -> None:
    table = list_runs(MemoryTracker())
    assert (table.runs, table.same) == ([], {})
