from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_runtime.scoring import Calibration, in_scope_scores, probabilities

logits_of_texts = arrays(
    np.float32, (3, 5), elements=st.floats(min_value=-1e4, max_value=1e4, width=32)
)


def calibration(temperature: float) -> Calibration:
    return Calibration(temperature=temperature, score="max-logit", threshold=0.0)


@given(logits=logits_of_texts, temperature=st.floats(min_value=0.01, max_value=100))
def test_probabilities_are_a_distribution(
    logits: np.ndarray[tuple[int, int], np.dtype[np.float32]], temperature: float
) -> None:
    result = probabilities(logits, calibration(temperature))
    assert np.all(result >= 0)
    assert np.allclose(result.sum(axis=-1), 1)


@given(logits=logits_of_texts, temperature=st.floats(min_value=0.01, max_value=100))
def test_no_temperature_changes_which_intent_is_best(
    logits: np.ndarray[tuple[int, int], np.dtype[np.float32]], temperature: float
) -> None:
    result = probabilities(logits, calibration(temperature))
    best = np.argmax(logits, axis=-1)
    assert np.array_equal(result[np.arange(3), best], result.max(axis=-1))


def test_probabilities_follow_the_softmax() -> None:
    result = probabilities(np.log(np.array([1, 2, 5], dtype=np.float32)), calibration(1.0))
    assert result == pytest.approx([0.125, 0.25, 0.625])


def test_a_higher_temperature_is_less_sure() -> None:
    logits = np.array([0, 4], dtype=np.float32)
    assert (
        probabilities(logits, calibration(4.0)).max()
        < probabilities(logits, calibration(1.0)).max()
    )


def test_the_score_is_the_largest_logit_whatever_the_temperature() -> None:
    logits = np.array([[1, 7, -2], [-3, -1, -2]], dtype=np.float32)
    assert in_scope_scores(logits).tolist() == [7, -1]
