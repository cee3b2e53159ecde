"""Token ids and batches of similar lengths, so that little time goes into padding."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["Batch", "batches_in_order", "pad", "shuffled_batches"]

Batch = tuple[Tensor, Tensor]
"""``input_ids`` and ``attention_mask``, int64, each of shape (batch, longest)."""

# Within one pool rows are sorted by length: large enough to fill batches of one length,
# small enough that every epoch meets other neighbours.
_POOL_BATCHES = 50


def pad(token_ids: Sequence[Sequence[int]], *, padding_id: int) -> Batch:
    """Pad rows to the longest of them."""
    longest = max(len(row) for row in token_ids)
    ids = torch.full((len(token_ids), longest), padding_id, dtype=torch.int64)
    mask = torch.zeros((len(token_ids), longest), dtype=torch.int64)
    for index, row in enumerate(token_ids):
        ids[index, : len(row)] = torch.tensor(row, dtype=torch.int64)
        mask[index, : len(row)] = 1
    return ids, mask


def shuffled_batches(lengths: Sequence[int], *, batch_size: int, seed: int) -> list[list[int]]:
    """One epoch of row numbers: shuffled, near-equal lengths in a batch, batches shuffled."""
    chance = random.Random(seed)  # noqa: S311 - order of training rows, not a secret
    order = list(range(len(lengths)))
    chance.shuffle(order)
    pool = batch_size * _POOL_BATCHES
    batches: list[list[int]] = []
    for start in range(0, len(order), pool):
        rows = sorted(order[start : start + pool], key=lambda row: lengths[row])
        batches.extend(rows[i : i + batch_size] for i in range(0, len(rows), batch_size))
    chance.shuffle(batches)
    return batches


def batches_in_order(lengths: Sequence[int], *, batch_size: int) -> list[list[int]]:
    """All row numbers, sorted by length, for evaluation."""
    order = sorted(range(len(lengths)), key=lambda row: lengths[row])
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
