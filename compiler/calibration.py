"""Temperature and out-of-scope threshold, fitted on validation for one variant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.scoring import Calibration, in_scope_scores

__all__ = ["fit_calibration", "fit_temperature", "fit_threshold"]

_TEMPERATURE_BOUNDS = (0.05, 20.0)


def fit_calibration(
    logits: NDArray[np.float32],
    intents: Sequence[str | None],
    labels: Sequence[str],
    *,
    in_scope_rejections: float,
) -> Calibration:
    """Fit both on a variant's validation logits; out-of-scope rows are left out.

    Args:
        logits: shape (utterances, labels).
        intents: the right intent of each utterance; ``None`` is out of scope.
        labels: names in the order of the logits.
        in_scope_rejections: share of in-scope utterances that may be rejected, 0 to 0.5.
    """
    numbers = {label: number for number, label in enumerate(labels)}
    rows = [row for row, intent in enumerate(intents) if intent is not None]
    truth = np.array([numbers[intent] for intent in intents if intent is not None])
    in_scope = logits[rows]
    return Calibration(
        temperature=fit_temperature(in_scope, truth),
        score="max-logit",
        threshold=fit_threshold(in_scope, in_scope_rejections=in_scope_rejections),
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
    # Nine digits are far beyond what the data can tell, and survive JSON unchanged.
    return round(float(np.exp(found.x)), 9)


def fit_threshold(logits: NDArray[np.float32], *, in_scope_rejections: float) -> float:
    """The score below which a text is out of scope.

    It lies half-way between two neighbouring scores, so that the wanted share of these
    in-scope utterances falls below it, and a last bit more or less changes no decision.
    """
    scores = np.sort(in_scope_scores(logits))
    rejected = int(in_scope_rejections * len(scores))
    if rejected == 0:
        return float(scores[0]) - 1e-3
    return float(scores[rejected - 1] + scores[rejected]) / 2
