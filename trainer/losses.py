"""What a training makes small: losses of labels, and of a teacher's answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["Form", "Lesson", "distance_from_labels", "distance_from_teacher"]


class Form(NamedTuple):
    """One other text for each training utterance."""

    token_ids: Sequence[Sequence[int]]
    """One row an utterance."""
    logits: Tensor
    """The teacher's: (utterances, labels)."""


class Lesson(NamedTuple):
    """What a student learns from its teacher.

    Source: Hinton et al. 2015 (arXiv 1503.02531).
    """

    logits: Tensor
    """The teacher's, of each training utterance: (utterances, labels)."""
    weight: float
    """Share of the loss that asks for them, 0 to 1; the rest asks for the labels."""
    temperature: float
    """Logits are divided by it before they are compared."""
    forms: Sequence[Form] = ()
    """Other texts in the place of each utterance, which the teacher alone labels: one form is
    learnt a pass, in turn."""


def distance_from_labels(logits: Tensor, targets: Tensor, *, smoothing: float) -> Tensor:
    """Cross-entropy, added up over texts.

    Args:
        logits: shape (texts, labels).
        targets: label numbers, int64 of shape (texts,).
        smoothing: share of each target that is spread over all labels.
    """
    return nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="sum")


def distance_from_teacher(logits: Tensor, wanted: Tensor, *, temperature: float) -> Tensor:
    """Divergence from the teacher's softened answers, added up over texts.

    Args:
        logits: the student's, shape (texts, labels).
        wanted: the teacher's, of the same shape.
        temperature: divides both.
    """
    divergence = nn.functional.kl_div(
        torch.log_softmax(logits / temperature, dim=1),
        torch.log_softmax(wanted / temperature, dim=1),
        log_target=True,
        reduction="sum",
    )
    # Gradients shrink with the square of the temperature: this keeps the share what it says.
    return divergence * temperature**2
