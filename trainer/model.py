"""The intent model: an encoder, the pooling of its token vectors, and one linear head.

Only the encoder and the pooling are exported; the head is a file of its own, which the runtime
computes (``edge_runtime.head``). So what is trained here is exactly what every variant answers.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from trainer.base_model import BaseModel
from trainer.errors import BaseModelError
from trainer.pooling import Pooling, choose_pooling, pool

__all__ = [
    "EmbeddingModel",
    "EmbeddingOutput",
    "IntentModel",
    "IntentOutput",
    "load_encoder",
    "prepare_encoder",
]

_POOLER = "pooler."


class IntentOutput(NamedTuple):
    """What the model gives; a named tuple, so that exporters see the name."""

    logits: Tensor
    """Shape (batch, labels)."""


class EmbeddingOutput(NamedTuple):
    """What is exported of the model."""

    embedding: Tensor
    """Shape (batch, hidden)."""


class IntentModel(nn.Module):
    """Encoder, pooling, linear head.

    Args:
        encoder: a transformers encoder or decoder whose output has ``last_hidden_state``.
        labels: how many intents.
        normalized: whether the head sees embeddings at length one, so that with its rows at one
            length too, logits are cosines.
        pooling: how token vectors become one embedding.
    """

    def __init__(
        self, encoder: Any, labels: int, *, normalized: bool, pooling: Pooling = "mean"
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.normalized = normalized
        self.pooling: Pooling = pooling
        self.head = nn.Linear(encoder.config.hidden_size, labels)

    @property
    def config(self) -> Any:
        """The encoder's transformers configuration."""
        return self.encoder.config

    @property
    def padding_id(self) -> int:
        """The token that fills a batch; decoders often have none, and any does: it is masked."""
        return max(getattr(self.config, "pad_token_id", None) or 0, 0)

    def embed(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Pooled token vectors, shape (batch, hidden)."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return pool(hidden, attention_mask, pooling=self.pooling)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> IntentOutput:
        """Logits of a padded batch.

        Args:
            input_ids: int64 of shape (batch, tokens).
            attention_mask: 1 for tokens, 0 for padding, which stands on the right; int64 of the
                same shape.
        """
        return IntentOutput(logits=self.classify(self.embed(input_ids, attention_mask)))

    def classify(self, embedding: Tensor) -> Tensor:
        """Logits of pooled token vectors, shape (batch, labels)."""
        if self.normalized:
            embedding = nn.functional.normalize(embedding, dim=1)
        logits: Tensor = self.head(embedding)
        return logits


class EmbeddingModel(nn.Module):
    """The part of an intent model that is exported: everything below its head."""

    def __init__(self, model: IntentModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> EmbeddingOutput:
        """Pooled token vectors of a padded batch; arguments as ``IntentModel.forward``."""
        return EmbeddingOutput(embedding=self.model.embed(input_ids, attention_mask))


def load_encoder(
    base: BaseModel, *, quantization: Any = None, device: torch.device | None = None
) -> Any:
    """Load a base model's encoder or decoder in float32.

    Args:
        base: which.
        quantization: a transformers configuration, see ``trainer.quantization``; by default
            the weights are loaded as they are.
        device: where quantised weights go; others are loaded on the CPU.

    Raises:
        BaseModelError: transformers cannot load it, its file lacks weights, or it is neither
            an encoder nor a decoder of text.
    """
    from safetensors import SafetensorError
    from transformers import AutoModel

    options: dict[str, Any] = {
        "local_files_only": True,
        # Else transformers asks on the terminal whether to run code that a model brings.
        "trust_remote_code": False,
        "output_loading_info": True,
        # Whatever the file holds: updates of the weights are too small for fewer digits.
        "dtype": torch.float32,
    }
    if quantization is not None:
        options["quantization_config"] = quantization
        options["device_map"] = {"": device or torch.device("cpu")}
    # transformers tells of missing weights on several lines; here they are an error of one.
    logger = logging.getLogger("transformers.modeling_utils")
    logger.addFilter(_is_error)
    try:
        encoder, found = AutoModel.from_pretrained(base.location, **options)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise BaseModelError(
            f"transformers cannot load base model {base.name}: {str(error).splitlines()[0]}; "
            "see docs/training.md for the families that work, and save the model again "
            "(model.save_pretrained) if it is one of them",
            name=base.name,
        ) from error
    finally:
        logger.removeFilter(_is_error)
    choose_pooling(encoder.config, name=base.name)
    if missing := sorted(key for key in found["missing_keys"] if not key.startswith(_POOLER)):
        # They would be random numbers, and the training would not say so.
        raise BaseModelError(
            f"the weights of base model {base.name} lack {missing[0]} and {len(missing) - 1} more "
            "that its config.json asks for; save the model again (model.save_pretrained)",
            name=base.name,
            missing=missing,
        )
    return prepare_encoder(encoder)


def prepare_encoder(encoder: Any) -> Any:
    """Take off what an embedding never uses: the pooler, the cache of keys, the compiler."""
    if getattr(encoder, "pooler", None) is not None:
        # The pooler is a dense layer over the first token; our pooling never uses it.
        encoder.pooler = None
    if getattr(encoder.config, "use_cache", False):
        # The keys and values of a decoder are for the next token, and there is none.
        encoder.config.use_cache = False
    if hasattr(encoder.config, "reference_compile"):
        # ModernBERT would compile itself at the first batch of each length.
        encoder.config.reference_compile = False
    return encoder


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR
