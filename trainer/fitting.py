"""The training loop: LoRA on the encoder, all of the head, AdamW with one cycle."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from edge_runtime.console import Progress, no_progress
from trainer.batches import pad, shuffled_batches
from trainer.config import TrainSettings
from trainer.errors import TrainingError
from trainer.model import IntentModel

__all__ = ["add_adapter", "choose_device", "fit", "make_deterministic", "merge_adapter"]

_WARM_UP_SHARE = 0.1
_CLIP_NORM = 1.0


def choose_device(wanted: str) -> torch.device:
    """Turn ``auto``, ``cpu`` or ``cuda`` into a device.

    Raises:
        TrainingError: CUDA was asked for and there is none.
    """
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise TrainingError(
            "train.device is cuda, but torch sees no NVIDIA GPU; set train.device to auto"
        )
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


def make_deterministic(seed: int, threads: int) -> None:
    """Seed torch and choose algorithms that give the same bits each time.

    Args:
        seed: any integer from 0.
        threads: processor threads; 0 leaves torch's own choice. Another number of threads
            sums in another order and may give other last bits.
    """
    if threads:
        torch.set_num_threads(threads)
    # cuBLAS reads this once, before its first call (CUDA's rule for reproducible results).
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)


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


def fit(
    model: IntentModel,
    token_ids: Sequence[Sequence[int]],
    labels: Sequence[int],
    *,
    padding_id: int,
    settings: TrainSettings,
    device: torch.device,
    progress: Progress = no_progress,
) -> float:
    """Train in place; return the mean loss of the last epoch.

    Args:
        model: with an adapter on its encoder and an initialised head.
        token_ids: one row a text.
        labels: one label number a text.
        padding_id: the tokenizer's padding token.
        settings: epochs, batch size, learning rates, seed.
        device: where to train.
        progress: told each step.

    Raises:
        TrainingError: the loss is not finite.
    """
    lengths = [len(row) for row in token_ids]
    targets = torch.tensor(labels, dtype=torch.int64)
    steps_per_epoch = math.ceil(len(lengths) / settings.batch_size)
    epochs = max(settings.epochs, math.ceil(settings.minimum_steps / steps_per_epoch))
    total = epochs * steps_per_epoch
    scheduled = max(total, 3)
    encoder = [p for p in model.encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": encoder, "lr": settings.learning_rate},
            {"params": list(model.head.parameters()), "lr": settings.head_learning_rate},
        ],
        weight_decay=settings.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=[settings.learning_rate, settings.head_learning_rate],
        total_steps=scheduled,
        # torch divides by the steps before and after the top: there must be some of both.
        pct_start=max(_WARM_UP_SHARE, 2 / scheduled),
    )
    loss_function = nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing)
    model.to(device).train()
    step, losses = 0, [math.inf]
    for epoch in range(epochs):
        losses = []
        for rows in shuffled_batches(
            lengths, batch_size=settings.batch_size, seed=settings.seed * 100_003 + epoch
        ):
            ids, mask = pad([token_ids[row] for row in rows], padding_id=padding_id)
            logits = model(ids.to(device), mask.to(device)).logits
            loss = loss_function(logits, targets[rows].to(device))
            value = float(loss.detach())
            if not math.isfinite(value):
                raise TrainingError(
                    f"the loss became {value} at step {step + 1} of {total}; "
                    "set train.learning_rate lower",
                    step=step + 1,
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_([*encoder, *model.head.parameters()], _CLIP_NORM)
            optimizer.step()
            schedule.step()
            step += 1
            losses.append(value)
            progress("training", step, total, f"epoch {epoch + 1}/{epochs} loss {value:.3f}")
    model.eval()
    return sum(losses) / len(losses)
