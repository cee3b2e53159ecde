"""The head: what it starts from, and what is kept of the training texts beside it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge_runtime.head import Head, normalize

__all__ = ["class_means", "describe_head", "initialize_from_class_means"]

_SHRINKAGE = 0.01


def class_means(embeddings: Tensor, labels: Tensor, *, count: int) -> Tensor:
    """Mean direction of each intent's texts, of length one, shape (count, hidden).

    Args:
        embeddings: shape (texts, hidden).
        labels: int64 of shape (texts,).
        count: how many intents there are; one without texts gets zeros.
    """
    means = torch.zeros(count, embeddings.shape[1])
    means.index_add_(0, labels, nn.functional.normalize(embeddings, dim=1))
    return nn.functional.normalize(means, dim=1)


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
        embeddings: mean-pooled vectors of the training texts, shape (texts, hidden).
        labels: int64 of shape (texts,).
        scale: the logit of a perfect match.
        normalized: whether the head sees embeddings at length one.
    """
    means = class_means(embeddings, labels, count=head.out_features)
    typical = torch.tensor(1.0) if normalized else embeddings.norm(dim=1).mean()
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
        embeddings: mean-pooled vectors of the training texts, shape (texts, hidden).
        labels: their intents, shape (texts,); every intent occurs.
        normalized: whether the layer sees embeddings at length one.
    """
    directions = normalize(embeddings)
    seen = directions if normalized else embeddings
    means = _means(seen, labels, head.out_features)
    whitening = _whitening(seen - means[labels])
    return Head(
        weight=head.weight.detach().cpu().numpy().astype(np.float32),
        bias=head.bias.detach().cpu().numpy().astype(np.float32),
        normalized=normalized,
        directions=normalize(_means(directions, labels, head.out_features)),
        whitening=whitening,
        whitened_means=means @ whitening,
        neighbours=directions,
    )


def _means(rows: NDArray[np.float32], labels: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    sums = np.zeros((count, rows.shape[1]), dtype=np.float64)
    np.add.at(sums, labels, rows)
    result = sums / np.bincount(labels, minlength=count)[:, None]
    return result.astype(np.float32)


def _whitening(residuals: NDArray[np.float32]) -> NDArray[np.float32]:
    """A factor W of the inverse of the shrunk covariance: W W^T is that inverse.

    Shrinkage towards a multiple of the identity makes it invertible with few texts (Ledoit and
    Wolf 2004, for the form); the share was chosen on CLINC150's validation split.
    """
    wide = residuals.astype(np.float64)
    covariance = wide.T @ wide / len(wide)
    hidden = covariance.shape[0]
    # The floor is for texts that are all their own mean: one an intent.
    spread = max(float(np.trace(covariance)) / hidden, 1e-12)
    covariance = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * spread * np.eye(hidden)
    result: NDArray[np.float32] = np.linalg.cholesky(np.linalg.inv(covariance)).astype(np.float32)
    return result
