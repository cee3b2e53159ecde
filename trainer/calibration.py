"""Temperature, out-of-scope score and threshold, fitted on validation for one form of a model."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.head import Head
from edge_runtime.scoring import (
    Calibration,
    ScoreName,
    ScorePart,
    in_scope_scores,
    score_values,
)
from trainer.config import CalibrationSettings

__all__ = [
    "Predictions",
    "ThresholdBasis",
    "fit_balanced_threshold",
    "fit_calibration",
    "fit_temperature",
    "fit_threshold",
    "predict",
    "threshold_basis",
]

logger = logging.getLogger(__name__)

_TEMPERATURE_BOUNDS = (0.05, 20.0)
_OUT_OF_SCOPE = -1
# How far a threshold that rejects nothing lies below the lowest score.
_MARGIN = 1e-3

ThresholdBasis = Literal["in-scope", "out-of-scope", "default"]
"""What a threshold was fitted on: in-scope utterances alone, both kinds, or nothing."""


class Predictions(msgspec.Struct, frozen=True):
    """What one form of a model says of a split."""

    logits: NDArray[np.float32]
    """Shape (utterances, labels)."""
    scores: NDArray[np.float64]
    """How surely each utterance is in scope, shape (utterances,)."""
    calibration: Calibration
    """Fitted on this form's validation embeddings."""

    def answers(self) -> NDArray[np.int64]:
        """The label number that a user gets, or -1 for out of scope, shape (utterances,)."""
        best: NDArray[np.int64] = self.logits.argmax(axis=1)
        return np.where(self.scores < self.calibration.threshold, _OUT_OF_SCOPE, best)


def predict(
    embeddings: NDArray[np.float32], *, head: Head, calibration: Calibration
) -> Predictions:
    """Answer embeddings of shape (utterances, hidden) as the runtime does."""
    logits = head.logits(embeddings)
    return Predictions(
        logits=logits,
        scores=in_scope_scores(embeddings, logits, head=head, parts=calibration.score),
        calibration=calibration,
    )


def fit_calibration(
    embeddings: NDArray[np.float32],
    intents: Sequence[str | None],
    labels: Sequence[str],
    *,
    head: Head,
    settings: CalibrationSettings,
) -> Calibration:
    """Fit everything on validation embeddings.

    The temperature and the parts of the score are fitted on in-scope rows alone. The threshold
    looks at out-of-scope rows too where there are enough of them. With too few in-scope rows for
    the wanted share of rejections it is the settings' default, and a warning says so.

    Args:
        embeddings: of one form of the model, shape (utterances, hidden).
        intents: the right intent of each utterance; ``None`` is out of scope.
        labels: names in the order of the logits.
        head: the model's head.
        settings: which scores, and how many in-scope utterances may be rejected.
    """
    numbers = {label: number for number, label in enumerate(labels)}
    is_in_scope = np.array([intent is not None for intent in intents], dtype=bool)
    truth = np.array([numbers[intent] for intent in intents if intent is not None])
    in_scope = embeddings[is_in_scope]
    logits = head.logits(in_scope)
    parts = tuple(_part(name, in_scope, logits, head) for name in settings.scores)
    scores = in_scope_scores(in_scope, logits, head=head, parts=parts)
    basis = threshold_basis(intents, settings)
    if basis == "default":
        logger.warning(
            "%d in-scope validation utterances are too few to fit an out-of-scope threshold "
            "(at least %d would be needed); it is set to calibration.default_threshold, %g",
            len(scores),
            _enough(settings),
            settings.default_threshold,
        )
        threshold = settings.default_threshold
    elif basis == "out-of-scope":
        outside = embeddings[~is_in_scope]
        threshold = fit_balanced_threshold(
            scores,
            logits.argmax(axis=1) == truth,
            in_scope_scores(outside, head.logits(outside), head=head, parts=parts),
            in_scope_rejections=settings.in_scope_rejections,
        )
    else:
        threshold = fit_threshold(scores, in_scope_rejections=settings.in_scope_rejections)
    return Calibration(temperature=fit_temperature(logits, truth), score=parts, threshold=threshold)


