"""The contrastive loss."""

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
    made.look(made.choose(seed=0), torch.tensor(embeddings))
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


def test_one_text_that_is_all_there_is_counts_nothing_and_has_a_gradient() -> None:
    made = Contrast(torch.tensor([0]))
    made.look([0], torch.tensor([EAST]))
    text = torch.tensor([NORTH], requires_grad=True)

    found = made.distance(text, [0])
    found.backward()

    assert found.item() == 0.0
    assert text.grad is not None
    assert text.grad.tolist() == [[0.0, 0.0]]


def test_the_gradient_draws_a_text_to_its_own() -> None:
    made = contrast(EAST, EAST, NORTH, NORTH, NORTH)
    text = torch.tensor([[0.6, 0.8]], requires_grad=True)

    made.distance(text, [0]).backward()

    assert text.grad is not None
    east, north = (-text.grad[0]).tolist()
    assert east > 0 > north


class TestRoom:
    """Of a set with more texts than there is room for."""

    # Ten texts of one intent, four of another, one of a third, in turn as far as they go.
    TARGETS = torch.tensor([0, 1, 2, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0])

    def test_a_set_that_has_room_is_looked_at_whole(self) -> None:
        assert Contrast(self.TARGETS, room=15).choose(seed=1) == list(range(15))

    def test_each_intent_has_its_share(self) -> None:
        rows = Contrast(self.TARGETS, room=9).choose(seed=1)

        assert rows == sorted(set(rows))
        assert torch.bincount(self.TARGETS[rows]).tolist() == [3, 3, 1]

    def test_no_intent_is_left_out(self) -> None:
        rows = Contrast(self.TARGETS, room=1).choose(seed=1)

        assert torch.bincount(self.TARGETS[rows]).tolist() == [1, 1, 1]

    def test_a_seed_tells_which_and_another_tells_others(self) -> None:
        made = Contrast(self.TARGETS, room=9)

        assert made.choose(seed=1) == made.choose(seed=1)
        assert len({tuple(made.choose(seed=seed)) for seed in range(20)}) > 10

    def test_the_distance_is_that_of_the_chosen_texts_alone(self) -> None:
        embeddings = torch.randn(15, 4, generator=torch.Generator().manual_seed(1))
        texts = embeddings[:3].clone()
        rows = [0, 1, 4, 5, 9, 12]
        made = Contrast(self.TARGETS)
        made.look(rows, embeddings[rows])
        alone = Contrast(self.TARGETS[rows])
        alone.look([0, 1, 2, 3, 4, 5], embeddings[rows])

        # Two that are among the chosen, and are not compared with themselves.
        assert float(made.distance(texts[:2], [0, 1])) == pytest.approx(
            float(alone.distance(texts[:2], [0, 1]))
        )
        # One that is not among them, and has nobody of its intent there.
        assert float(made.distance(texts[2:], [2])) == 0.0
