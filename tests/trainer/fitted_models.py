"""Random models of a few thousand weights, and the training loop over two dozen texts."""

from __future__ import annotations

from pathlib import Path

import msgspec
import torch

from trainer.adapters import add_adapter
from trainer.base_model import find_base_model
from trainer.config import TrainSettings
from trainer.devices import make_deterministic
from trainer.examples import Examples
from trainer.fitting import FitResult, fit
from trainer.losses import Lesson
from trainer.model import IntentModel, load_encoder
from trainer.training_state import TrainingStateStore

CPU = torch.device("cpu")
# Three intents that differ in one token.
TRAINING = Examples(
    token_ids=[[2, 50 + i, *range(60, 60 + length), 3] for i in range(3) for length in range(8)],
    labels=[intent for intent in range(3) for _ in range(8)],
)
VALIDATION = Examples(token_ids=[[2, 50, 70, 3], [2, 51, 71, 3], [2, 52, 72, 3]], labels=[0, 1, 2])
NOTHING = Examples(token_ids=[], labels=[])


def settings_of(tiny: TrainSettings) -> TrainSettings:
    """Seven passes of three steps, at rates that a random encoder learns with."""
    return msgspec.structs.replace(
        tiny,
        epochs=7,
        minimum_steps=0,
        batch_size=8,
        learning_rate=2e-3,
        early_stopping_epochs=1000,
        average_decay=0.5,
        precision="fp32",
    )


class Told:
    """Remembers what a training says, and stops it when asked to."""

    def __init__(self, *, stop_after: int | None = None) -> None:
        self.notes: list[str] = []
        self._stop_after = stop_after

    def __call__(self, _what: str, _done: int, _total: int, note: str = "") -> None:
        self.notes.append(note)
        if len(self.notes) == self._stop_after:
            raise KeyboardInterrupt


def fresh(folder: Path, settings: TrainSettings) -> IntentModel:
    make_deterministic(settings.seed, settings.threads)
    # Lengths help a head that starts from random numbers.
    model = IntentModel(load_encoder(find_base_model(str(folder))), 3, normalized=False)
    if settings.method == "lora":
        add_adapter(model, settings)
    return model


def fitted(
    folder: Path,
    settings: TrainSettings,
    *,
    validation: Examples = VALIDATION,
    lesson: Lesson | None = None,
    store: TrainingStateStore | None = None,
    told: Told | None = None,
) -> tuple[IntentModel, FitResult]:
    model = fresh(folder, settings)
    return model, train_on(
        model, settings, validation=validation, lesson=lesson, store=store, told=told
    )


def train_on(
    model: IntentModel,
    settings: TrainSettings,
    *,
    training: Examples = TRAINING,
    validation: Examples = VALIDATION,
    lesson: Lesson | None = None,
    store: TrainingStateStore | None = None,
    told: Told | None = None,
) -> FitResult:
    return fit(
        model,
        training,
        validation,
        padding_id=0,
        settings=settings,
        device=CPU,
        precision="bf16" if settings.precision == "bf16" else "fp32",
        lesson=lesson,
        store=store,
        save_every_s=0,
        progress=told or Told(),
    )


def equal_weights(one: IntentModel, other: IntentModel) -> bool:
    left, right = one.state_dict(), other.state_dict()
    assert left.keys() == right.keys()
    return all(torch.equal(left[name], right[name]) for name in left)
