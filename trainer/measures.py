"""What a set of held-out utterances says of a model: the figures of reports, gates, benchmarks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.scoring import probabilities
from trainer.calibration import Predictions
from trainer.label_numbers import number_intents

__all__ = [
    "BINS",
    "Measures",
    "confidence_bins",
    "expected_calibration_error",
    "false_positive_rate",
    "measure",
    "right_answers",
]

BINS = 15
"""Of equal width, for confidences."""
TRUE_POSITIVE_RATE = 0.95
"""Share of in-scope utterances that pass where the false-positive rate is taken."""


class Measures(msgspec.Struct, frozen=True):
    """Shares are 0 to 1. What needs out-of-scope utterances is ``None`` without them."""

    in_scope_accuracy: float
    """Share of in-scope utterances whose largest logit is the right intent."""
    macro_f1: float
    """Mean over intents of F1, in scope, by the largest logit."""
    ece: float
    """Expected calibration error in scope, over 15 bins of equal width."""
    in_scope_rejected: float
    """Share of in-scope utterances that the threshold calls out of scope."""
    overall_accuracy: float
    """Share of all utterances that get the right answer, an intent or out of scope."""
    oos_auroc: float | None = None
    """Area under the ROC curve of the out-of-scope score."""
    oos_fpr95: float | None = None
    """Share of out-of-scope utterances that pass where 95 % of those in scope do."""
    oos_recall: float | None = None
    """Share of out-of-scope utterances that the threshold finds."""


def measure(
    predictions: Predictions, intents: Sequence[str | None], labels: Sequence[str]
) -> Measures:
    """Compare predictions with the truth.

    Args:
        predictions: of every utterance.
        intents: the right intent of each utterance; ``None`` is out of scope.
        labels: names in the order of the logits.
    """
    from sklearn.metrics import f1_score, roc_auc_score

    in_scope, truth = number_intents(intents, labels)
    logits = predictions.logits[in_scope]
    best = logits.argmax(axis=1)
    confidences = probabilities(logits, predictions.calibration).max(axis=1)
    rejected = predictions.scores < predictions.calibration.threshold
    measures = Measures(
        in_scope_accuracy=float((best == truth).mean()),
        macro_f1=float(f1_score(truth, best, average="macro", zero_division=0.0)),
        ece=expected_calibration_error(confidences, best == truth),
        in_scope_rejected=float(rejected[in_scope].mean()),
        overall_accuracy=float(right_answers(predictions, in_scope, truth).mean()),
    )
    if in_scope.all():
        return measures
    scores = predictions.scores
    return msgspec.structs.replace(
        measures,
        oos_auroc=float(roc_auc_score(in_scope, scores)),
        oos_fpr95=false_positive_rate(scores[in_scope], scores[~in_scope]),
        oos_recall=float(rejected[~in_scope].mean()),
    )


def right_answers(
    predictions: Predictions, in_scope: NDArray[np.bool_], truth: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether each utterance gets its right answer: its intent, or out of scope.

    Args:
        predictions: of every utterance.
        in_scope: which have an intent, shape (utterances,).
        truth: the label number of those that have one, shape (in scope,).
    """
    answers = predictions.answers()
    right: NDArray[np.bool_] = answers < 0
    right[in_scope] = answers[in_scope] == truth
    return right


def confidence_bins(confidences: NDArray[np.float64], *, bins: int = BINS) -> NDArray[np.int64]:
    """The number of each confidence's bin, from 0, shape (utterances,).

    Upper edges belong to their bin; a confidence of exactly 0 to the first.
    """
    return np.clip(np.ceil(confidences * bins).astype(np.int64) - 1, 0, bins - 1)


def expected_calibration_error(
    confidences: NDArray[np.float64], right: NDArray[np.bool_], *, bins: int = BINS
) -> float:
    """Mean distance between confidence and accuracy, over bins of equal width, 0 to 1.

    Source: Guo et al. 2017 (arXiv 1706.04599), equation 3; 15 bins as there.

    Args:
        confidences: of the best intent, 0 to 1, shape (utterances,).
        right: whether it was right, shape (utterances,).
        bins: how many.
    """
    number = confidence_bins(confidences, bins=bins)
    gaps = np.bincount(number, weights=confidences - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidences))


def false_positive_rate(in_scope: NDArray[np.float64], out_of_scope: NDArray[np.float64]) -> float:
    """Share of out-of-scope scores at or above the one that 95 % of in-scope scores reach.

    Source: Hendrycks and Gimpel 2017 (arXiv 1610.02136) and its followers, "FPR at 95 % TPR".
    """
    ordered = np.sort(in_scope)[::-1]
    bound = ordered[int(np.ceil(TRUE_POSITIVE_RATE * len(ordered))) - 1]
    return float((out_of_scope >= bound).mean())
