"""The comparison of ways to find the threshold."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.threshold_benchmark import compare_quantiles, compare_with_out_of_scope

CHANCE = np.random.default_rng(5)
SCORES = CHANCE.normal(4, 1, 1200)
RIGHT = CHANCE.random(1200) < 0.98
OUTSIDE = CHANCE.normal(0, 1, 100)


def test_thresholds_of_normal_scores_reject_about_the_wanted_share() -> None:
    found = compare_quantiles(SCORES, wanted=0.05)
    assert list(found) == ["50", "100", "300", "1000"]
    for methods in found.values():
        assert set(methods) == {"empirical", "harrell-davis", "normal"}
        for one in methods.values():
            assert one.rejected == pytest.approx(0.05, abs=0.015)
    assert found["1000"]["empirical"].error < found["50"]["empirical"].error


def test_a_look_at_out_of_scope_texts_pays_where_the_limit_is_loose() -> None:
    found = compare_with_out_of_scope(SCORES, RIGHT, OUTSIDE, wanted=0.03, folds=5, repeats=2)
    assert [one.limit for one in found] == [0.03, 0.1, 0.2]
    for one in found:
        assert one.in_scope.in_scope_rejected == pytest.approx(one.limit, abs=0.01)
        assert one.balanced.in_scope_rejected <= one.limit + 0.01
    loose = found[-1]
    assert loose.balanced.in_scope_right > loose.in_scope.in_scope_right + 0.1
    assert loose.balanced.oos_recall > 0.9


def test_a_few_out_of_scope_texts_compare_nothing() -> None:
    found = compare_with_out_of_scope(SCORES, RIGHT, OUTSIDE[:9], wanted=0.03, folds=5, repeats=1)
    assert found == ()
