"""The gate: is a variant still the model that was trained?"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from compiler.config import CompileSettings

__all__ = ["Parity", "compare", "refusals"]


class Parity(msgspec.Struct, frozen=True):
    """How far a variant is from the torch reference on the same utterances."""

    utterances: int
    """How many were compared."""
    changed_answers: float
    """Share whose best intent differs, 0 to 1."""
    max_logit_difference: float
    """Largest absolute difference of any logit."""
    accuracy: float
    """The variant's in-scope accuracy, 0 to 1."""
    reference_accuracy: float
    """The reference's in-scope accuracy, 0 to 1."""


def compare(
    variant: NDArray[np.float32],
    reference: NDArray[np.float32],
    intents: Sequence[str | None],
    labels: Sequence[str],
) -> Parity:
    """Compare logits of shape (utterances, labels), row by row."""
    numbers = {label: number for number, label in enumerate(labels)}
    rows = [row for row, intent in enumerate(intents) if intent is not None]
    truth = np.array([numbers[intent] for intent in intents if intent is not None])
    answers, expected = variant.argmax(axis=1), reference.argmax(axis=1)
    return Parity(
        utterances=len(answers),
        changed_answers=float((answers != expected).mean()),
        max_logit_difference=float(np.abs(variant - reference).max()),
        accuracy=float((answers[rows] == truth).mean()),
        reference_accuracy=float((expected[rows] == truth).mean()),
    )


def refusals(precision: str, parity: Parity, settings: CompileSettings) -> list[str]:
    """Why a variant may not ship; an empty list lets it pass.

    One single changed answer, or one answer less right, always passes: a set of n
    utterances cannot show a share below 1/n.
    """
    reasons = []
    one = 1.0 / parity.utterances
    if not np.isfinite(parity.max_logit_difference):
        reasons.append("its logits are not finite")
    allowed = max(settings.maximum_changed_answers, one)
    if parity.changed_answers > allowed:
        reasons.append(
            f"it changes {parity.changed_answers:.2%} of the answers, at most {allowed:.2%} may"
        )
    drop = parity.reference_accuracy - parity.accuracy
    allowed_drop = max(settings.maximum_accuracy_drop, one)
    if drop > allowed_drop + 1e-12:
        reasons.append(f"it loses {drop:.2%} of accuracy, at most {allowed_drop:.2%} may be lost")
    limit = settings.maximum_logit_difference_fp32
    if precision == "fp32" and parity.max_logit_difference > limit:
        reasons.append(
            f"its logits differ by {parity.max_logit_difference:.2g}, at most {limit:g} may"
        )
    return reasons
