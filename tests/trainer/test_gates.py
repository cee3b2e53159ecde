"""Quality gates."""

from __future__ import annotations

import pytest

from edge_runtime.errors import QualityGateError
from trainer.config import GateSettings
from trainer.gates import any_is_set, judge, refuse_missed


def gates(**limits: float) -> GateSettings:
    return GateSettings(worst_recall_support=10, regression_level=0.05, **limits)


def test_what_is_not_set_is_not_judged() -> None:
    assert judge({}, gates()) == ()


@pytest.mark.parametrize(
    ("found", "passed", "missed_by"), [(0.9, True, None), (0.91, True, None), (0.88, False, 0.02)]
)
def test_a_measure_may_not_be_below_a_minimum(
    found: float, passed: bool, missed_by: float | None
) -> None:
    (gate,) = judge({"macro_f1": found}, gates(minimum_macro_f1=0.9))
    assert (gate.name, gate.limit, gate.found) == ("minimum_macro_f1", 0.9, found)
    assert (gate.passed, gate.missed_by) == (passed, missed_by)


@pytest.mark.parametrize(
    ("found", "passed", "missed_by"), [(0.02, True, None), (0.01, True, None), (0.05, False, 0.03)]
)
def test_a_measure_may_not_be_above_a_maximum(
    found: float, passed: bool, missed_by: float | None
) -> None:
    (gate,) = judge({"ece": found}, gates(maximum_ece=0.02))
    assert (gate.passed, gate.missed_by) == (passed, missed_by)


def test_a_gate_that_the_split_cannot_judge_is_missed() -> None:
    (gate,) = judge({"oos_recall": None}, gates(minimum_oos_recall=0.1))
    assert (gate.passed, gate.found, gate.missed_by) == (False, None, None)
    with pytest.raises(QualityGateError, match="minimum_oos_recall cannot be judged: the split"):
        refuse_missed([gate], report="report.html")


def test_a_gate_says_why_it_cannot_be_judged() -> None:
    (gate,) = judge(
        {"typo_fall": None}, gates(maximum_typo_fall=0.1), missing={"typo_fall": "noise is off"}
    )
    assert gate.missing == "noise is off"
    with pytest.raises(QualityGateError, match="maximum_typo_fall cannot be judged: noise is off"):
        refuse_missed([gate], report="report.html")


def test_gates_that_are_set_are_known() -> None:
    assert not any_is_set(gates())
    assert any_is_set(gates(maximum_ece=0.5))


def test_the_refusal_names_each_missed_gate_and_by_how_much() -> None:
    judged = judge(
        {"macro_f1": 0.5, "ece": 0.3, "oos_auroc": 0.99},
        gates(minimum_macro_f1=0.9, maximum_ece=0.02, minimum_oos_auroc=0.9),
    )
    with pytest.raises(QualityGateError) as caught:
        refuse_missed(judged, report="there/report.html")
    error = caught.value
    assert error.exit_code == 3
    assert error.data["missed"] == ["minimum_macro_f1", "maximum_ece"]
    assert error.message == (
        "2 of 3 quality gates missed: minimum_macro_f1 0.9, found 0.5000 (0.4000 off); "
        "maximum_ece 0.02, found 0.3000 (0.2800 off); see there/report.html, improve the model, "
        "or change [gates]"
    )


def test_passed_gates_refuse_nothing() -> None:
    refuse_missed(judge({"macro_f1": 1.0}, gates(minimum_macro_f1=0.9)), report="report.html")
