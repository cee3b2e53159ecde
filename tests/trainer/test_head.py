"""The head that class means give before any training, and what is kept beside it after."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from edge_runtime.head import Head
from edge_runtime.scoring import score_values
from trainer.head import describe_head, initialize_from_class_means


def head_for(
    embeddings: torch.Tensor, labels: list[int], *, scale: float = 20.0, normalized: bool = False
) -> nn.Linear:
    head = nn.Linear(embeddings.shape[1], max(labels) + 1)
    initialize_from_class_means(
        head, embeddings, torch.tensor(labels), scale=scale, normalized=normalized
    )
    return head


def test_one_text_an_intent_gets_the_scale_for_itself_and_nothing_for_the_others() -> None:
    head = head_for(torch.eye(3), [0, 1, 2], scale=20.0)
    assert torch.equal(head(torch.eye(3)), 20.0 * torch.eye(3))


@settings(deadline=None)
@given(st.integers(0, 2**31), st.floats(1.0, 50.0))
def test_logits_are_the_scale_times_the_cosine_for_vectors_of_length_one(
    seed: int, scale: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    embeddings = nn.functional.normalize(torch.randn(12, 8, generator=generator), dim=1)
    labels = [0, 1, 2] * 4
    head = head_for(embeddings, labels, scale=scale)
    means = torch.stack([embeddings[number::3].mean(dim=0) for number in range(3)])
    cosines = nn.functional.cosine_similarity(embeddings[:, None], means[None], dim=2)
    torch.testing.assert_close(head(embeddings), scale * cosines, rtol=1e-4, atol=1e-4)


def test_a_long_vector_moves_its_mean_no_more_than_a_short_one() -> None:
    embeddings = torch.tensor([[100.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    head = head_for(embeddings, [0, 0, 1])
    first, second = head.weight[0].tolist()
    assert first == pytest.approx(second)


def test_the_logit_of_a_match_is_the_scale_at_the_mean_length() -> None:
    head = head_for(5.0 * torch.eye(2), [0, 1], scale=7.0)
    assert head(torch.tensor([[5.0, 0.0]])).tolist() == [[pytest.approx(7.0), 0.0]]


def test_a_normalized_head_gets_the_scale_whatever_the_length() -> None:
    head = head_for(5.0 * torch.eye(2), [0, 1], scale=7.0, normalized=True)
    assert head(torch.tensor([[1.0, 0.0]])).tolist() == [[pytest.approx(7.0), 0.0]]


def described(embeddings: NDArray[np.float32], labels: list[int], *, normalized: bool) -> Head:
    layer = nn.Linear(embeddings.shape[1], max(labels) + 1)
    return describe_head(layer, embeddings, np.array(labels), normalized=normalized)


def clouds(seed: int = 1) -> tuple[NDArray[np.float32], list[int]]:
    """Two intents of 400 texts, ten times as wide along the first axis as along the others."""
    chance = np.random.default_rng(seed)
    spread = chance.normal(size=(800, 4)) * np.array([10.0, 1.0, 1.0, 1.0])
    labels = [0, 1] * 400
    middles = np.array([[30.0, 20, 0, 0], [30.0, -20, 0, 0]])
    return (middles[labels] + spread).astype(np.float32), labels


def test_the_layer_is_kept_as_it_was_trained() -> None:
    layer = nn.Linear(4, 2)
    embeddings, labels = clouds()
    head = describe_head(layer, embeddings, np.array(labels), normalized=False)
    expected = layer(torch.from_numpy(embeddings)).detach().numpy()
    np.testing.assert_allclose(head.logits(embeddings), expected, rtol=1e-4, atol=1e-4)


def test_in_whitened_space_the_intents_are_round() -> None:
    embeddings, labels = clouds()
    head = described(embeddings, labels, normalized=False)
    assert head.whitening is not None
    assert head.whitened_means is not None
    residuals = embeddings @ head.whitening - head.whitened_means[labels]
    covariance = np.cov(residuals.T)
    np.testing.assert_allclose(np.diag(covariance), 1, atol=0.3)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.1


def test_a_distance_along_the_wide_axis_counts_less() -> None:
    embeddings, labels = clouds()
    head = described(embeddings, labels, normalized=False)
    along, across = np.array([[40, 20, 0, 0], [30, 20, 10, 0]], dtype=np.float32)
    both = np.stack([along, across])
    near, far = score_values("mahalanobis", both, head.logits(both), head=head)
    assert near > 10 * far


@pytest.mark.parametrize("normalized", [True, False])
def test_a_training_text_is_its_own_neighbour_and_near_its_direction(normalized: bool) -> None:
    embeddings, labels = clouds()
    head = described(embeddings, labels, normalized=normalized)
    logits = head.logits(embeddings)
    nearest = score_values("nearest-neighbour", embeddings, logits, head=head)
    np.testing.assert_allclose(nearest, 1, atol=1e-5)
    assert (score_values("class-mean-cosine", embeddings, logits, head=head) <= 1 + 1e-5).all()


def test_one_text_an_intent_gives_finite_scores() -> None:
    embeddings = np.eye(3, dtype=np.float32)
    head = described(embeddings, [0, 1, 2], normalized=True)
    scores = score_values("mahalanobis", embeddings, head.logits(embeddings), head=head)
    assert np.isfinite(scores).all()


def test_the_bias_is_zero() -> None:
    head = head_for(torch.randn(6, 4, generator=torch.Generator().manual_seed(1)), [0, 1] * 3)
    assert head.bias.tolist() == [0.0, 0.0]


class TestNeighbours:
    def kept(self, labels: list[int]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The neighbours of so many texts, and which rows they are."""
        angles = np.linspace(0.1, 1.5, len(labels))
        rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
        found = described(rows, labels, normalized=True).neighbours
        assert found is not None
        numbers = np.searchsorted(rows[:, 1], found[:, 1] - 1e-7)
        return found, numbers

    def test_up_to_twenty_thousand_texts_are_all_kept(self) -> None:
        found, _ = self.kept([0, 1] * 10_000)
        assert len(found) == 20_000

    def test_of_more_an_even_choice_is_kept_in_which_a_rare_intent_is_whole(self) -> None:
        labels = [2] * 50 + [0] * 30_000 + [1] * 15_000
        found, numbers = self.kept(labels)
        assert len(found) == 20_000
        assert (np.diff(numbers) > 0).all()
        assert np.bincount(np.array(labels)[numbers]).tolist() == [9_975, 9_975, 50]
