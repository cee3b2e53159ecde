"""The training loop: AdamW with one cycle, a mean of the weights, and a look at validation."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import torch
from torch import Tensor, nn

from edge_runtime.console import Progress, no_progress
from trainer.averaging import AveragedWeights
from trainer.batches import batches_in_order, pad, shuffled_batches
from trainer.config import TrainSettings
from trainer.devices import Precision
from trainer.errors import TrainingError
from trainer.model import IntentModel
from trainer.observer import NoObserver, TrainingObserver
from trainer.training_state import EpochRecord, TrainingState, TrainingStateStore

__all__ = ["Examples", "FitResult", "fit"]

_WARM_UP_SHARE = 0.1
_CLIP_NORM = 1.0
_VALIDATION_BATCH = 128


class Examples(NamedTuple):
    """In-scope utterances with their intents."""

    token_ids: Sequence[Sequence[int]]
    """One row an utterance."""
    labels: Sequence[int]
    """One label number an utterance."""


class FitResult(msgspec.Struct, frozen=True):
    """How a training went."""

    epochs: int
    """Passes that were made."""
    best_epoch: int
    """The pass whose weights were kept, from 1."""
    last_epoch_loss: float
    """Mean training loss of the last pass."""
    history: tuple[EpochRecord, ...]
    """What each pass gave."""


def fit(
    model: IntentModel,
    training: Examples,
    validation: Examples,
    *,
    padding_id: int,
    settings: TrainSettings,
    device: torch.device,
    precision: Precision,
    store: TrainingStateStore | None = None,
    save_every_s: float = 0.0,
    observer: TrainingObserver | None = None,
    progress: Progress = no_progress,
) -> FitResult:
    """Train in place; the model ends with the weights that were best on validation.

    Args:
        model: with an initialised head, and an adapter on its encoder if there is to be one.
        training: what is learnt from.
        validation: decides which pass was best and when to stop; may be empty.
        padding_id: the tokenizer's padding token.
        settings: epochs, batch size, learning rates, seed.
        device: where to train.
        precision: of the matrix products.
        store: keeps the state at the end of a pass; a training that was interrupted goes on.
        save_every_s: seconds between two states, at least.
        observer: told the end of each pass.
        progress: told each step.

    Raises:
        TrainingError: the loss is not finite.
    """
    model.to(device).train()
    loop = _Loop(model, training, padding_id, settings, device, precision, progress)
    state = store.load(device) if store is not None else None
    if state is not None:
        loop.restore(state)
    watching = observer or NoObserver()
    saved = time.monotonic()
    while loop.epoch < loop.epochs and not loop.is_stuck():
        loss = loop.run_epoch()
        with loop.average.applied():
            loop.judge(loss, validation)
        watching.epoch(loop.epoch, loop.history[-1])
        if store is not None and time.monotonic() - saved >= save_every_s:
            store.save(loop.state())
            saved = time.monotonic()
    loop.average.apply(loop.best)
    model.eval()
    return FitResult(
        epochs=loop.epoch,
        best_epoch=loop.best_epoch,
        last_epoch_loss=loop.history[-1].loss,
        history=tuple(loop.history),
    )


class _Loop:
    """Everything that changes from step to step."""

    def __init__(
        self,
        model: IntentModel,
        training: Examples,
        padding_id: int,
        settings: TrainSettings,
        device: torch.device,
        precision: Precision,
        progress: Progress,
    ) -> None:
        self._model, self._settings, self._device = model, settings, device
        self._precision, self._padding_id, self._progress = precision, padding_id, progress
        self._rows = training.token_ids
        self._lengths = [len(row) for row in training.token_ids]
        self._targets = torch.tensor(training.labels, dtype=torch.int64)
        steps = math.ceil(len(self._lengths) / settings.batch_size)
        self.epochs = max(settings.epochs, math.ceil(settings.minimum_steps / steps))
        self._total = self.epochs * steps
        self._trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._optimizer, self._schedule = _optimization(model, settings, steps=self._total)
        self.average = AveragedWeights(self._trained, decay=settings.average_decay)
        self._rate = "lora_learning_rate" if settings.method == "lora" else "learning_rate"
        self._step = 0
        self.epoch = 0
        self.history: list[EpochRecord] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch = 0

    def run_epoch(self) -> float:
        """One pass over the training utterances; return its mean loss."""
        self._model.train()
        losses = []
        for rows in shuffled_batches(
            self._lengths,
            batch_size=self._settings.batch_size,
            seed=self._settings.seed * 100_003 + self.epoch,
        ):
            losses.append(self._take_step(rows))
            self._progress(
                "training",
                self._step,
                self._total,
                f"epoch {self.epoch + 1}/{self.epochs} loss {losses[-1]:.3f}",
            )
        self.epoch += 1
        return sum(losses) / len(losses)

    def _take_step(self, rows: list[int]) -> float:
        ids, mask = pad([self._rows[row] for row in rows], padding_id=self._padding_id)
        with self._autocast():
            logits = self._model(ids.to(self._device), mask.to(self._device)).logits
        loss = nn.functional.cross_entropy(
            logits.float(),
            self._targets[rows].to(self._device),
            label_smoothing=self._settings.label_smoothing,
        )
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss became {value} at step {self._step + 1} of {self._total}, in epoch "
                f"{self.epoch + 1}; the checkpoint from before is untouched; set "
                f"train.{self._rate} lower",
                step=self._step + 1,
            )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(list(self._trained.values()), _CLIP_NORM)
        self._optimizer.step()
        self._schedule.step()
        self._step += 1
        self.average.update(self._step)
        return value

    def judge(self, loss: float, validation: Examples) -> None:
        """Look at validation with the averaged weights, and keep them if they are the best."""
        record = EpochRecord(loss=loss)
        if validation.labels and self._settings.early_stopping_epochs:
            logits = self._predict(validation.token_ids)
            targets = torch.tensor(validation.labels, dtype=torch.int64)
            record = EpochRecord(
                loss=loss,
                validation_loss=float(nn.functional.cross_entropy(logits, targets)),
                validation_accuracy=float((logits.argmax(dim=1) == targets).double().mean()),
            )
        self.history.append(record)
        best = self.history[self.best_epoch - 1] if self.best_epoch else None
        if best is None or record.is_better_than(best):
            self.best_epoch = self.epoch
            self.best = {name: one.clone() for name, one in self.average.values.items()}

    def is_stuck(self) -> bool:
        """Whether validation has seen nothing better for too many passes."""
        return self.epoch - self.best_epoch >= self._settings.early_stopping_epochs > 0

    def _predict(self, token_ids: Sequence[Sequence[int]]) -> Tensor:
        self._model.eval()
        found = torch.zeros(len(token_ids), self._model.head.out_features)
        with torch.inference_mode(), self._autocast():
            lengths = [len(row) for row in token_ids]
            for rows in batches_in_order(lengths, batch_size=_VALIDATION_BATCH):
                ids, mask = pad([token_ids[row] for row in rows], padding_id=self._padding_id)
                logits = self._model(ids.to(self._device), mask.to(self._device)).logits
                found[rows] = logits.float().cpu()
        return found

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self._device.type, dtype=torch.bfloat16, enabled=self._precision == "bf16"
        )

    def state(self) -> TrainingState:
        """Everything that the rest of the training depends on."""
        return TrainingState(
            epoch=self.epoch,
            step=self._step,
            best_epoch=self.best_epoch,
            history=tuple(self.history),
            schedule=self._schedule.state_dict(),
            optimizer=self._optimizer.state_dict(),
            weights={name: one.detach() for name, one in self._trained.items()},
            average=self.average.values,
            best=self.best,
            random=torch.get_rng_state(),
            cuda_random=torch.cuda.get_rng_state(self._device)
            if self._device.type == "cuda"
            else None,
        )

    def restore(self, state: TrainingState) -> None:
        """Go on where a state was taken."""
        self.epoch, self._step = state.epoch, state.step
        self.best_epoch, self.history = state.best_epoch, list(state.history)
        self._optimizer.load_state_dict(state.optimizer)
        self._schedule.load_state_dict(state.schedule)
        self.average.apply(state.weights)
        self.average.values = state.average
        self.best = state.best
        torch.set_rng_state(state.random)
        if state.cuda_random is not None:
            torch.cuda.set_rng_state(state.cuda_random, self._device)


def _optimization(model: IntentModel, settings: TrainSettings, *, steps: int) -> tuple[Any, Any]:
    encoder = [p for p in model.encoder.parameters() if p.requires_grad]
    encoder_rate = (
        settings.lora_learning_rate if settings.method == "lora" else settings.learning_rate
    )
    rates = [encoder_rate, settings.head_learning_rate]
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
