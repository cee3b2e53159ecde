"""The head before any gradient step: the means of each intent's training vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["initialize_from_class_means"]


def initialize_from_class_means(
    head: nn.Linear, embeddings: Tensor, labels: Tensor, *, scale: float
) -> None:
    """Set a linear head so that its logits are ``scale`` times a cosine to the class means.

    Nearest class mean by cosine is a strong classifier with sentence encoders, so training
    starts close to a good place (Snell et al. 2017, arXiv 1703.05175, for the idea of
    prototypes). The vectors' own lengths vary little; their mean stands in for each.

    Args:
        head: the layer to fill, of shape (labels, hidden).
        embeddings: mean-pooled vectors of the training texts, shape (texts, hidden).
        labels: int64 of shape (texts,).
        scale: the logit of a perfect match.
    """
    lengths = embeddings.norm(dim=1, keepdim=True)
    directions = embeddings / lengths
    means = torch.zeros(head.out_features, embeddings.shape[1])
    means.index_add_(0, labels, directions)
    means = nn.functional.normalize(means, dim=1)
    with torch.no_grad():
        head.weight.copy_(means * scale / lengths.mean())
        head.bias.zero_()
