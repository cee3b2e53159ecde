"""The row of one more intent, in closed form, from what a bundle keeps of the others' texts.

A bundle keeps the mean of each intent's training texts and the covariance around it. Seen along
any direction these are normal distributions, so it can be computed how many texts of the others
a row would take, without having one of them.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.head import Head, normalize

__all__ = ["Others", "Row", "describe_others", "fit_row", "grow"]

# These were chosen on validation, of CLINC150 without some of its intents and of the smart-home
# example.
# The others' texts that lie towards a new intent lie further out than the covariance says.
_TAIL = 2.5
# The covariance of intents that were trained says too little of one that was not: it is made
# rounder by so many times its mean variance.
_ROUNDING = 3.0
# Standard deviations of held-out texts in those of training texts, when nothing tells it.
_SPREAD = 1.2
_BIAS_STEPS = 60

Vector = NDArray[np.float64]


class Others(NamedTuple):
    """What is known of the texts of a head's intents."""

    head: Head
    means: NDArray[np.float64]
    """Mean prepared embedding of each intent, shape (labels, hidden)."""
    factor: NDArray[np.float64]
    """A factor F of the covariance within intents: it is F F^T, shape (hidden, hidden)."""
    precision: NDArray[np.float64]
    """Inverse of that covariance, made rounder, shape (hidden, hidden)."""
    spread: float
    """Standard deviations of held-out texts, in those of training texts."""


class Row(NamedTuple):
    """One more row of a head."""

    weight: Vector
    """Shape (hidden,)."""
    bias: float
    """The largest that leaves the others their texts."""


def describe_others(head: Head, spread: float | None) -> Others:
    """Gather what rows are fitted against.

    Args:
        head: with ``whitening`` and ``whitened_means``.
        spread: of a variant's calibration; ``None`` takes a usual one.
    """
    whitening: Any = head.whitening
    unwhitening = np.linalg.inv(whitening.astype(np.float64))
    covariance = unwhitening.T @ unwhitening
    rounding = _ROUNDING * np.trace(covariance) / head.hidden
    return Others(
        head=head,
        means=np.asarray(head.whitened_means, dtype=np.float64) @ unwhitening,
        factor=unwhitening.T,
        precision=np.linalg.inv(covariance + rounding * np.eye(head.hidden)),
        spread=_SPREAD if spread is None else spread,
    )


def fit_row(others: Others, embeddings: NDArray[np.float32], *, taken: float) -> Row:
    """Fit the row of an intent to the embeddings of its examples.

    The direction is that of Fisher's discriminant for the mean of the examples, with a rounded
    covariance (Friedman 1989, regularized discriminant analysis, for the form); the length is
    that of the other rows. The bias is the largest with which the row takes no more of the others'
    texts than it may, every intent counted alike.

    Args:
        others: of the head.
        embeddings: of the examples, shape (examples, hidden).
        taken: share of the others' texts that it may take, by estimate, 0 to 0.5.
    """
    head = others.head
    mean = head.prepared(embeddings).mean(axis=0).astype(np.float64)
    direction = others.precision @ mean
    length = float(np.linalg.norm(head.weight, axis=1).mean())
    weight = direction * (length / max(float(np.linalg.norm(direction)), 1e-12))
    # How far each intent's own logit leads the new one on its texts: mean and deviation.
    differences = head.weight.astype(np.float64) - weight
    leads = (differences * others.means).sum(axis=1) + head.bias
    deviations = np.linalg.norm(differences @ others.factor, axis=1) * others.spread * _TAIL
    return Row(weight=weight, bias=_largest_bias(leads, deviations, taken))


def _largest_bias(leads: Vector, deviations: Vector, wanted: float) -> float:
    reach = 10 * float(deviations.max()) + 1.0
    low, high = float(leads.min()) - reach, float(leads.max()) + reach
    scales = np.maximum(deviations, 1e-9) * math.sqrt(2)
    for _ in range(_BIAS_STEPS):
        middle = (low + high) / 2
        taken = sum(math.erfc(one) for one in (leads - middle) / scales) / (2 * len(leads))
        low, high = (middle, high) if taken <= wanted else (low, middle)
    return low


def grow(head: Head, embeddings: NDArray[np.float32], row: Row) -> Head:
    """Give a head one more row, and what its scores need of the row's examples."""
    grown: dict[str, Any] = {
        "weight": np.vstack([head.weight, row.weight]),
        "bias": np.append(head.bias, row.bias),
    }
    if head.directions is not None:
        direction = normalize(normalize(embeddings).mean(axis=0))
        grown["directions"] = np.vstack([head.directions, direction])
    if head.whitening is not None and head.whitened_means is not None:
        mean = head.prepared(embeddings).mean(axis=0) @ head.whitening
        grown["whitened_means"] = np.vstack([head.whitened_means, mean])
    for name in ("prototypes", "neighbours"):
        # A few examples are their own prototypes.
        if (texts := getattr(head, name)) is not None:
            grown[name] = np.vstack([texts, normalize(embeddings)])
    return msgspec.structs.replace(
        head, **{name: array.astype(np.float32) for name, array in grown.items()}
    )
