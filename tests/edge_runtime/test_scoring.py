from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edge_runtime.head import Head
from edge_runtime.scoring import (
    NEEDED_ARRAYS,
    SCORES,
    Calibration,
    ScoreName,
    ScorePart,
    in_scope_scores,
    missing_arrays,
    probabilities,
    score_values,
)

logits_of_texts = arrays(
    np.float32, (3, 5), elements=st.floats(min_value=-1e4, max_value=1e4, width=32)
)
# Two intents, one along each axis; the second is twice as wide as the first direction says.
HEAD = Head(
    weight=np.array([[4, 0], [0, 4]], dtype=np.float32),
    bias=np.array([0, 1], dtype=np.float32),
    normalized=False,
    directions=np.eye(2, dtype=np.float32),
    whitening=np.diag([1.0, 0.5]).astype(np.float32),
    whitened_means=np.array([[1, 0], [0, 0.5]], dtype=np.float32),
    prototypes=np.array([[0, 1], [0.8, 0.6]], dtype=np.float32),
    neighbours=np.array([[0.6, 0.8], [1, 0]], dtype=np.float32),
)


def calibration(temperature: float) -> Calibration:
    return Calibration(temperature=temperature, score=(ScorePart(name="max-logit"),), threshold=0.0)


def score(name: ScoreName, *rows: tuple[float, float]) -> list[float]:
    embeddings: NDArray[np.float32] = np.array(rows, dtype=np.float32)
    found: list[float] = score_values(name, embeddings, HEAD.logits(embeddings), head=HEAD).tolist()
    return found


@given(logits=logits_of_texts, temperature=st.floats(min_value=0.01, max_value=100))
def test_probabilities_are_a_distribution(logits: NDArray[np.float32], temperature: float) -> None:
    result = probabilities(logits, calibration(temperature))
    assert np.all(result >= 0)
    assert np.allclose(result.sum(axis=-1), 1)


@given(logits=logits_of_texts, temperature=st.floats(min_value=0.01, max_value=100))
def test_no_temperature_changes_which_intent_is_best(
    logits: NDArray[np.float32], temperature: float
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


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Logits (4, 1) and (0, 9).
        ("max-logit", [4, 9]),
        ("energy", [np.log(np.exp(4) + np.exp(1)), np.log(1 + np.exp(9))]),
        ("max-probability", [-np.log1p(np.exp(-3)), -np.log1p(np.exp(-9))]),
        ("class-mean-cosine", [1, 1]),
        ("nearest-prototype", [0.8, 1]),
        ("nearest-neighbour", [1, 0.8]),
        # Of two texts the farthest.
        ("tenth-neighbour", [0.6, 0]),
        # The second lies one beyond its mean, along the wide direction.
        ("mahalanobis", [0, -0.25]),
    ],
)
def test_a_score_follows_its_formula(name: ScoreName, expected: list[float]) -> None:
    assert score(name, (1, 0), (0, 2)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", SCORES)
def test_one_text_gets_the_score_that_it_gets_among_others(name: ScoreName) -> None:
    embedding = np.array([0.3, -0.9], dtype=np.float32)
    alone = score_values(name, embedding, HEAD.logits(embedding), head=HEAD)
    assert alone.shape == ()
    assert score(name, (5, 5), (0.3, -0.9))[1] == pytest.approx(float(alone), rel=1e-6)


def test_the_tenth_neighbour_has_nine_that_are_nearer() -> None:
    angles = np.deg2rad(np.arange(1, 13))
    texts = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    head = msgspec.structs.replace(HEAD, neighbours=texts[::-1])
    embedding = np.array([[3, 0]], dtype=np.float32)
    found = score_values("tenth-neighbour", embedding, HEAD.logits(embedding), head=head)
    assert found == pytest.approx([np.cos(np.deg2rad(10))])


def test_the_energy_of_large_logits_is_finite() -> None:
    logits = np.array([1e4, -1e4], dtype=np.float32)
    assert score_values("energy", logits, logits, head=HEAD) == pytest.approx(1e4)


def test_fused_scores_are_the_mean_of_standardised_parts() -> None:
    embedding = np.array([1, 0], dtype=np.float32)
    parts = (
        ScorePart(name="max-logit", mean=2.0, deviation=4.0),
        ScorePart(name="mahalanobis", mean=-3.0, deviation=2.0),
    )
    found = in_scope_scores(embedding, HEAD.logits(embedding), head=HEAD, parts=parts)
    assert found == pytest.approx((0.5 + 1.5) / 2)


@pytest.mark.parametrize("name", sorted(NEEDED_ARRAYS))
def test_what_a_head_lacks_for_a_score_is_named(name: ScoreName) -> None:
    bare = Head(weight=HEAD.weight, bias=HEAD.bias, normalized=False)
    parts = (ScorePart(name="max-logit"), ScorePart(name=name))
    assert missing_arrays(parts, bare) == sorted(NEEDED_ARRAYS[name])
    assert missing_arrays(parts, HEAD) == []


def test_a_calibration_without_a_spread_is_written_as_before_there_was_one() -> None:
    written = msgspec.json.encode(calibration(2.0))
    assert b"spread" not in written
    assert msgspec.json.decode(written, type=Calibration) == calibration(2.0)
    wide = msgspec.structs.replace(calibration(2.0), spread=1.25)
    assert msgspec.json.decode(msgspec.json.encode(wide), type=Calibration).spread == 1.25


def test_a_part_without_spread_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="deviation"):
        msgspec.convert({"name": "energy", "deviation": 0}, ScorePart)
