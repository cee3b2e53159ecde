"""Running a model over many texts in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from edge_runtime.console import Progress, no_progress
from trainer.batches import batches_in_order, pad
from trainer.model import IntentModel
from trainer.processes import Processes

__all__ = ["embeddings_of", "run_in_batches"]

_BATCH_SIZE = 128


def run_in_batches(
    function: Callable[[Tensor, Tensor], Tensor],
    token_ids: Sequence[Sequence[int]],
    *,
    width: int,
    padding_id: int,
    processes: Processes,
    progress: Progress = no_progress,
) -> Tensor:
    """Apply a function to padded batches of similar lengths, without gradients.

    Args:
        function: ``input_ids``, ``attention_mask`` -> shape (batch, width).
        token_ids: one row a text.
        width: of the result.
        padding_id: the token that fills a batch.
        processes: each takes its share of the batches, and gets all rows.
        progress: told each batch.

    Returns:
        Float32 of shape (texts, width) on the CPU, in the order of the texts.
    """
    found = torch.zeros(len(token_ids), width)
    done = 0
    batches = batches_in_order([len(row) for row in token_ids], batch_size=_BATCH_SIZE)
    with torch.inference_mode():
        for batch in processes.share(batches):
            ids, mask = pad([token_ids[row] for row in batch], padding_id=padding_id)
            values = function(ids.to(processes.device), mask.to(processes.device))
            found[batch] = values.float().cpu()
            done += len(batch)
            progress("embedding", done, len(token_ids), "")
    return processes.sum(found)


def embeddings_of(
    model: IntentModel,
    token_ids: Sequence[Sequence[int]],
    *,
    padding_id: int,
    device: torch.device,
    processes: Processes | None = None,
    progress: Progress = no_progress,
) -> Tensor:
    """Pooled vectors, float32 of shape (texts, hidden), on the CPU.

    Args:
        model: on ``device``.
        token_ids: one row a text.
        padding_id: the token that fills a batch.
        device: where to compute.
        processes: those that share the work, each with its copy of the model; else this alone.
        progress: told each batch.
    """
    was_training = model.training
    model.eval()
    rows = run_in_batches(
        model.embed,
        token_ids,
        width=model.head.in_features,
        padding_id=padding_id,
        processes=processes or Processes(device),
        progress=progress,
    )
    model.train(was_training)
    return rows
