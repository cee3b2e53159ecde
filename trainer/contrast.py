"""What a small set tells besides its labels: which of all its texts belong together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Contrast"]

# The cosines are divided by it; the usual one of this loss, and the only one tried.
_TEMPERATURE = 0.1
# In place of a text's likeness to itself: finite, because 0 times infinity is no number.
_NEVER = -1e9


class Contrast:
    """Pulls each text towards the others of its intent, and away from all the rest.

    The supervised contrastive loss (Khosla et al. 2020, arXiv 2004.11362). A batch of a set with
    few texts an intent seldom holds two of one, so each text is compared with all texts, as they
    were embedded before the pass (a memory bank: Wu et al. 2018, arXiv 1805.01978). It is a sum
    over texts: a batch that is shared out or halved makes the same step as a whole one.

    Args:
        targets: intent of each training text, int64 of shape (texts,).
    """

    def __init__(self, targets: Tensor) -> None:
        self._targets = targets
        self._embeddings = torch.zeros(len(targets), 0)

    def look(self, embeddings: Tensor) -> None:
        """Take how all texts are embedded now.

        Args:
            embeddings: shape (texts, hidden).
        """
        self._embeddings = nn.functional.normalize(embeddings, dim=1)
        self._targets = self._targets.to(embeddings.device)

    def distance(self, embeddings: Tensor, rows: list[int]) -> Tensor:
        """How far some texts are from those of their intents, added up over them.

        Args:
            embeddings: theirs, with their graph, shape (len(rows), hidden).
            rows: which of all texts they are. One that is alone in its intent counts nothing.
        """
        directions = nn.functional.normalize(embeddings, dim=1)
        itself = nn.functional.one_hot(
            torch.tensor(rows, device=directions.device), len(self._targets)
        ).bool()
        kin = (self._targets[rows][:, None] == self._targets[None]) & ~itself
        likeness = (directions @ self._embeddings.T / _TEMPERATURE).masked_fill(itself, _NEVER)
        shares = torch.log_softmax(likeness, dim=1)
        return -((shares * kin).sum(dim=1) / kin.sum(dim=1).clamp(min=1)).sum()
