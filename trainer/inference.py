"""Running a model over many texts in batches: embeddings for the head, logits for judging."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_runtime.console import Progress, no_progress
from trainer.batches import batches_in_order, pad
from trainer.model import IntentModel

__all__ = ["embeddings_of", "logits_of"]

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
    rows = _run(model.embed, model, token_ids, padding_id, device, "embedding", progress)
    return torch.stack(rows)


def logits_of(
    model: IntentModel,
    token_ids: Sequence[Sequence[int]],
    *,
    padding_id: int,
    device: torch.device,
    progress: Progress = no_progress,
) -> NDArray[np.float32]:
    """Logits, float32 of shape (texts, labels)."""

    def forward(ids: Tensor, mask: Tensor) -> Tensor:
        logits: Tensor = model(ids, mask).logits
        return logits

    if not token_ids:
        return np.zeros((0, model.head.out_features), dtype=np.float32)
    rows = _run(forward, model, token_ids, padding_id, device, "predicting", progress)
    return torch.stack(rows).numpy()


def _run(
    function: Callable[[Tensor, Tensor], Tensor],
    model: IntentModel,
    token_ids: Sequence[Sequence[int]],
    padding_id: int,
    device: torch.device,
    what: str,
    progress: Progress,
) -> list[Tensor]:
    was_training = model.training
    model.eval()
    rows: list[Tensor] = [torch.empty(0)] * len(token_ids)
    done = 0
    with torch.inference_mode():
        for batch in batches_in_order([len(row) for row in token_ids], batch_size=_BATCH_SIZE):
            ids, mask = pad([token_ids[row] for row in batch], padding_id=padding_id)
            result = function(ids.to(device), mask.to(device)).float().cpu()
            for row, value in zip(batch, result, strict=True):
                rows[row] = value
            done += len(batch)
            progress(what, done, len(token_ids), "")
    model.train(was_training)
    return rows
