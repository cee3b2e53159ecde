"""Temperature, out-of-scope score and threshold, fitted for one form of a model.

They are fitted on validation. What validation is too small to tell comes from the settings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

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
from trainer.calibration_basis import CalibrationTexts
from trainer.config import CalibrationSettings

__all__ = [
    "PRIOR_TEMPERATURE",
    "PRIOR_WEIGHT",
    "Predictions",
    "fit_balanced_threshold",
    "fit_calibration",
    "fit_temperature",
    "fit_threshold",
    "predict",
]

_TEMPERATURE_BOUNDS = (0.05, 20.0)
# Where a temperature is believed to be before it is fitted: between those of models of 5 and of 100
# examples an intent. And what that belief weighs, in utterances: so much does the likelihood of
# others have to say against it. See docs/decisions/0012-evaluation-and-gates.md.
PRIOR_TEMPERATURE = 0.8
PRIOR_WEIGHT = 10.0
_OUT_OF_SCOPE = -1
# How far a threshold that rejects nothing lies below the lowest score.
_MARGIN = 1e-3


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
    texts: CalibrationTexts,
    labels: Sequence[str],
    *,
    head: Head,
    settings: CalibrationSettings,
    rejected: int | None = None,
) -> Calibration:
    """Fit everything on the embeddings of validation.

    The temperature and the parts of the score are fitted on in-scope rows alone. The threshold
    looks at out-of-scope rows too where there are enough of them. With too few in-scope rows for
    the wanted share of rejections it is the settings' default. Without any the score is the
    largest logit, in units of its mean over training utterances, and everything else the
    settings' default. ``warn_of_basis`` says so.

    Args:
        embeddings: of one form of the model, shape (utterances, hidden).
        texts: whose embeddings they are, see ``calibration_texts``.
        labels: names in the order of the logits.
        head: the model's head.
        settings: which scores, and how many in-scope utterances may be rejected.
        rejected: how many in-scope utterances another form of the same model rejects: the
            threshold then rejects as many, where it is fitted. So a form is as strict as the one
            that it stands for; left to itself its threshold may leap to another one as good.
    """
    is_in_scope, truth = texts.split.truth(labels)
    in_scope = embeddings[is_in_scope]
    logits = head.logits(in_scope)
    if not texts.held_out:
        return _default_calibration(logits, settings)
    parts = tuple(_part(name, in_scope, logits, head) for name in settings.scores)
    scores = in_scope_scores(in_scope, logits, head=head, parts=parts)
    basis = texts.basis(settings)
    if basis == "default":
        threshold = settings.default_threshold
    elif rejected is not None:
        threshold = _threshold_of(scores, rejected=rejected)
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
    temperature = fit_temperature(logits, truth, believed=PRIOR_TEMPERATURE, weight=PRIOR_WEIGHT)
    return Calibration(
        temperature=temperature,
        score=parts,
        threshold=threshold,
        spread=_spread(in_scope, logits, head),
    )


def _default_calibration(logits: NDArray[np.float32], settings: CalibrationSettings) -> Calibration:
    """What a model gets of which nothing is known but its logits of what it learnt from.

    Other scores are of no use here: distances to training texts are nothing for these themselves,
    and many times their deviation for every other text. The largest logit falls by less.
    """
    scale = max(float(logits.max(axis=1).mean()), 1e-9)
    return Calibration(
        temperature=settings.default_temperature,
        score=(ScorePart(name="max-logit", deviation=round(scale, 9)),),
        threshold=settings.default_logit_share,
    )


def _spread(
    embeddings: NDArray[np.float32], logits: NDArray[np.float32], head: Head
) -> float | None:
    """See ``Calibration.spread``: training texts have the embedding's width for a mean square."""
    distance = -float(score_values("mahalanobis", embeddings, logits, head=head).mean())
    return max(round(math.sqrt(distance / head.hidden), 9), 1e-9) if distance > 0 else None


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


def fit_temperature(
    logits: NDArray[np.float32],
    truth: NDArray[np.int64],
    *,
    believed: float = 1.0,
    weight: float = 0.0,
) -> float:
    """The temperature with the least negative log-likelihood.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks" (arXiv 1706.04599). Its
    logarithm has a normal distribution around the believed one's beforehand: a few utterances, all
    answered rightly, would otherwise make the model certain of everything.

    Args:
        logits: of in-scope utterances, shape (utterances, labels).
        truth: numbers of their labels, shape (utterances,).
        believed: what it would be without any utterance.
        weight: the inverse variance of that belief; 0 believes nothing.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    wide = logits.astype(np.float64)
    right = wide[np.arange(len(truth)), truth]
    centre = math.log(believed)

    def loss(log_temperature: float) -> float:
        temperature = np.exp(log_temperature)
        likelihood = np.sum(logsumexp(wide / temperature, axis=1) - right / temperature)
        belief = weight / 2 * (log_temperature - centre) ** 2
        return float(likelihood + belief) / len(truth)

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
    return _threshold_of(scores, rejected=int(in_scope_rejections * len(scores)))


def _threshold_of(scores: NDArray[np.float64], *, rejected: int) -> float:
    """The threshold that so many of the scores are below."""
    ordered = np.sort(scores)
    if rejected == 0:
        return float(ordered[0]) - _MARGIN
    if rejected == len(ordered):
        return float(ordered[-1]) + _MARGIN
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
