"""The head: what it starts from, and what is kept of the training texts beside it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge_runtime.head import Head, normalize

__all__ = ["describe_head", "initialize_from_class_means"]

_SHRINKAGE = 0.01
# Neighbours are the one part of a head that grows with the data: of a larger set an even choice.
_MOST_NEIGHBOURS = 20_000
# Rows at a time where a sum over all of them needs more digits.
_BLOCK_ROWS = 10_000


def initialize_from_class_means(
    head: nn.Linear, embeddings: Tensor, labels: Tensor, *, scale: float, normalized: bool
) -> None:
    """Set a linear head so that its logits are ``scale`` times a cosine to the class means.

    Nearest class mean by cosine is a strong classifier with sentence encoders, so training
    starts close to a good place (Snell et al. 2017, arXiv 1703.05175, for the idea of
    prototypes). Where embeddings keep their lengths, these vary little: their mean stands in
    for each.

    Args:
        head: the layer to fill, of shape (labels, hidden).
        embeddings: pooled vectors of the training texts, shape (texts, hidden).
        labels: int64 of shape (texts,).
        scale: the logit of a perfect match.
        normalized: whether the head sees embeddings at length one.
    """
    lengths = embeddings.norm(dim=1, keepdim=True)
    means = torch.zeros(head.out_features, embeddings.shape[1])
    means.index_add_(0, labels, embeddings / lengths)
    means = nn.functional.normalize(means, dim=1)
    typical = torch.tensor(1.0) if normalized else lengths.mean()
    with torch.no_grad():
        head.weight.copy_(means * scale / typical)
        head.bias.zero_()


def describe_head(
    head: nn.Linear,
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    normalized: bool,
) -> Head:
    """Gather the trained layer and what out-of-scope scores need of the training texts.

    Args:
        head: the trained layer.
        embeddings: pooled vectors of the training texts, shape (texts, hidden).
        labels: their intents, shape (texts,); every intent occurs.
        normalized: whether the layer sees embeddings at length one.
    """
    directions = normalize(embeddings)
    seen = directions if normalized else embeddings
    means = _means(seen, labels, head.out_features)
    whitening = _whitening(seen, means, labels)
    return Head(
        weight=head.weight.detach().cpu().numpy().astype(np.float32),
        bias=head.bias.detach().cpu().numpy().astype(np.float32),
        normalized=normalized,
        directions=normalize(_means(directions, labels, head.out_features)),
        whitening=whitening,
        whitened_means=means @ whitening,
        neighbours=directions[_even_choice(labels, most=_MOST_NEIGHBOURS)],
    )


def _even_choice(labels: NDArray[np.int64], *, most: int) -> NDArray[np.int64]:
    """Row numbers in order: all, or ``most`` at most, as many of each intent as there are.

    Where an intent has fewer than its part, the others share what it leaves.
    """
    if len(labels) <= most:
        return np.arange(len(labels))
    # The how-manieth of its intent each row is: those with the lowest numbers are taken.
    by_label = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[by_label], labels[by_label])
    turn = np.empty(len(labels), dtype=np.int64)
    turn[by_label] = np.arange(len(labels)) - starts
    return np.sort(np.argsort(turn, kind="stable")[:most])


def _means(rows: NDArray[np.float32], labels: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    sums = np.zeros((count, rows.shape[1]), dtype=np.float64)
    np.add.at(sums, labels, rows)
    result = sums / np.bincount(labels, minlength=count)[:, None]
    return result.astype(np.float32)


def _whitening(
    rows: NDArray[np.float32], means: NDArray[np.float32], labels: NDArray[np.int64]
) -> NDArray[np.float32]:
    """A factor W of the inverse of the shrunk covariance within intents: W W^T is that inverse.

    Shrinkage towards a multiple of the identity makes it invertible with few texts (Ledoit and
    Wolf 2004, for the form); the share was chosen on CLINC150's validation split.
    """
    hidden = rows.shape[1]
    covariance = np.zeros((hidden, hidden))
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        residuals = (rows[block] - means[labels[block]]).astype(np.float64)
        covariance += residuals.T @ residuals / len(rows)
    # The floor is for texts that are all their own mean: one an intent.
    spread = max(float(np.trace(covariance)) / hidden, 1e-12)
    covariance = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * spread * np.eye(hidden)
    result: NDArray[np.float32] = np.linalg.cholesky(np.linalg.inv(covariance)).astype(np.float32)
    return result
