"""The report's curves, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import auc, roc_auc_score

from trainer.report.curves import reliability, risk_coverage, roc

SCORES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=60).map(np.array)


@settings(deadline=None)
@given(SCORES, SCORES, st.floats(-6, 6))
def test_the_area_below_the_roc_curve_is_the_auroc(
    in_scope: np.ndarray, outside: np.ndarray, threshold: float
) -> None:
    found = roc(in_scope, outside, threshold=threshold)
    x, y = zip(*found.points, strict=True)
    assert (found.points[0], found.points[-1]) == ((0, 0), (1, 1))
    labels = [1] * len(in_scope) + [0] * len(outside)
    expected = roc_auc_score(labels, np.concatenate([in_scope, outside]))
    assert auc(x, y) == pytest.approx(expected, abs=1e-5)
    passing = ((outside >= threshold).mean(), (in_scope >= threshold).mean())
    assert found.at_threshold == pytest.approx(passing, abs=1e-6)


def test_a_long_curve_is_thinned_without_losing_its_shape() -> None:
    chance = np.random.default_rng(1)
    in_scope, outside = chance.normal(3, 1, 4000), chance.normal(0, 1, 900)
    found = roc(in_scope, outside, threshold=1.0)
    assert 100 < len(found.points) <= 200
    x, y = zip(*found.points, strict=True)
    labels = [1] * 4000 + [0] * 900
    expected = roc_auc_score(labels, np.concatenate([in_scope, outside]))
    assert auc(x, y) == pytest.approx(expected, abs=0.002)


def test_the_risk_is_the_share_of_wrong_answers_among_the_surest() -> None:
    scores = np.array([0.1, 0.9, 0.5, 0.7])
    right = np.array([False, True, True, False])
    found = risk_coverage(scores, right, threshold=0.4)
    assert found.points == ((0.25, 0.0), (0.5, 0.5), (0.75, 0.333333), (1.0, 0.5))
    assert found.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4, abs=1e-6)
    assert found.at_threshold == (0.75, 0.333333)


def test_a_threshold_that_lets_nothing_pass_has_no_point() -> None:
    assert risk_coverage(np.array([1.0]), np.array([True]), threshold=2.0).at_threshold is None


def test_confidences_fall_into_bins_of_equal_width() -> None:
    # A logit that leads by log(p / (1 - p)) has confidence p.
    confidences = np.array([0.55, 0.59, 0.75, 0.99, 1.0])
    leads = np.array([*np.log(confidences[:4] / (1 - confidences[:4])), 200.0])
    logits = np.stack([leads, np.zeros(5)], axis=1).astype(np.float32)
    found = reliability(logits, np.array([0, 1, 0, 0, 0]), temperature=1.0)
    assert len(found.bins) == 15
    filled = [
        (one.low, one.high, one.utterances, one.accuracy) for one in found.bins if one.utterances
    ]
    assert filled == [
        (0.533333, 0.6, 2, 0.5),
        (0.733333, 0.8, 1, 1.0),
        (0.933333, 1.0, 2, 1.0),
    ]
    assert found.bins[8].confidence == pytest.approx(0.57)
    assert found.bins[0].accuracy is None
    assert found.ece == pytest.approx((0.14 + 0.25 + 0.01) / 5, abs=1e-5)


def test_a_higher_temperature_makes_every_confidence_smaller() -> None:
    logits = np.array([[4, 0], [0, 4]], dtype=np.float32)
    truth = np.array([0, 1])
    cold, hot = (reliability(logits, truth, temperature=value) for value in (1.0, 4.0))
    assert (cold.bins[14].utterances, hot.bins[14].utterances) == (2, 0)
    assert hot.ece > cold.ece
