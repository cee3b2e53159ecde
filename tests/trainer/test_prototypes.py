"""A head's training texts, condensed."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.head import Head, normalize
from trainer.prototypes import with_prototypes

WIDTH = 32


def places(count: int, *, around: int, spread: float, seed: int = 1) -> NDArray[np.float32]:
    """Texts of length one around so many middles, the same number around each."""
    chance = np.random.default_rng(seed)
    middles = normalize(chance.normal(size=(around, WIDTH)).astype(np.float32))
    texts = middles[np.arange(count) % around]
    return normalize(texts + spread * chance.normal(size=texts.shape).astype(np.float32))


def head(*intents: NDArray[np.float32]) -> Head:
    return Head(
        weight=np.zeros((len(intents), WIDTH), dtype=np.float32),
        bias=np.zeros(len(intents), dtype=np.float32),
        normalized=True,
        directions=normalize(np.stack([texts.mean(axis=0) for texts in intents])),
        neighbours=np.concatenate(intents),
    )


def prototypes(*intents: NDArray[np.float32]) -> NDArray[np.float32]:
    found = with_prototypes(head(*intents)).prototypes
    assert found is not None
    return found


def test_few_texts_are_their_own_prototypes() -> None:
    texts = places(7, around=7, spread=0.0)
    found = prototypes(texts)
    assert found.shape == (7, WIDTH)
    np.testing.assert_allclose((found @ texts.T).max(axis=1), 1, atol=1e-3)
    assert len(set((found @ texts.T).argmax(axis=1).tolist())) == 7


def test_many_texts_are_told_by_the_middles_of_their_groups() -> None:
    texts = places(400, around=10, spread=0.02)
    found = prototypes(texts)
    assert found.shape == (10, WIDTH)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3)
    # One in each group, in its middle: nearer to its texts than they are to each other.
    middles = places(10, around=10, spread=0.0)
    assert sorted((found @ middles.T).argmax(axis=1).tolist()) == list(range(10))
    assert (found @ middles.T).max(axis=1).min() > 0.999


def test_each_intent_has_its_own() -> None:
    one, other = places(100, around=1, spread=0.05), places(5, around=1, spread=0.05, seed=2)
    assert len(prototypes(one, other)) == 15


def test_equal_texts_count_once() -> None:
    texts = np.repeat(places(3, around=3, spread=0.0), 20, axis=0)
    assert len(prototypes(texts)) == 3


def test_an_intent_that_takes_none_of_the_texts_has_none() -> None:
    one = places(20, around=2, spread=0.1)
    # Its mean lies farther from every text than the first one's.
    lost = msgspec.structs.replace(
        head(one, one), directions=normalize(np.stack([one.mean(axis=0), -one.mean(axis=0)]))
    )
    found = with_prototypes(lost).prototypes
    assert found is not None
    assert len(found) == 10


def test_they_are_the_same_each_time_and_as_a_file_holds_them() -> None:
    texts = places(2000, around=30, spread=0.2)
    found = prototypes(texts)
    np.testing.assert_array_equal(found, prototypes(texts))
    np.testing.assert_array_equal(found, found.astype(np.float16).astype(np.float32))


def test_a_head_of_a_bundle_has_nothing_to_condense() -> None:
    bare = msgspec.structs.replace(head(places(5, around=1, spread=0.1)), neighbours=None)
    with pytest.raises(ValueError, match="without directions and neighbours"):
        with_prototypes(bare)
