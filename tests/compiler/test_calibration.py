"""Temperature and threshold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.calibration import fit_calibration, fit_temperature, fit_threshold
from edge_runtime.scoring import in_scope_scores

SCORES = st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=200)


def drawn(rows: int, *, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are ``temperature`` times too large, and truths drawn from the right ones."""
    chance = np.random.default_rng(1)
    right = chance.normal(size=(rows, 5)) * 2
    shares = np.exp(right) / np.exp(right).sum(axis=1, keepdims=True)
    truth = np.array([chance.choice(5, p=share) for share in shares])
    return (right * temperature).astype(np.float32), truth


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_logits_were_stretched_by_is_found(temperature: float) -> None:
    logits, truth = drawn(6000, temperature=temperature)
    assert fit_temperature(logits, truth) == pytest.approx(temperature, rel=0.05)


def test_logits_twice_as_large_get_twice_the_temperature() -> None:
    logits, truth = drawn(300, temperature=1.0)
    once, twice = fit_temperature(logits, truth), fit_temperature(2 * logits, truth)
    assert twice == pytest.approx(2 * once, rel=1e-3)


@pytest.mark.parametrize(("truth", "bound"), [([0, 1], 0.05), ([1, 0], 20.0)])
def test_a_model_that_is_always_right_or_wrong_gets_a_temperature_within_bounds(
    truth: list[int], bound: float
) -> None:
    logits = np.array([[1, 0], [0, 1]], dtype=np.float32)
    found = fit_temperature(logits, np.array(truth))
    assert 0.05 <= found <= 20.0
    assert found == pytest.approx(bound, rel=0.5)


@given(SCORES, st.floats(0, 0.5))
def test_the_threshold_rejects_no_more_than_the_wanted_share(
    scores: list[float], share: float
) -> None:
    logits = np.array([[score, -60.0] for score in scores], dtype=np.float32)
    threshold = fit_threshold(logits, in_scope_rejections=share)
    assert (in_scope_scores(logits) < threshold).sum() <= int(share * len(scores))


@given(st.integers(1, 200), st.floats(0, 0.5))
def test_the_threshold_rejects_exactly_the_wanted_share_of_distinct_scores(
    rows: int, share: float
) -> None:
    logits = np.array([[row / 4, -1.0] for row in range(rows)], dtype=np.float32)
    threshold = fit_threshold(logits, in_scope_rejections=share)
    assert (in_scope_scores(logits) < threshold).sum() == int(share * rows)


def test_the_threshold_lies_half_way_between_two_scores() -> None:
    logits = np.array([[1.0], [2.0], [4.0], [8.0]], dtype=np.float32)
    assert fit_threshold(logits, in_scope_rejections=0.5) == 3.0
    assert fit_threshold(logits, in_scope_rejections=0.0) == 0.999


def test_texts_out_of_scope_change_nothing() -> None:
    logits, truth = drawn(200, temperature=2.0)
    labels = tuple("abcde")
    intents = [labels[number] for number in truth]
    alone = fit_calibration(logits, intents, labels, in_scope_rejections=0.1)
    strange = np.full((40, 5), 30.0, dtype=np.float32)
    mixed = fit_calibration(
        np.concatenate([strange, logits]), [None] * 40 + intents, labels, in_scope_rejections=0.1
    )
    assert mixed == alone
    assert (in_scope_scores(logits) < alone.threshold).mean() == 0.1
