"""The curves of a report: reliability, ROC, risk against coverage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.scoring import Calibration, ScorePart, probabilities
from trainer.measures import BINS, confidence_bins, expected_calibration_error
from trainer.report.content import ConfidenceBin, Reliability, RiskCoverage, Roc

__all__ = ["reliability", "risk_coverage", "roc"]

_POINTS = 200


def reliability(
    logits: NDArray[np.float32], truth: NDArray[np.int64], *, temperature: float
) -> Reliability:
    """Confidence against accuracy in bins of equal width.

    Args:
        logits: of in-scope utterances, shape (utterances, labels).
        truth: their labels' numbers, shape (utterances,).
        temperature: of the softmax.
    """
    as_if = Calibration(
        temperature=temperature, score=(ScorePart(name="max-logit"),), threshold=0.0
    )
    confidences = probabilities(logits, as_if).max(axis=1)
    right = logits.argmax(axis=1) == truth
    number = confidence_bins(confidences)
    bins = []
    for place in range(BINS):
        own = number == place
        bins.append(
            ConfidenceBin(
                low=round(place / BINS, 6),
                high=round((place + 1) / BINS, 6),
                utterances=int(own.sum()),
                confidence=_mean(confidences[own]),
                accuracy=_mean(right[own]),
            )
        )
    return Reliability(
        ece=round(expected_calibration_error(confidences, right), 6),
        temperature=temperature,
        bins=tuple(bins),
    )


def roc(
    in_scope: NDArray[np.float64], out_of_scope: NDArray[np.float64], *, threshold: float
) -> Roc:
    """Shares of both kinds that pass, for every threshold.

    Args:
        in_scope: scores, shape (in scope,), at least one.
        out_of_scope: scores, shape (out of scope,), at least one.
        threshold: the one that was chosen.
    """
    bounds = np.unique(np.concatenate([in_scope, out_of_scope]))[::-1]
    passed = [_passing(out_of_scope, bounds), _passing(in_scope, bounds)]
    points = np.concatenate([[[0.0, 0.0]], np.stack(passed, axis=1)])
    chosen = np.array([threshold])
    return Roc(
        points=_thinned(points),
        at_threshold=(
            round(float(_passing(out_of_scope, chosen)[0]), 6),
            round(float(_passing(in_scope, chosen)[0]), 6),
        ),
    )


def risk_coverage(
    scores: NDArray[np.float64], right: NDArray[np.bool_], *, threshold: float
) -> RiskCoverage:
    """What share of answers is wrong when only the surest are given.

    Args:
        scores: how sure each answer is, shape (utterances,), at least one.
        right: whether it is right, shape (utterances,).
        threshold: the one that was chosen.
    """
    order = np.argsort(-scores, kind="stable")
    given = np.arange(1, len(scores) + 1)
    risks = np.cumsum(~right[order]) / given
    kept = int((scores >= threshold).sum())
    return RiskCoverage(
        points=_thinned(np.stack([given / len(scores), risks], axis=1)),
        area=round(float(risks.mean()), 6),
        at_threshold=(
            (round(kept / len(scores), 6), round(float(risks[kept - 1]), 6)) if kept else None
        ),
    )


def _passing(scores: NDArray[np.float64], bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of scores at or above each bound."""
    below = np.searchsorted(np.sort(scores), bounds, side="left")
    shares: NDArray[np.float64] = 1 - below / len(scores)
    return shares


def _thinned(points: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """At most so many points, spread evenly along the line that they draw, ends included.

    Evenly along one axis would draw the steep part of a curve with two points.
    """
    if len(points) > _POINTS:
        steps = np.abs(np.diff(points, axis=0)).sum(axis=1)
        way = np.concatenate([[0.0], np.cumsum(steps)])
        wanted = np.linspace(0, way[-1], _POINTS)
        points = points[np.unique(np.searchsorted(way, wanted).clip(0, len(points) - 1))]
    return tuple((round(float(x), 6), round(float(y), 6)) for x, y in points)


def _mean(values: NDArray[np.float64] | NDArray[np.bool_]) -> float | None:
    return round(float(values.mean()), 6) if len(values) else None
