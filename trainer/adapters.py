"""LoRA: small matrices that are trained beside frozen weights, and merged into them at the end."""

from __future__ import annotations

from typing import Any

import torch

from trainer.config import TrainSettings
from trainer.model import IntentModel

__all__ = ["add_adapter", "is_first_factor", "merge_adapter"]


def add_adapter(model: IntentModel, settings: TrainSettings) -> Any:
    """Put LoRA layers on every linear layer of the encoder and freeze the rest of it.

    Source: Hu et al. 2021, "LoRA" (arXiv 2106.09685).

    Args:
        model: whose encoder is wrapped in place.
        settings: rank, scale and dropout of the adapter.

    Returns:
        The peft model that ``model.encoder`` is then.
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


def is_first_factor(name: str) -> bool:
    """Whether a parameter is the first of the two matrices that an adapter multiplies.

    The second begins with zeros: a share of it alone is that share of the product, and so of
    what the weights gain. A share of both would be the square of it.

    Args:
        name: of the parameter, as peft names it.
    """
    return ".lora_A." in name


def merge_adapter(model: IntentModel, *, packed: bool = False) -> None:
    """Add the adapter's product to the weights; the model is plain again, in float32.

    Args:
        model: with an adapter.
        packed: whether the frozen weights are in four bits. The product is added to what they
            unpack to, which is what the adapter was trained beside, and nothing is packed again.
    """
    if not packed:
        model.encoder = model.encoder.merge_and_unload()
        return
    from trainer.quantization import unpack

    base = model.encoder.get_base_model()
    with torch.no_grad():
        added = {
            name: part.get_delta_weight("default")
            for name, part in base.named_modules()
            if hasattr(part, "get_delta_weight")
        }
    model.encoder = model.encoder.unload()
    unpack(model.encoder, added=added)
