"""The report's tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from trainer.report.tables import confused_pairs, intent_rows, length_bins

LABELS = ("a", "b", "c", "d")
PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=50)


@settings(deadline=None)
@given(PAIRS)
def test_precision_recall_and_f1_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    truth, best = (np.array(column) for column in zip(*pairs, strict=True))
    rows = intent_rows(truth, best, np.zeros(len(truth), dtype=bool), LABELS)
    expected = precision_recall_fscore_support(truth, best, labels=range(4), zero_division=np.nan)
    for row in rows:
        number = LABELS.index(row.intent)
        precision, recall, _, support = (column[number] for column in expected)
        assert row.support == support
        assert (row.precision is None) == (row.predicted == 0)
        assert (row.recall is None) == (support == 0)
        if row.precision is not None:
            assert row.precision == pytest.approx(precision, abs=1e-6)
        if row.recall is not None:
            assert row.recall == pytest.approx(recall, abs=1e-6)
        if row.precision and row.recall:
            both = 2 * row.precision * row.recall / (row.precision + row.recall)
            assert row.f1 == pytest.approx(both, abs=1e-5)


def test_the_worst_intent_comes_first_and_one_without_utterances_last() -> None:
    truth, best = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0])
    rejected = np.array([True, False, False, True])
    rows = intent_rows(truth, best, rejected, ("good", "bad", "unseen"))
    assert [(row.intent, row.f1, row.rejected) for row in rows] == [
        ("bad", 0.666667, 1),
        ("good", 0.8, 1),
        ("unseen", None, 0),
    ]


def test_wrong_answers_are_grouped_the_most_frequent_pair_first() -> None:
    found = confused_pairs(
        [0, 1, 2, 3],
        intents=["a", "b", "b", None],
        answers=["b", "c", "c", "a"],
        texts=["one", "two", "three", "four"],
        confidences=np.array([0.5, 0.4, 0.9, 0.3]),
        pairs=2,
        examples=1,
    )
    assert [(pair.intent, pair.answer, pair.count) for pair in found] == [
        ("b", "c", 2),
        ("a", "b", 1),
    ]
    assert [(one.text, one.confidence) for one in found[0].examples] == [("three", 0.9)]


def test_lengths_fall_into_bins_and_empty_ones_are_left_out() -> None:
    found = length_bins(np.array([3, 4, 5, 12, 500]), np.array([True, False, True, True, True]))
    assert [(one.low, one.high, one.utterances, one.accuracy) for one in found] == [
        (0, 4, 2, 0.5),
        (5, 8, 1, 1.0),
        (9, 12, 1, 1.0),
        (129, None, 1, 1.0),
    ]
    assert found[0].interval.low < 0.5 < found[0].interval.high