def threshold_basis(intents: Sequence[str | None], settings: CalibrationSettings) -> ThresholdBasis:
    """Tell what ``fit_calibration`` fits the threshold on.

    Args:
        intents: of the validation utterances; ``None`` is out of scope.
        settings: how many utterances are enough.
    """
    out_of_scope = sum(intent is None for intent in intents)
    if len(intents) - out_of_scope < _enough(settings):
        return "default"
    enough = settings.out_of_scope_utterances
    return "out-of-scope" if enough and out_of_scope >= enough else "in-scope"


def _enough(settings: CalibrationSettings) -> int:
    """In-scope utterances of which at least one may be rejected."""
    if not settings.in_scope_rejections:
        return 1
    return math.ceil(1 / settings.in_scope_rejections)


def _part(
    name: ScoreName, embeddings: NDArray[np.float32], logits: NDArray[np.float32], head: Head
) -> ScorePart:
    values = score_values(name, embeddings, logits, head=head)
    # One utterance, or several equal ones, have no spread to divide by.
    deviation = float(values.std()) or 1.0
    # Nine digits are far beyond what the data can tell, and survive JSON unchanged.
    return ScorePart(
        name=name, mean=round(float(values.mean()), 9), deviation=max(round(deviation, 9), 1e-9)
    )


def fit_temperature(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """The temperature with the least negative log-likelihood.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks" (arXiv 1706.04599).
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    wide = logits.astype(np.float64)
    right = wide[np.arange(len(truth)), truth]

    def loss(log_temperature: float) -> float:
        temperature = np.exp(log_temperature)
        return float(np.mean(logsumexp(wide / temperature, axis=1) - right / temperature))

    bounds = tuple(np.log(_TEMPERATURE_BOUNDS))
    found = minimize_scalar(loss, bounds=bounds, method="bounded")
    return round(float(np.exp(found.x)), 9)


def fit_threshold(scores: NDArray[np.float64], *, in_scope_rejections: float) -> float:
    """The score below which a text is out of scope.

    It lies half-way between two neighbouring scores, so that the wanted share of these
    in-scope utterances falls below it, and a last bit more or less changes no decision.

    Args:
        scores: of in-scope utterances, shape (utterances,).
        in_scope_rejections: share of them that may be rejected, 0 to 0.5.
    """
    ordered = np.sort(scores)
    rejected = int(in_scope_rejections * len(ordered))
    if rejected == 0:
        return float(ordered[0]) - _MARGIN
    return float(ordered[rejected - 1] + ordered[rejected]) / 2


def fit_balanced_threshold(
    scores: NDArray[np.float64],
    right: NDArray[np.bool_],
    out_of_scope: NDArray[np.float64],
    *,
    in_scope_rejections: float,
) -> float:
    """The threshold with the best mean of right in-scope answers and out-of-scope texts found.

    Both kinds weigh the same, however many there are of each: validation rarely holds them in
    the shares that users will send. It is never above ``fit_threshold``. Of several that are
    equally good it is the lowest: it rejects the fewest.

    Args:
        scores: of in-scope utterances, shape (in scope,).
        right: whether their best intent is right; rejecting another loses nothing.
        out_of_scope: scores of out-of-scope utterances, shape (out of scope,).
        in_scope_rejections: share of the in-scope utterances that may be rejected, 0 to 0.5.
    """
    most = fit_threshold(scores, in_scope_rejections=in_scope_rejections)
    everything = np.unique(np.concatenate([scores, out_of_scope]))
    between = (everything[:-1] + everything[1:]) / 2
    candidates = np.concatenate([[everything[0] - _MARGIN], between[between < most], [most]])
    kept = np.sort(scores[right])
    answered = len(kept) - np.searchsorted(kept, candidates, side="left")
    found = np.searchsorted(np.sort(out_of_scope), candidates, side="left")
    balance = answered / len(scores) + found / len(out_of_scope)
    return float(candidates[int(balance.argmax())])
