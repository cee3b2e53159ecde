"""The gate, on cases that can be counted by hand."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from compiler.config import CompileSettings
from compiler.errors import QualityGateError
from compiler.parity import Parity, compare, refusals
from edge_runtime.scoring import Calibration, ScorePart
from trainer.calibration import Predictions

LABELS = ("a", "b")
# The third and fourth are out of scope.
INTENTS = ["a", "b", None, None]


def said(*rows: tuple[float, float], threshold: float = 2.0) -> Predictions:
    logits = np.array(rows, dtype=np.float32)
    return Predictions(
        logits=logits,
        scores=logits.max(axis=1).astype(np.float64),
        calibration=Calibration(
            temperature=1.0, score=(ScorePart(name="max-logit"),), threshold=threshold
        ),
    )


REFERENCE = said((5, 0), (0, 5), (1, 0), (4, 0))


def parity(**changes: float) -> Parity:
    same = compare(REFERENCE, REFERENCE, INTENTS, LABELS)
    return msgspec.structs.replace(same, utterances=100, in_scope=80, **changes)


@pytest.fixture
def settings(compile_settings: CompileSettings) -> CompileSettings:
    return msgspec.structs.replace(
        compile_settings, maximum_changed_answers=0.02, maximum_accuracy_drop=0.025
    )


def test_an_answer_below_the_threshold_is_out_of_scope() -> None:
    assert REFERENCE.answers().tolist() == [0, 1, -1, 0]


def test_a_model_compared_with_itself_is_the_same() -> None:
    assert compare(REFERENCE, REFERENCE, INTENTS, LABELS) == Parity(
        utterances=4,
        in_scope=2,
        changed_answers=0.0,
        changed_intents=0.0,
        max_logit_difference=0.0,
        accuracy=1.0,
        reference_accuracy=1.0,
        in_scope_rejected=0.0,
        out_of_scope_recall=0.5,
        ece=pytest.approx(0.0067, abs=1e-4),
    )


def test_another_intent_and_another_decision_both_change_the_answer() -> None:
    # The first turns to b, the third comes into scope.
    found = compare(said((5, 5.5), (0, 5), (3, 0), (4, 0)), REFERENCE, INTENTS, LABELS)
    assert found.changed_answers == 0.5
    assert found.changed_intents == 0.5
    assert found.max_logit_difference == 5.5
    assert (found.accuracy, found.reference_accuracy) == (0.5, 1.0)
    assert (found.in_scope_rejected, found.out_of_scope_recall) == (0.0, 0.0)


def test_each_form_decides_with_its_own_threshold() -> None:
    tenth = said((0.5, 0), (0, 0.5), (0.1, 0), (0.4, 0), threshold=0.2)
    found = compare(tenth, REFERENCE, INTENTS, LABELS)
    assert (found.changed_answers, found.max_logit_difference) == (0.0, 4.5)


def test_an_in_scope_text_that_is_called_out_of_scope_changes_its_answer_but_not_its_intent() -> (
    None
):
    found = compare(said((1, 0), (0, 5), (1, 0), (4, 0)), REFERENCE, INTENTS, LABELS)
    assert (found.changed_answers, found.changed_intents) == (0.25, 0.0)
    assert (found.accuracy, found.in_scope_rejected) == (1.0, 0.5)


def test_without_texts_out_of_scope_there_is_no_recall_of_them() -> None:
    found = compare(said((5, 0)), said((5, 0)), ["a"], LABELS)
    assert found.out_of_scope_recall is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"changed_answers": 0.02}, None),
        ({"changed_answers": 0.03}, "it changes 3 of 100 answers, at most 2 may"),
        ({"accuracy": 0.975}, None),
        ({"accuracy": 0.9625}, "it loses 3 of 80 in-scope answers, at most 2 may be lost"),
        ({"max_logit_difference": 1e-4}, None),
        ({"max_logit_difference": 2e-4}, "its logits differ by 0.0002, at most 0.0001 may"),
        ({"max_logit_difference": float("nan")}, "its logits are not finite"),
        ({"max_logit_difference": float("inf")}, "its logits are not finite"),
    ],
)
def test_the_gate_for_fp32(
    settings: CompileSettings, changes: dict[str, float], reason: str | None
) -> None:
    assert refusals("fp32", parity(**changes), settings) == ([reason] if reason else [])


def test_small_numbers_may_move_logits_as_long_as_answers_stay(settings: CompileSettings) -> None:
    assert refusals("int8", parity(max_logit_difference=3.0), settings) == []


def test_a_better_variant_is_not_refused(settings: CompileSettings) -> None:
    assert refusals("int8", parity(reference_accuracy=0.5), settings) == []


def test_every_reason_is_told(settings: CompileSettings) -> None:
    worst = parity(changed_answers=1.0, accuracy=0.0, max_logit_difference=9.0)
    assert len(refusals("fp32", worst, settings)) == 3


def test_a_share_is_rounded_up_to_a_whole_utterance(settings: CompileSettings) -> None:
    few = msgspec.structs.replace(parity(), utterances=10, changed_answers=0.1)
    assert refusals("int8", few, settings) == []
    none = msgspec.structs.replace(settings, maximum_changed_answers=0.0)
    assert refusals("int8", few, none) == ["it changes 1 of 10 answers, at most 0 may"]


def test_a_refusal_ends_a_task_with_exit_code_3() -> None:
    assert QualityGateError("refused").exit_code == 3
