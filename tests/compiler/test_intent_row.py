"""The row of one more intent."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from compiler.intent_row import describe_others, fit_row, grow
from edge_runtime.head import Head, normalize

TAKEN = 0.001
HIDDEN, INTENTS, TEXTS = 16, 12, 2000
DEVIATION = 0.06


@pytest.fixture
def world() -> tuple[Head, NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    """A head, texts of its intents with their labels, and examples of an intent beside the first.

    Everything is drawn with one seed; the texts lie normally around their intent's mean.
    """
    chance = np.random.default_rng(4)
    means = normalize(chance.standard_normal((INTENTS, HIDDEN)).astype(np.float32))
    noise = chance.standard_normal((INTENTS, TEXTS, HIDDEN)).astype(np.float32) * DEVIATION
    texts = (means[:, None] + noise).reshape(-1, HIDDEN)
    labels = np.repeat(np.arange(INTENTS), TEXTS)
    whitening = np.eye(HIDDEN, dtype=np.float32) / np.float32(DEVIATION)
    head = Head(
        weight=means * 20,
        bias=np.zeros(INTENTS, dtype=np.float32),
        normalized=False,
        whitening=whitening,
        whitened_means=means @ whitening,
    )
    near = normalize(means[0] + chance.standard_normal(HIDDEN).astype(np.float32) * np.float32(0.3))
    examples = near + chance.standard_normal((10, HIDDEN)).astype(np.float32) * DEVIATION
    return head, texts, labels, examples.astype(np.float32)


def test_a_new_row_leaves_the_others_nearly_all_of_their_texts(
    world: tuple[Head, NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]],
) -> None:
    head, texts, labels, examples = world
    grown = grow(head, examples, fit_row(describe_others(head, None), examples, taken=TAKEN))
    before = head.logits(texts).argmax(axis=1) == labels
    after = grown.logits(texts).argmax(axis=1) == labels
    assert before.mean() - after.mean() <= 0.002
    assert (grown.logits(examples).argmax(axis=1) == head.labels).mean() >= 0.5


def test_the_examples_are_their_own_prototypes_and_neighbours(
    world: tuple[Head, NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]],
) -> None:
    head, texts, _, examples = world
    head = msgspec.structs.replace(head, prototypes=normalize(texts[:7]))
    grown = grow(head, examples, fit_row(describe_others(head, None), examples, taken=TAKEN))
    assert grown.prototypes is not None
    np.testing.assert_allclose(grown.prototypes, normalize(np.vstack([texts[:7], examples])))
    assert grown.neighbours is None


def test_examples_that_belong_to_another_intent_take_nothing_from_it(
    world: tuple[Head, NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]],
) -> None:
    head, texts, labels, _ = world
    grown = grow(head, texts[:10], fit_row(describe_others(head, None), texts[:10], taken=TAKEN))
    before = head.logits(texts).argmax(axis=1) == labels
    after = grown.logits(texts).argmax(axis=1) == labels
    assert before.mean() - after.mean() <= 0.002


def test_texts_that_lie_further_out_than_those_of_training_lower_the_bias(
    world: tuple[Head, NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]],
) -> None:
    head, _, _, examples = world
    biases = [
        fit_row(
            describe_others(head, spread),
            examples,
            taken=TAKEN,
        ).bias
        for spread in (1.0, 1.4, 2.0)
    ]
    assert biases == sorted(biases, reverse=True)
    assert len(set(biases)) == 3


def test_the_row_is_as_long_as_the_others(
    world: tuple[Head, NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]],
) -> None:
    head, _, _, examples = world
    row = fit_row(describe_others(head, None), examples, taken=TAKEN)
    assert np.linalg.norm(row.weight) == pytest.approx(20.0)
