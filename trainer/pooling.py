"""From token vectors to one embedding: how each kind of base model is pooled."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from trainer.errors import BaseModelError

__all__ = ["Pooling", "choose_pooling", "pool"]

Pooling = Literal["mean", "last-token"]
"""``mean`` of all token vectors; or the vector of the last token, which alone of a decoder's
has seen the whole text."""


def choose_pooling(configuration: Any, *, name: str) -> Pooling:
    """Say how a base model is pooled: encoders by the mean, decoders by the last token.

    Args:
        configuration: of the base model, from transformers.
        name: of the base model, for the error.

    Raises:
        BaseModelError: it is neither an encoder nor a decoder of text.
    """
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    kind = configuration.model_type
    if not configuration.is_encoder_decoder and getattr(configuration, "hidden_size", None):
        # Many encoders have a causal form too: only what has no masked form is a decoder.
        if kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
            return "mean"
        if kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
            return "last-token"
    raise BaseModelError(
        f"base model {name} is of type {kind}, which is neither an encoder (such as bert, "
        "distilbert, roberta, modernbert) nor a decoder (such as llama, qwen3) of text; give "
        "another",
        name=name,
        model_type=kind,
    )


def pool(hidden: Tensor, attention_mask: Tensor, *, pooling: Pooling) -> Tensor:
    """Reduce token vectors to one vector a text.

    Args:
        hidden: shape (batch, tokens, hidden).
        attention_mask: 1 for tokens, 0 for padding, which stands on the right; int64 of shape
            (batch, tokens), at least one token a text.
        pooling: how.

    Returns:
        Shape (batch, hidden).
    """
    if pooling == "last-token":
        last = attention_mask.sum(dim=1) - 1
        index = last[:, None, None].expand(-1, 1, hidden.shape[-1])
        return torch.gather(hidden, 1, index)[:, 0]
    mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * mask).sum(dim=1) / mask.sum(dim=1)
