"""What a set tells besides its labels: which of all its texts belong together."""

from __future__ import annotations

import random
from collections import defaultdict

import torch
from torch import Tensor, nn

__all__ = ["Contrast"]

# The cosines are divided by it; the usual one of this loss, and the only one tried.
_TEMPERATURE = 0.1
# 31 MB of vectors of 384 numbers, by which each batch is multiplied: far less than the encoder's
# work. It is a matter of time and was not chosen by accuracy.
_ROOM = 20_000
# In place of a text's likeness to itself: finite, because of one text alone that is all there is.
_NEVER = -1e9
# Where a text would stand that is not compared with; the last place may be read and counts nothing.
_ABSENT = -1


class Contrast:
    """Pulls each text towards the others of its intent, and away from all the rest.

    The supervised contrastive loss (Khosla et al. 2020, arXiv 2004.11362). A batch of a set with
    many intents seldom holds two texts of one, so each text is compared with all texts, as they
    were embedded before the pass (a memory bank: Wu et al. 2018, arXiv 1805.01978); of a very
    large set with as many of each intent as there is room for. It is a sum over texts: a batch
    that is shared out or halved makes the same step as a whole one.

    Args:
        targets: intent of each training text, int64 of shape (texts,).
        room: texts that are compared with, at most, but for one of each intent.
    """

    def __init__(self, targets: Tensor, *, room: int = _ROOM) -> None:
        self._targets, self._room = targets, room
        self._places = torch.zeros(0, dtype=torch.int64)
        self._embeddings = torch.zeros(0, 0)
        self._sums = torch.zeros(0, 0)
        self._counts = torch.zeros(0, dtype=torch.int64)

    def choose(self, *, seed: int) -> list[int]:
        """Say which texts a pass is to compare with, in the order of their rows."""
        if len(self._targets) <= self._room:
            return list(range(len(self._targets)))
        by_intent: dict[int, list[int]] = defaultdict(list)
        for row, target in enumerate(self._targets.tolist()):
            by_intent[target].append(row)
        share = max(1, self._room // len(by_intent))
        chance = random.Random(seed)  # noqa: S311 - which texts are compared, not a secret
        return sorted(
            row for rows in by_intent.values() for row in chance.sample(rows, min(share, len(rows)))
        )

    def look(self, rows: list[int], embeddings: Tensor) -> None:
        """Take how the chosen texts are embedded now.

        Args:
            rows: which of all texts they are.
            embeddings: shape (len(rows), hidden).
        """
        device = embeddings.device
        self._targets = self._targets.to(device)
        self._embeddings = nn.functional.normalize(embeddings, dim=1)
        self._places = torch.full((len(self._targets),), _ABSENT, device=device)
        self._places[rows] = torch.arange(len(rows), device=device)
        targets, intents = self._targets[rows], int(self._targets.max()) + 1
        self._counts = torch.bincount(targets, minlength=intents)
        self._sums = self._embeddings.new_zeros(intents, embeddings.shape[1])
        self._sums.index_add_(0, targets, self._embeddings)

    def distance(self, embeddings: Tensor, rows: list[int]) -> Tensor:
        """How far some texts are from those of their intents, added up over them.

        Args:
            embeddings: theirs, with their graph, shape (len(rows), hidden).
            rows: which of all texts they are. One that is alone in its intent counts nothing.
        """
        directions = nn.functional.normalize(embeddings, dim=1)
        places, targets = self._places[rows], self._targets[rows]
        is_there = places != _ABSENT
        # The likenesses to all of one's intent add up to that to their sum: no table of who is kin.
        kin = self._sums[targets] - self._embeddings[places] * is_there[:, None]
        count = self._counts[targets] - is_there.long()
        to_kin = (directions * kin).sum(dim=1) / count.clamp(min=1)
        likeness = directions @ self._embeddings.T / _TEMPERATURE
        # A text is not compared with itself.
        likeness[is_there.nonzero()[:, 0], places[is_there]] = _NEVER
        distances = likeness.logsumexp(dim=1) - to_kin / _TEMPERATURE
        return distances.masked_fill(count == 0, 0.0).sum()
