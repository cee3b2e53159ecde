"""The head that class means give, before any training."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from trainer.head import initialize_from_class_means


def head_for(embeddings: torch.Tensor, labels: list[int], *, scale: float = 20.0) -> nn.Linear:
    head = nn.Linear(embeddings.shape[1], max(labels) + 1)
    initialize_from_class_means(head, embeddings, torch.tensor(labels), scale=scale)
    return head


def test_one_text_an_intent_gets_the_scale_for_itself_and_nothing_for_the_others() -> None:
    head = head_for(torch.eye(3), [0, 1, 2], scale=20.0)
    assert torch.equal(head(torch.eye(3)), 20.0 * torch.eye(3))


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


def test_the_bias_is_zero() -> None:
    head = head_for(torch.randn(6, 4, generator=torch.Generator().manual_seed(1)), [0, 1] * 3)
    assert head.bias.tolist() == [0.0, 0.0]
