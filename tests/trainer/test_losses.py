"""What a training makes small."""

from __future__ import annotations

import math

import pytest
import torch

from trainer.losses import distance_from_labels, distance_from_teacher

# Logits of the shares 0.8 and 0.2, and 0.5 and 0.5.
LOGITS = torch.tensor([[math.log(0.8), math.log(0.2)]])
EVEN = torch.zeros(1, 2)


def test_the_distance_from_labels_is_added_up_over_texts() -> None:
    found = distance_from_labels(LOGITS.repeat(3, 1), torch.tensor([0, 0, 1]), smoothing=0.0)

    assert float(found) == pytest.approx(-2 * math.log(0.8) - math.log(0.2))


def test_smoothing_asks_for_the_other_labels_too() -> None:
    found = distance_from_labels(LOGITS, torch.tensor([0]), smoothing=0.5)

    assert float(found) == pytest.approx(-0.75 * math.log(0.8) - 0.25 * math.log(0.2))


def test_the_distance_from_a_teacher_is_the_divergence_of_its_answers() -> None:
    found = distance_from_teacher(EVEN.repeat(2, 1), LOGITS.repeat(2, 1), temperature=1.0)

    assert float(found) == pytest.approx(2 * (0.8 * math.log(1.6) + 0.2 * math.log(0.4)))


def test_a_temperature_softens_both_and_keeps_the_size_of_the_gradient() -> None:
    found = distance_from_teacher(2 * EVEN, 2 * LOGITS, temperature=2.0)

    assert float(found) == pytest.approx(4 * (0.8 * math.log(1.6) + 0.2 * math.log(0.4)))
