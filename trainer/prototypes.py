"""A head's training texts, condensed to a few prototypes an intent.

On a device they take the place of the texts themselves: the cosine to the nearest of them tells
out-of-scope texts apart about as well, for a tenth of the bytes.
"""

from __future__ import annotations

import warnings

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.head import Head, normalize

__all__ = ["with_prototypes"]

# Chosen on CLINC150's validation, of 5, 10, 20 and 50: docs/decisions/0009.
_PROTOTYPES = 10


def with_prototypes(head: Head) -> Head:
    """Give a head its prototypes: middles of groups of the texts nearest to each intent's mean.

    Groups are found by k-means (Lloyd 1982, begun as by Arthur and Vassilvitskii 2007). Equal heads
    get equal prototypes.

    Args:
        head: with ``directions`` and ``neighbours``, as every checkpoint has them.

    Returns:
        The head with ``prototypes``, of shape (prototypes, hidden): ten an intent, or as many as
        it has texts.
    """
    if head.directions is None or head.neighbours is None:
        raise ValueError("a head without directions and neighbours has no prototypes")
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    k_means = KMeans(_PROTOTYPES, n_init=1, random_state=0)

    def middles(texts: NDArray[np.float32]) -> NDArray[np.float32]:
        texts = np.unique(texts, axis=0)
        if len(texts) <= _PROTOTYPES:
            return texts
        return normalize(k_means.fit(texts).cluster_centers_.astype(np.float32))

    nearest = (head.neighbours @ head.directions.T).argmax(axis=1)
    # Several threads would add up in the order in which they end.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        prototypes = np.concatenate(
            [middles(head.neighbours[nearest == intent]) for intent in range(head.labels)]
        )
    # As a bundle's file holds them: whatever is fitted here sees what a device will see.
    rounded = prototypes.astype(np.float16).astype(np.float32)
    return msgspec.structs.replace(head, prototypes=rounded)
