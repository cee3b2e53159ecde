"""Ways to find the out-of-scope threshold, compared on validation scores alone."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainer.calibration import fit_balanced_threshold, fit_threshold

__all__ = [
    "DRAWS",
    "LimitedThresholds",
    "ThresholdMethod",
    "ThresholdResult",
    "compare_quantiles",
    "compare_with_out_of_scope",
]

DRAWS = 100
_SIZES = (50, 100, 300, 1000, 2000)
_LIMITS = (0.1, 0.2)


class ThresholdMethod(msgspec.Struct, frozen=True):
    """A way to find the threshold: what share of other utterances it rejects."""

    rejected: float
    """Mean share."""
    error: float
    """Root mean square distance from the wanted share."""


class ThresholdResult(msgspec.Struct, frozen=True):
    """What a threshold does to utterances it was not fitted on; mean shares, 0 to 1."""

    in_scope_rejected: float
    in_scope_right: float
    """Answered, and with the right intent."""
    oos_recall: float


class LimitedThresholds(msgspec.Struct, frozen=True):
    """Both ways under one limit."""

    limit: float
    """Share of in-scope utterances that may be rejected."""
    in_scope: ThresholdResult
    """Fitted on in-scope utterances alone."""
    balanced: ThresholdResult
    """Fitted on both kinds."""


def compare_quantiles(
    scores: NDArray[np.float64], *, wanted: float
) -> dict[str, dict[str, ThresholdMethod]]:
    """Fit thresholds on some in-scope utterances and count what they reject of the others.

    Args:
        scores: of in-scope utterances, shape (utterances,).
        wanted: share to reject, above 0.

    Returns:
        By the number of utterances that are fitted on, then by the method.
    """
    return {
        str(size): _of_size(scores, size=size, wanted=wanted)
        for size in _SIZES
        if size < len(scores)
    }


def compare_with_out_of_scope(
    scores: NDArray[np.float64],
    right: NDArray[np.bool_],
    out_of_scope: NDArray[np.float64],
    *,
    wanted: float,
    folds: int,
    repeats: int,
) -> tuple[LimitedThresholds, ...]:
    """Fit thresholds with and without out-of-scope texts, judged on other folds.

    Args:
        scores: of in-scope utterances, shape (in scope,).
        right: whether their best intent is right.
        out_of_scope: scores of out-of-scope utterances, shape (out of scope,).
        wanted: the first limit; looser ones follow.
        folds: parts, each of which is left out once.
        repeats: how often they are drawn anew.

    Returns:
        One for each limit; empty with fewer out-of-scope texts than two a fold.
    """
    if len(out_of_scope) < 2 * folds:
        return ()
    return tuple(
        LimitedThresholds(
            limit=limit,
            in_scope=_judged(
                lambda own, _, __, limit=limit: fit_threshold(own, in_scope_rejections=limit),
                (scores, right, out_of_scope),
                folds=folds,
                repeats=repeats,
            ),
            balanced=_judged(
                lambda own, hits, other, limit=limit: fit_balanced_threshold(
                    own, hits, other, in_scope_rejections=limit
                ),
                (scores, right, out_of_scope),
                folds=folds,
                repeats=repeats,
            ),
        )
        for limit in (wanted, *_LIMITS)
    )


def _judged(
    fit: Callable[..., float],
    data: tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]],
    *,
    folds: int,
    repeats: int,
) -> ThresholdResult:
    scores, right, out_of_scope = data
    found = []
    for seed in range(1, repeats + 1):
        chance = np.random.default_rng(seed)
        own = chance.permutation(len(scores)) % folds
        other = chance.permutation(len(out_of_scope)) % folds
        for number in range(folds):
            known, new = own != number, own == number
            bound = fit(scores[known], right[known], out_of_scope[other != number])
            found.append(
                (
                    (scores[new] < bound).mean(),
                    ((scores[new] >= bound) & right[new]).mean(),
                    (out_of_scope[other == number] < bound).mean(),
                )
            )
    rejected, answered, recall = (round(float(mean), 6) for mean in np.mean(found, axis=0))
    return ThresholdResult(in_scope_rejected=rejected, in_scope_right=answered, oos_recall=recall)


def _of_size(
    scores: NDArray[np.float64], *, size: int, wanted: float
) -> dict[str, ThresholdMethod]:
    from scipy.stats import norm
    from scipy.stats.mstats import hdquantiles

    methods: dict[str, Callable[[NDArray[np.float64]], float]] = {
        "empirical": lambda drawn: fit_threshold(drawn, in_scope_rejections=wanted),
        "harrell-davis": lambda drawn: float(hdquantiles(drawn, [wanted])[0]),
        "normal": lambda drawn: float(drawn.mean() + drawn.std() * norm.ppf(wanted)),
    }
    shares: dict[str, list[float]] = {name: [] for name in methods}
    chance = np.random.default_rng(1)
    for _ in range(DRAWS):
        order = chance.permutation(len(scores))
        drawn, others = scores[order[:size]], scores[order[size:]]
        for name, method in methods.items():
            shares[name].append(float((others < method(drawn)).mean()))
    return {
        name: ThresholdMethod(
            rejected=round(float(np.mean(values)), 6),
            error=round(float(np.sqrt(np.mean((np.array(values) - wanted) ** 2))), 6),
        )
        for name, values in shares.items()
    }
