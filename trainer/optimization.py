"""The optimiser and its schedule: AdamW with one cycle of the learning rate."""

from __future__ import annotations

from typing import Any

import torch

from trainer.config import TrainSettings
from trainer.model import IntentModel

__all__ = ["make_optimization", "name_of_rate", "rate_for"]

_WARM_UP_SHARE = 0.1
_USUAL_WIDTH = 384


def name_of_rate(settings: TrainSettings) -> str:
    """Name of the setting that holds the encoder's learning rate."""
    return "learning_rate" if settings.method == "full" else "lora_learning_rate"


def rate_for(settings: TrainSettings, configuration: Any) -> float:
    """The encoder's learning rate, at the top of the cycle, for an encoder of its width.

    The setting is for encoders 384 numbers wide, or less. A wider one bears less, because each
    of its outputs adds up more changed weights. When all weights are trained the rate falls with
    the square of the width: 2e-4 becomes 5e-5 at 768 and 2.8e-5 at 1024, the upper end of what
    BERT's authors searched (Devlin et al. 2019, arXiv 1810.04805, A.3). An adapter's two matrices
    touch the width on one side each, and its rank stays: the rate falls with the width itself.
    A student without layers adds up nothing, and keeps its rate.

    Args:
        settings: the method, and its rate.
        configuration: the encoder's, of transformers.
    """
    rate: float = getattr(settings, name_of_rate(settings))
    width = int(configuration.hidden_size)
    if width <= _USUAL_WIDTH or configuration.num_hidden_layers == 0:
        return rate
    share = _USUAL_WIDTH / width
    return rate * share * share if settings.method == "full" else rate * share


def make_optimization(
    model: IntentModel, settings: TrainSettings, *, steps: int
) -> tuple[Any, Any]:
    """Make an optimiser of everything that is trained, and the schedule of its rates.

    Source: Loshchilov and Hutter 2019 (arXiv 1711.05101) for AdamW; Smith 2018 (arXiv
    1803.09820) for the cycle.

    Args:
        model: an adapter's parts among it, if there is one.
        settings: the rates, see ``rate_for``, and the weight decay.
        steps: how many there will be at most.
    """
    encoder = [p for p in model.encoder.parameters() if p.requires_grad]
    rates = [rate_for(settings, model.config), settings.head_learning_rate]
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
