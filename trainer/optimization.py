"""The optimiser and its schedule: AdamW with one cycle of the learning rate."""

from __future__ import annotations

from typing import Any

import torch

from trainer.config import TrainSettings
from trainer.model import IntentModel

__all__ = ["make_optimization", "name_of_rate"]

_WARM_UP_SHARE = 0.1


def name_of_rate(settings: TrainSettings) -> str:
    """Name of the setting that holds the encoder's learning rate."""
    return "learning_rate" if settings.method == "full" else "lora_learning_rate"


def make_optimization(
    model: IntentModel, settings: TrainSettings, *, steps: int
) -> tuple[Any, Any]:
    """Make an optimiser of everything that is trained, and the schedule of its rates.

    Source: Loshchilov and Hutter 2019 (arXiv 1711.05101) for AdamW; Smith 2018 (arXiv
    1803.09820) for the cycle.

    Args:
        model: an adapter's parts among it, if there is one.
        settings: the rates at the top of the cycle, and the weight decay.
        steps: how many there will be at most.
    """
    encoder = [p for p in model.encoder.parameters() if p.requires_grad]
    rates = [getattr(settings, name_of_rate(settings)), settings.head_learning_rate]
    optimizer = torch.optim.AdamW(
        [
            {"params": encoder, "lr": rates[0]},
            {"params": list(model.head.parameters()), "lr": rates[1]},
        ],
        weight_decay=settings.weight_decay,
        # One kernel for all: on a processor a fifth of a step is this update otherwise.
        fused=True,
    )
    scheduled = max(steps, 3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=rates,
        total_steps=scheduled,
        # torch divides by the steps before and after the top: there must be some of both.
        pct_start=max(_WARM_UP_SHARE, 2 / scheduled),
    )
    return optimizer, schedule
