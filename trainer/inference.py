"""Running a model over many texts in batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edge_runtime.console import Progress, no_progress
from trainer.batches import batches_in_order, pad
from trainer.model import IntentModel

__all__ = ["embeddings_of"]

_BATCH_SIZE = 128


def embeddings_of(
    model: IntentModel,
    token_ids: Sequence[Sequence[int]],
    *,
    padding_id: int,
    device: torch.device,
    progress: Progress = no_progress,
) -> Tensor:
    """Mean-pooled vectors, float32 of shape (texts, hidden), on the CPU."""
    was_training = model.training
    model.eval()
    rows = torch.zeros(len(token_ids), model.head.in_features)
    done = 0
    with torch.inference_mode():
        for batch in batches_in_order([len(row) for row in token_ids], batch_size=_BATCH_SIZE):
            ids, mask = pad([token_ids[row] for row in batch], padding_id=padding_id)
            rows[batch] = model.embed(ids.to(device), mask.to(device)).float().cpu()
            done += len(batch)
            progress("embedding", done, len(token_ids), "")
    model.train(was_training)
    return rows
