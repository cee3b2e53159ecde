"""LoRA: small matrices that are trained beside frozen weights, and merged into them at the end."""

from __future__ import annotations

from typing import Any

from trainer.config import TrainSettings
from trainer.model import IntentModel

__all__ = ["add_adapter", "merge_adapter"]


def add_adapter(model: IntentModel, settings: TrainSettings) -> Any:
    """Put LoRA layers on every linear layer of the encoder and freeze the rest of it.

    Source: Hu et al. 2021, "LoRA" (arXiv 2106.09685). Returns the peft model that wraps
    ``model.encoder`` in place.
    """
    import peft

    configuration = peft.LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules="all-linear",
        bias="none",
    )
    adapted = peft.get_peft_model(model.encoder, configuration)
    model.encoder = adapted
    return adapted


def merge_adapter(model: IntentModel) -> None:
    """Add the adapter's product to the weights; the model is plain again."""
    model.encoder = model.encoder.merge_and_unload()
