"""Bootstrap intervals of what was measured on a split, without a loop over the resamples.

Drawing utterances anew with replacement is drawing the counts of each kind of utterance from a
multinomial distribution; so the cost depends on how many kinds there are, not on how many
utterances. Source: Efron 1979, "Bootstrap methods: another look at the jackknife"; the intervals
are percentiles of the resamples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Interval",
    "auroc_interval",
    "difference_interval",
    "macro_f1_interval",
    "share_interval",
    "wilson_interval",
]

LEVEL = 0.95
_CELLS_AT_ONCE = 4_000_000
_WILSON_DEVIATIONS = 1.959963984540054


class Interval(msgspec.Struct, frozen=True):
    """Where the measure of a new sample like this one would lie 95 times out of 100."""

    low: float
    high: float


def share_interval(right: NDArray[np.bool_], *, resamples: int, seed: int) -> Interval:
    """Bootstrap interval of a share.

    Args:
        right: which utterances count, shape (utterances,), at least one.
        resamples: how often to draw.
        seed: of the draws.
    """
    chance = np.random.default_rng(seed)
    return _percentiles(chance.binomial(len(right), right.mean(), size=resamples) / len(right))


def difference_interval(
    one: NDArray[np.bool_], other: NDArray[np.bool_], *, resamples: int, seed: int
) -> Interval:
    """Bootstrap interval of the difference of two shares of the same utterances, one - other.

    Args:
        one: which utterances count for the first, shape (utterances,), at least one.
        other: which count for the second, same shape.
        resamples: how often to draw.
        seed: of the draws.
    """
    total = len(one)
    gained, lost = int((one & ~other).sum()), int((other & ~one).sum())
    shares = np.array([gained, lost, total - gained - lost]) / total
    counts = np.random.default_rng(seed).multinomial(total, shares, size=resamples)
    return _percentiles((counts[:, 0] - counts[:, 1]) / total)


def macro_f1_interval(
    truth: NDArray[np.int64], best: NDArray[np.int64], *, resamples: int, seed: int
) -> Interval:
    """Bootstrap interval of the macro-F1.

    A label that a resample does not hold is left out of its mean.

    Args:
        truth: the right label of each utterance, shape (utterances,), at least one.
        best: the label that it was given, same shape.
        resamples: how often to draw.
        seed: of the draws.
    """
    cells, sizes = np.unique(np.stack([truth, best]), axis=1, return_counts=True)
    labels = np.unique(cells)
    is_truth = (cells[0][:, None] == labels).astype(np.float64)
    is_best = (cells[1][:, None] == labels).astype(np.float64)
    chance = np.random.default_rng(seed)
    counts = chance.multinomial(len(truth), sizes / len(truth), size=resamples).astype(np.float64)
    found = counts @ (is_truth * is_best)
    either = counts @ is_truth + counts @ is_best
    scores = np.divide(2 * found, either, out=np.full_like(found, np.nan), where=either > 0)
    return _percentiles(np.nanmean(scores, axis=1))


def auroc_interval(
    in_scope: NDArray[np.float64], out_of_scope: NDArray[np.float64], *, resamples: int, seed: int
) -> Interval:
    """Bootstrap interval of the area under the ROC curve.

    Both kinds are drawn on their own, so each resample has as many of each.

    Args:
        in_scope: scores, shape (in scope,), at least one.
        out_of_scope: scores, shape (out of scope,), at least one.
        resamples: how often to draw.
        seed: of the draws.
    """
    values = np.unique(np.concatenate([in_scope, out_of_scope]))
    own, other = (
        np.bincount(np.searchsorted(values, scores), minlength=len(values)) / len(scores)
        for scores in (in_scope, out_of_scope)
    )
    chance = np.random.default_rng(seed)
    areas: list[NDArray[np.float64]] = []
    left = resamples
    while left:
        rows = min(left, max(1, _CELLS_AT_ONCE // len(values)))
        left -= rows
        kept = chance.multinomial(len(in_scope), own, size=rows) / len(in_scope)
        passed = chance.multinomial(len(out_of_scope), other, size=rows) / len(out_of_scope)
        # Out-of-scope texts that lie below each value; of those at the same value, half.
        below = np.cumsum(passed, axis=1) - passed / 2
        areas.append((kept * below).sum(axis=1))
    return _percentiles(np.concatenate(areas))


def wilson_interval(right: int, total: int) -> Interval:
    """Interval of a share of few utterances, in closed form.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    Args:
        right: how many count, 0 to ``total``.
        total: how many there are, at least 1.
    """
    squared = _WILSON_DEVIATIONS**2
    share = right / total
    middle = (share + squared / (2 * total)) / (1 + squared / total)
    spread = math.sqrt(share * (1 - share) / total + squared / (4 * total**2))
    half = _WILSON_DEVIATIONS * spread / (1 + squared / total)
    return Interval(low=round(max(0.0, middle - half), 6), high=round(min(1.0, middle + half), 6))


def _percentiles(values: NDArray[np.float64] | Sequence[float]) -> Interval:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(low=round(float(low), 6), high=round(float(high), 6))
