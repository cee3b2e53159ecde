"""Measures, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.scoring import Calibration, ScorePart
from trainer.calibration import Predictions
from trainer.measures import (
    Measures,
    expected_calibration_error,
    false_positive_rate,
    measure,
)

LABELS = ("a", "b", "c")


def measured(
    rows: list[tuple[float, float, float]], intents: list[str | None], *, threshold: float = -9.0
) -> Measures:
    """Measure logits, with the largest of each row as its score."""
    logits = np.array(rows, dtype=np.float32)
    predictions = Predictions(
        logits=logits,
        scores=logits.max(axis=1).astype(np.float64),
        calibration=Calibration(
            temperature=1.0, score=(ScorePart(name="max-logit"),), threshold=threshold
        ),
    )
    return measure(predictions, intents, LABELS)


def test_accuracy_and_macro_f1() -> None:
    # Answers a, a, b, b; the truth is a, b, b, b.
    found = measured([(5, 0, 0), (5, 0, 0), (0, 5, 0), (0, 5, 0)], ["a", "b", "b", "b"])
    assert found.in_scope_accuracy == found.overall_accuracy == 0.75
    # a: precision 1/2, recall 1, F1 2/3. b: precision 1, recall 2/3, F1 4/5. c never occurs.
    assert found.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert (found.oos_auroc, found.oos_fpr95, found.oos_recall) == (None, None, None)


def test_an_intent_that_is_never_right_counts_as_nothing() -> None:
    found = measured([(5, 0, 0), (5, 0, 0)], ["a", "c"])
    # a: precision 1/2, recall 1, F1 2/3. c: F1 0.
    assert found.macro_f1 == pytest.approx(1 / 3)


def test_texts_out_of_scope_count_for_their_own_measures_alone() -> None:
    # In scope 5 and 2, out of scope 3 and 1: three of four pairs are in the right order.
    found = measured([(5, 0, 0), (0, 2, 0), (3, 0, 0), (0, 0, 1)], ["a", "b", None, None])
    assert (found.in_scope_accuracy, found.macro_f1, found.oos_auroc) == (1.0, 1.0, 0.75)
    # Of those out of scope the 3 alone reaches the 2 that all in scope reach.
    assert found.oos_fpr95 == 0.5


def test_the_threshold_decides_what_a_user_gets() -> None:
    # Right; right but rejected; found; missed; wrong.
    found = measured(
        [(5, 0, 0), (0, 2, 0), (1, 0, 0), (0, 0, 4), (6, 0, 0)],
        ["a", "b", None, None, "b"],
        threshold=3.0,
    )
    assert found.in_scope_rejected == pytest.approx(1 / 3)
    assert found.oos_recall == 0.5
    assert found.overall_accuracy == pytest.approx(2 / 5)
    assert found.in_scope_accuracy == pytest.approx(2 / 3)


def test_the_calibration_error_of_two_bins() -> None:
    confidences = np.array([0.92, 0.94, 0.61, 0.65])
    right = np.array([True, True, True, False])
    # Mean confidence and accuracy: 0.93 and 1; 0.63 and 0.5.
    expected = (2 * 0.07 + 2 * 0.13) / 4
    assert expected_calibration_error(confidences, right) == pytest.approx(expected)


def test_confidences_at_the_edges_have_a_bin() -> None:
    assert expected_calibration_error(np.array([0.0, 1.0]), np.array([False, True])) == 0.0


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_one_bin_is_the_distance_of_the_means(pairs: list[tuple[float, bool]]) -> None:
    confidences = np.array([confidence for confidence, _ in pairs])
    right = np.array([truth for _, truth in pairs])
    found = expected_calibration_error(confidences, right, bins=1)
    assert found == pytest.approx(abs(confidences.mean() - right.mean()), abs=1e-9)


def test_the_false_positive_rate_is_taken_where_19_of_20_pass() -> None:
    in_scope = np.arange(20.0)
    # The worst may fail: the bound is 1.
    assert false_positive_rate(in_scope, np.array([0.5, 1.0, 30.0, -1.0])) == 0.5


def test_scores_that_are_apart_let_nothing_pass() -> None:
    assert false_positive_rate(np.array([2.0, 3.0]), np.array([1.0, 0.0])) == 0.0
