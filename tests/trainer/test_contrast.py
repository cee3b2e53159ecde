"""The contrastive loss of small sets."""

from __future__ import annotations

import math

import pytest
import torch

from trainer.contrast import Contrast

# Two intents of two texts each, and one text that is alone in its own.
TARGETS = torch.tensor([0, 0, 1, 1, 2])
EAST, NORTH = [1.0, 0.0], [0.0, 1.0]


def contrast(*embeddings: list[float]) -> Contrast:
    made = Contrast(TARGETS)
    made.look(torch.tensor(embeddings))
    return made


def test_it_is_the_likeness_to_ones_own_among_all_others() -> None:
    made = contrast(EAST, EAST, NORTH, NORTH, NORTH)

    found = made.distance(torch.tensor([EAST]), [0])

    # One text of its intent has cosine 1; three others have 0; it is not compared with itself.
    own, other = math.exp(1 / 0.1), math.exp(0)
    assert float(found) == pytest.approx(-math.log(own / (own + 3 * other)), abs=1e-6)


def test_lengths_do_not_count() -> None:
    one = contrast(EAST, EAST, NORTH, NORTH, NORTH)
    other = contrast([5.0, 0.0], [0.1, 0.0], NORTH, [0.0, 7.0], NORTH)
    text = torch.tensor([[0.6, 0.8]])

    assert float(one.distance(text, [0])) == pytest.approx(float(other.distance(3 * text, [0])))


def test_the_parts_of_a_batch_add_up_to_the_whole() -> None:
    made = contrast(EAST, [0.8, 0.6], NORTH, [0.6, 0.8], [-1.0, 0.0])
    texts = torch.tensor([EAST, [0.5, 0.5], NORTH, [0.1, 0.9]])

    whole = made.distance(texts, [0, 1, 2, 3])
    parts = [made.distance(texts[row : row + 1], [row]) for row in range(4)]

    assert float(whole) == pytest.approx(float(sum(parts)))
    assert float(whole) > 0


def test_a_text_that_is_alone_in_its_intent_counts_nothing() -> None:
    made = contrast(EAST, EAST, NORTH, NORTH, NORTH)

    assert float(made.distance(torch.tensor([NORTH]), [4])) == 0.0


def test_the_gradient_draws_a_text_to_its_own() -> None:
    made = contrast(EAST, EAST, NORTH, NORTH, NORTH)
    text = torch.tensor([[0.6, 0.8]], requires_grad=True)

    made.distance(text, [0]).backward()

    assert text.grad is not None
    east, north = (-text.grad[0]).tolist()
    assert east > 0 > north
