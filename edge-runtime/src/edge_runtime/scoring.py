"""From an embedding to an answer: probabilities, the out-of-scope score, the decision.

Each score says how surely a text belongs to any intent: larger is surer. All need no
out-of-scope text. Several can be fused: each is standardised by what it gave on in-scope
validation utterances, and the mean is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.head import Head, normalize

__all__ = [
    "ADDITION_ARRAYS",
    "NEEDED_ARRAYS",
    "SCORES",
    "Calibration",
    "ScoreName",
    "ScorePart",
    "in_scope_scores",
    "missing_arrays",
    "probabilities",
    "score_values",
]

ScoreName = Literal[
    "max-logit",
    "max-probability",
    "energy",
    "class-mean-cosine",
    "nearest-prototype",
    "nearest-neighbour",
    "tenth-neighbour",
    "mahalanobis",
]
"""The scores by name."""
SCORES: tuple[ScoreName, ...] = get_args(ScoreName)

NEEDED_ARRAYS: dict[ScoreName, tuple[str, ...]] = {
    "class-mean-cosine": ("directions",),
    "nearest-prototype": ("prototypes",),
    "nearest-neighbour": ("neighbours",),
    "tenth-neighbour": ("neighbours",),
    "mahalanobis": ("whitening", "whitened_means"),
}
"""Arrays of the head that a score needs, besides weight and bias."""
ADDITION_ARRAYS = frozenset({"whitening", "whitened_means"})
"""Arrays that every bundle keeps, whatever its score: they guard the other intents when one is
added."""

Scores = NDArray[np.float64]
Values = NDArray[np.float32]


class ScorePart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One score, and how it is standardised."""

    name: ScoreName
    """Which score."""
    mean: float = 0.0
    """Subtracted from it."""
    deviation: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    """It is divided by it afterwards."""


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Fitted on validation, for the variant it belongs to."""

    temperature: Annotated[float, msgspec.Meta(gt=0)]
    """Logits are divided by it before the softmax (Guo et al. 2017, arXiv 1706.04599)."""
    score: Annotated[tuple[ScorePart, ...], msgspec.Meta(min_length=1)]
    """The out-of-scope score: the mean of these parts, each standardised."""
    threshold: float
    """A text whose score lies below it is out of scope. Same unit as the score."""
    spread: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """How far held-out texts lie from the means of their intents, by standard deviations within
    intents, where training texts are at 1; ``None`` where none were held out. It decides nothing
    here: an added intent is fitted with it."""


def probabilities(logits: Values, calibration: Calibration) -> NDArray[np.float64]:
    """Calibrated class probabilities, shape (..., labels)."""
    scaled = np.asarray(logits, dtype=np.float64) / calibration.temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return result


def in_scope_scores(
    embeddings: Values, logits: Values, *, head: Head, parts: tuple[ScorePart, ...]
) -> Scores:
    """How sure the model is that texts belong to any intent.

    Args:
        embeddings: as the model gives them, shape (..., hidden).
        logits: of the same texts, shape (..., labels).
        head: with the arrays that the parts need.
        parts: from the calibration.

    Returns:
        Shape (...), in double precision, so that a comparison with a threshold is never rounded.
    """
    total: Scores = np.zeros(logits.shape[:-1], dtype=np.float64)
    for part in parts:
        value = score_values(part.name, embeddings, logits, head=head)
        total = total + (value - part.mean) / part.deviation
    return total / len(parts)


def score_values(name: ScoreName, embeddings: Values, logits: Values, *, head: Head) -> Scores:
    """One score as it is, before it is standardised, shape (...).

    The head must have the arrays that ``NEEDED_ARRAYS`` names for it.
    """
    return _SCORES[name](embeddings, logits, head)


def missing_arrays(parts: Iterable[ScorePart], head: Head) -> list[str]:
    """Names of the arrays that a score needs and a head lacks."""
    return sorted(
        {
            name
            for part in parts
            for name in NEEDED_ARRAYS.get(part.name, ())
            if getattr(head, name) is None
        }
    )


def _max_logit(_: Values, logits: Values, __: Head) -> Scores:
    """Source: Hendrycks et al. 2022 (arXiv 1911.11132)."""
    result: Scores = np.max(logits, axis=-1).astype(np.float64)
    return result


def _energy(_: Values, logits: Values, __: Head) -> Scores:
    """The negative free energy at temperature 1. Source: Liu et al. 2020 (arXiv 2010.03759)."""
    wide = np.asarray(logits, dtype=np.float64)
    peak = wide.max(axis=-1, keepdims=True)
    result: Scores = np.log(np.exp(wide - peak).sum(axis=-1)) + peak[..., 0]
    return result


def _max_probability(embeddings: Values, logits: Values, head: Head) -> Scores:
    """The logarithm of the largest softmax. Source: Hendrycks and Gimpel 2017 (1610.02136)."""
    return _max_logit(embeddings, logits, head) - _energy(embeddings, logits, head)


def _class_mean_cosine(embeddings: Values, _: Values, head: Head) -> Scores:
    """The cosine to the nearest mean of an intent."""
    directions: Any = head.directions
    result: Scores = (normalize(embeddings) @ directions.T).max(axis=-1).astype(np.float64)
    return result


def _nearest_prototype(embeddings: Values, _: Values, head: Head) -> Scores:
    """The cosine to the nearest middle of a group of training texts.

    An intent may be said in several ways that lie apart; one mean stands for none of them.
    """
    prototypes: Any = head.prototypes
    result: Scores = (normalize(embeddings) @ prototypes.T).max(axis=-1).astype(np.float64)
    return result


def _nearest_neighbour(embeddings: Values, _: Values, head: Head) -> Scores:
    """The cosine to the nearest training text: the next function with a k of 1."""
    return _neighbour(embeddings, head, number=1)


def _tenth_neighbour(embeddings: Values, _: Values, head: Head) -> Scores:
    """The cosine to the tenth nearest training text, or to the farthest of fewer.

    One text that lies somewhere by chance says less about what lies there. Source: Sun et al. 2022
    (arXiv 2204.06507), their distance to the k-th nearest neighbour.
    """
    return _neighbour(embeddings, head, number=10)


def _neighbour(embeddings: Values, head: Head, *, number: int) -> Scores:
    neighbours: Any = head.neighbours
    cosines = normalize(embeddings) @ neighbours.T
    place = max(cosines.shape[-1] - number, 0)
    result: Scores = np.partition(cosines, place, axis=-1)[..., place].astype(np.float64)
    return result


def _mahalanobis(embeddings: Values, _: Values, head: Head) -> Scores:
    """The negative squared Mahalanobis distance to the nearest mean of an intent.

    Source: Lee et al. 2018 (arXiv 1807.03888).
    """
    whitening: Any = head.whitening
    points = (head.prepared(embeddings) @ whitening).astype(np.float64)
    means = np.asarray(head.whitened_means, dtype=np.float64)
    # |p - m|^2 = |p|^2 - 2pm + |m|^2: the differences themselves would take a vector for each
    # text and intent, gigabytes for a test split. Double precision keeps what cancels.
    distances = (means**2).sum(axis=-1) - 2 * (points @ means.T)
    result: Scores = -((points**2).sum(axis=-1) + distances.min(axis=-1))
    return result


_SCORES: dict[ScoreName, Callable[[Values, Values, Head], Scores]] = {
    "max-logit": _max_logit,
    "max-probability": _max_probability,
    "energy": _energy,
    "class-mean-cosine": _class_mean_cosine,
    "nearest-prototype": _nearest_prototype,
    "nearest-neighbour": _nearest_neighbour,
    "tenth-neighbour": _tenth_neighbour,
    "mahalanobis": _mahalanobis,
}
