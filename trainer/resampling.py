"""Bootstrap intervals of what was measured on a split, without a loop over the resamples.

Drawing utterances anew with replacement is drawing the counts of each kind of utterance from a
multinomial distribution; so the cost depends on how many kinds there are, not on how many
utterances. Source: Efron 1979, "Bootstrap methods: another look at the jackknife"; the intervals
are percentiles of the resamples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainer.measures import TRUE_POSITIVE_RATE

__all__ = [
    "Interval",
    "Separation",
    "difference_interval",
    "macro_f1_interval",
    "percentile_interval",
    "resample_separation",
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
    return percentile_interval(
        chance.binomial(len(right), right.mean(), size=resamples) / len(right)
    )


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
    return percentile_interval((counts[:, 0] - counts[:, 1]) / total)


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
    return percentile_interval(np.nanmean(scores, axis=1))


class Separation(NamedTuple):
    """How well several scores tell both kinds apart in each resample, shape (scores, resamples)."""

    aurocs: NDArray[np.float64]
    false_positive_rates: NDArray[np.float64]
    """Share of out-of-scope texts that pass where 95 % of those in scope do."""


def resample_separation(
    in_scope: NDArray[np.float64], out_of_scope: NDArray[np.float64], *, resamples: int, seed: int
) -> Separation:
    """Judge several scores of the same texts on the same resamples of the texts.

    So the difference of two scores is that of a pair, and far surer than each of them: both err
    on much the same texts. Both kinds are drawn on their own.

    Args:
        in_scope: shape (scores, texts in scope), at least one text.
        out_of_scope: shape (scores, texts out of scope), at least one text.
        resamples: how often to draw.
        seed: of the draws.
    """
    chance = np.random.default_rng(seed)
    own, other = in_scope.shape[1], out_of_scope.shape[1]
    aurocs: list[NDArray[np.float64]] = []
    rates: list[NDArray[np.float64]] = []
    left = resamples
    while left:
        rows = min(left, max(1, _CELLS_AT_ONCE // (own + other)))
        left -= rows
        kept = chance.multinomial(own, np.full(own, 1 / own), size=rows)
        passed = chance.multinomial(other, np.full(other, 1 / other), size=rows)
        found = [
            _separation(*pair, kept, passed) for pair in zip(in_scope, out_of_scope, strict=True)
        ]
        aurocs.append(np.stack([one for one, _ in found]))
        rates.append(np.stack([one for _, one in found]))
    return Separation(np.concatenate(aurocs, axis=1), np.concatenate(rates, axis=1))


def _separation(
    in_scope: NDArray[np.float64],
    out_of_scope: NDArray[np.float64],
    kept: NDArray[np.int64],
    passed: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AUROC and false-positive rate where each text counts so often, shape (resamples,) each."""
    descending = np.argsort(-in_scope)
    in_scope, kept = in_scope[descending], kept[:, descending]
    ascending = np.argsort(out_of_scope)
    out_of_scope, passed = out_of_scope[ascending], passed[:, ascending]
    below = np.concatenate([np.zeros((len(passed), 1)), np.cumsum(passed, axis=1)], axis=1)
    total = below[:, -1]
    lower = np.searchsorted(out_of_scope, in_scope, side="left")
    upper = np.searchsorted(out_of_scope, in_scope, side="right")
    # Of texts with the same score, half counts.
    wins = (kept * (below[:, lower] + below[:, upper]) / 2).sum(axis=1)
    auroc = wins / (len(in_scope) * total)
    enough = math.ceil(TRUE_POSITIVE_RATE * len(in_scope))
    bound = (np.cumsum(kept, axis=1) >= enough).argmax(axis=1)
    rate = 1 - below[np.arange(len(below)), lower[bound]] / total
    return auroc, rate


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


def percentile_interval(values: NDArray[np.float64] | Sequence[float]) -> Interval:
    """The interval that holds the middle 95 % of what the resamples gave."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(low=round(float(low), 6), high=round(float(high), 6))
