"""Bootstrap intervals, against a bootstrap that draws utterances one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import f1_score, roc_auc_score

from trainer.measures import false_positive_rate
from trainer.resampling import (
    Interval,
    difference_interval,
    macro_f1_interval,
    percentile_interval,
    resample_separation,
    share_interval,
    wilson_interval,
)

ROWS = 200
CHANCE = np.random.default_rng(7)
TRUTH = CHANCE.integers(0, 4, ROWS)
BEST = np.where(CHANCE.random(ROWS) < 0.8, TRUTH, CHANCE.integers(0, 4, ROWS))
RIGHT = TRUTH == BEST
OTHER = CHANCE.random(ROWS) < 0.7
# Whole numbers, so that there are ties.
SCORES = np.round(CHANCE.normal(2, 2, ROWS))
OUTSIDE = np.round(CHANCE.normal(0, 2, 50))


def drawn_one_by_one(measure: Callable[[np.ndarray], float]) -> tuple[float, float]:
    chance = np.random.default_rng(11)
    values = [measure(chance.integers(0, ROWS, ROWS)) for _ in range(1500)]
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def near(interval: Interval, expected: tuple[float, float]) -> bool:
    return (interval.low, interval.high) == pytest.approx(expected, abs=0.012)


def test_the_interval_of_a_share_is_that_of_drawing_utterances() -> None:
    found = share_interval(RIGHT, resamples=4000, seed=1)
    assert near(found, drawn_one_by_one(lambda rows: RIGHT[rows].mean()))
    assert found.low < RIGHT.mean() < found.high


def test_the_interval_of_a_difference_keeps_the_pairs_together() -> None:
    found = difference_interval(RIGHT, OTHER, resamples=4000, seed=1)
    assert near(found, drawn_one_by_one(lambda rows: RIGHT[rows].mean() - OTHER[rows].mean()))
    assert difference_interval(RIGHT, RIGHT, resamples=100, seed=1) == Interval(low=0, high=0)


def test_the_interval_of_macro_f1_is_that_of_drawing_utterances() -> None:
    found = macro_f1_interval(TRUTH, BEST, resamples=4000, seed=1)
    expected = drawn_one_by_one(lambda rows: f1_score(TRUTH[rows], BEST[rows], average="macro"))
    assert near(found, expected)


def test_an_intent_that_a_resample_lacks_is_no_mistake() -> None:
    one_rare = np.array([0] * 20 + [1])
    assert macro_f1_interval(one_rare, one_rare, resamples=500, seed=1) == Interval(low=1, high=1)


def test_the_same_seed_draws_the_same_texts() -> None:
    once, again, other = (
        resample_separation(SCORES[None], OUTSIDE[None], resamples=300, seed=seed).aurocs.tolist()
        for seed in (1, 1, 2)
    )
    assert once == again != other


@settings(deadline=None)
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_is_scipys(counts: tuple[int, int]) -> None:
    right, total = counts
    expected = binomtest(right, total).proportion_ci(method="wilson")
    found = wilson_interval(right, total)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-6)


def separation_of(kept: np.ndarray, passed: np.ndarray) -> tuple[float, float]:
    truth = np.repeat([1, 0], [len(kept), len(passed)])
    auroc = roc_auc_score(truth, np.concatenate([kept, passed]))
    return float(auroc), false_positive_rate(kept, passed)


def test_separation_is_that_of_drawing_texts_one_by_one() -> None:
    found = resample_separation(SCORES[None], OUTSIDE[None], resamples=4000, seed=1)
    chance = np.random.default_rng(11)
    drawn = np.array(
        [
            separation_of(
                SCORES[chance.integers(0, ROWS, ROWS)], OUTSIDE[chance.integers(0, 50, 50)]
            )
            for _ in range(1500)
        ]
    )
    assert np.mean(found.aurocs) == pytest.approx(drawn[:, 0].mean(), abs=0.005)
    assert np.mean(found.false_positive_rates) == pytest.approx(drawn[:, 1].mean(), abs=0.02)
    for values, others in zip((found.aurocs, found.false_positive_rates), drawn.T, strict=True):
        low, high = np.quantile(others, [0.025, 0.975])
        assert near(percentile_interval(values[0]), (low, high))


@given(st.integers(0, 1000), st.integers(1, 30), st.integers(1, 20))
@settings(max_examples=50, deadline=None)
def test_scores_that_are_equal_do_not_differ_in_any_resample(
    seed: int, own: int, other: int
) -> None:
    chance = np.random.default_rng(seed)
    kept, passed = chance.integers(0, 4, own) * 1.0, chance.integers(0, 4, other) * 1.0
    # The second is the first on another scale: it tells the texts apart as well.
    found = resample_separation(
        np.stack([kept, kept * 2]), np.stack([passed, passed * 2]), resamples=20, seed=seed
    )
    assert (found.aurocs[0] == found.aurocs[1]).all()
    assert (found.false_positive_rates[0] == found.false_positive_rates[1]).all()
    assert ((found.aurocs >= 0) & (found.aurocs <= 1)).all()


def test_one_text_of_each_kind_gives_the_measure_itself() -> None:
    found = resample_separation(np.array([[2.0]]), np.array([[1.0]]), resamples=3, seed=1)
    assert found.aurocs.tolist() == [[1, 1, 1]]
    assert found.false_positive_rates.tolist() == [[0, 0, 0]]
