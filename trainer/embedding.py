"""The embeddings of texts, by a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.console import Progress, no_progress
from edge_runtime.tokenization import Tokenizer
from trainer.checkpoint import Checkpoint, load_model

__all__ = ["embed_texts"]


def embed_texts(
    checkpoint: Checkpoint,
    texts: Mapping[str, Sequence[str]],
    *,
    progress: Progress = no_progress,
) -> dict[str, NDArray[np.float32]]:
    """Embed several lists of texts as a checkpoint does on the CPU.

    Args:
        checkpoint: its model is loaded once.
        texts: normalised texts by the name of their list.
        progress: told each batch.

    Returns:
        By the same names, shape (texts, hidden).
    """
    import torch

    from trainer.inference import embeddings_of

    model = load_model(checkpoint)
    tokenizer = Tokenizer(checkpoint.tokenizer, max_tokens=checkpoint.text.max_tokens)
    return {
        name: embeddings_of(
            model,
            tokenizer.encode_many(list(rows)),
            padding_id=checkpoint.padding_id,
            device=torch.device("cpu"),
            progress=progress,
        ).numpy()
        for name, rows in texts.items()
    }
