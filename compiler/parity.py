"""The gate: is a variant still the model that was trained?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from compiler.config import CompileSettings
from edge_runtime.scoring import probabilities
from trainer.calibration import Predictions
from trainer.label_numbers import number_intents
from trainer.measures import expected_calibration_error

__all__ = ["Parity", "compare", "refusals"]

_OUT_OF_SCOPE = -1


class Parity(msgspec.Struct, frozen=True):
    """How far a variant is from the torch reference on the same utterances."""

    utterances: int
    """How many were compared, in scope and out of scope."""
    in_scope: int
    """How many of them have an intent."""
    changed_answers: float
    """Share whose answer, an intent or out of scope, differs, 0 to 1."""
    changed_intents: float
    """Share of in-scope utterances whose best intent differs, whatever the threshold, 0 to 1."""
    max_logit_difference: float
    """Largest absolute difference of any logit."""
    accuracy: float
    """The variant's accuracy in scope, by the largest logit, 0 to 1."""
    reference_accuracy: float
    """The reference's accuracy in scope, 0 to 1."""
    in_scope_rejected: float
    """Share of in-scope utterances that the variant calls out of scope, 0 to 1."""
    out_of_scope_recall: float | None
    """Share of out-of-scope utterances that it finds; ``None`` without such texts."""
    ece: float
    """Expected calibration error in scope, with the variant's own temperature, 15 bins."""


def compare(
    variant: Predictions,
    reference: Predictions,
    intents: Sequence[str | None],
    labels: Sequence[str],
) -> Parity:
    """Compare two forms of a model, utterance by utterance.

    Args:
        variant: the exported form.
        reference: torch's.
        intents: the right intent of each utterance; ``None`` is out of scope.
        labels: names in the order of the logits.
    """
    in_scope, truth = number_intents(intents, labels)
    answers, expected = variant.answers(), reference.answers()
    best = variant.logits.argmax(axis=1)[in_scope]
    expected_best = reference.logits.argmax(axis=1)[in_scope]
    rejected = answers == _OUT_OF_SCOPE
    return Parity(
        utterances=len(answers),
        in_scope=int(in_scope.sum()),
        changed_answers=float((answers != expected).mean()),
        changed_intents=float((best != expected_best).mean()),
        max_logit_difference=float(np.abs(variant.logits - reference.logits).max()),
        accuracy=float((best == truth).mean()),
        reference_accuracy=float((expected_best == truth).mean()),
        in_scope_rejected=float(rejected[in_scope].mean()),
        out_of_scope_recall=None if in_scope.all() else float(rejected[~in_scope].mean()),
        ece=expected_calibration_error(
            probabilities(variant.logits[in_scope], variant.calibration).max(axis=1), best == truth
        ),
    )


def refusals(precision: str, parity: Parity, settings: CompileSettings) -> list[str]:
    """Why a variant may not ship; an empty list lets it pass.

    Shares are rounded up to whole utterances: a small set cannot show a smaller one.
    """
    if not np.isfinite(parity.max_logit_difference):
        return ["its logits are not finite"]
    reasons = []
    changed = round(parity.changed_answers * parity.utterances)
    may_change = math.ceil(settings.maximum_changed_answers * parity.utterances)
    if changed > may_change:
        reasons.append(
            f"it changes {changed} of {parity.utterances} answers, at most {may_change} may"
        )
    lost = round((parity.reference_accuracy - parity.accuracy) * parity.in_scope)
    may_lose = math.ceil(settings.maximum_accuracy_drop * parity.in_scope)
    if lost > may_lose:
        reasons.append(
            f"it loses {lost} of {parity.in_scope} in-scope answers, at most {may_lose} may be lost"
        )
    limit = settings.maximum_logit_difference_fp32
    if precision == "fp32" and parity.max_logit_difference > limit:
        reasons.append(
            f"its logits differ by {parity.max_logit_difference:.2g}, at most {limit:g} may"
        )
    return reasons
