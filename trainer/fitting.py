"""The training loop: passes over the utterances, a mean of the weights, a look at validation."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import msgspec
import torch
from torch import Tensor, nn

from edge_runtime.console import Progress, no_progress
from trainer.adapters import is_first_factor
from trainer.averaging import AveragedWeights
from trainer.batches import pad, shuffled_batches
from trainer.config import TrainSettings
from trainer.contrast import Contrast
from trainer.devices import Precision
from trainer.errors import NotFiniteError
from trainer.examples import Examples
from trainer.gradients import BatchGradient
from trainer.inference import embeddings_of, run_in_batches
from trainer.losses import Lesson, distance_from_labels, distance_from_teacher
from trainer.model import IntentModel
from trainer.observer import NoObserver, TrainingObserver
from trainer.optimization import make_optimization
from trainer.processes import Processes
from trainer.training_state import EpochRecord, TrainingState, TrainingStateStore

__all__ = ["FitResult", "fit"]

_CLIP_NORM = 1.0


class FitResult(msgspec.Struct, frozen=True):
    """How a training went."""

    epochs: int
    """Passes that were made."""
    best_epoch: int
    """The pass whose weights were kept, from 1; 0 when training ended before the first look."""
    last_epoch_loss: float | None
    """Mean training loss of the last pass that was looked at."""
    batch_parts: int
    """1; or 2 when a batch did not fit into the GPU's memory, and was computed in halves."""
    history: tuple[EpochRecord, ...]
    """What each look at the model gave: after each pass, or after several of a small set."""


def fit(
    model: IntentModel,
    training: Examples,
    validation: Examples,
    *,
    padding_id: int,
    settings: TrainSettings,
    device: torch.device,
    precision: Precision,
    lesson: Lesson | None = None,
    processes: Processes | None = None,
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
        lesson: what a teacher says of the training utterances, for a student.
        processes: those that train together, each of which calls this; else this one alone.
        store: keeps the state at the end of a pass; a training that was interrupted goes on.
            The main process's alone is used.
        save_every_s: seconds between two states, at least.
        observer: told the end of each pass.
        progress: told each step.

    Raises:
        NotFiniteError: the loss or the gradient is; the model has the best weights from before.
        TrainingError: half a batch does not fit into the GPU's memory, or another process is
            gone.
    """
    model.to(device).train()
    together = processes or Processes(device)
    loop = _Loop(model, training, lesson, padding_id, settings, precision, together, progress)
    if not together.is_main:
        store = None
    state = together.hear(store.load(torch.device("cpu")) if store is not None else None)
    if state is not None:
        loop.restore(state)
    watching = observer or NoObserver()
    saved = time.monotonic()
    while loop.epoch < loop.epochs and not loop.is_stuck():
        try:
            loss = loop.run_epoch()
        except _NotFiniteError as error:
            fitted = msgspec.structs.asdict(loop.finish()) if loop.step else None
            raise NotFiniteError(
                str(error), step=loop.step + 1, epoch=loop.epoch + 1, fitted=fitted
            ) from None
        if loop.is_time_to_look():
            with loop.average.applied():
                loop.judge(loss, validation)
            watching.epoch(loop.epoch, loop.history[-1])
        if store is not None and time.monotonic() - saved >= save_every_s:
            store.save(loop.state())
            saved = time.monotonic()
    return loop.finish()


class _NotFiniteError(Exception):
    """The loss or the gradient is no number any more."""


class _Loop:
    """Everything that changes from step to step."""

    def __init__(
        self,
        model: IntentModel,
        training: Examples,
        lesson: Lesson | None,
        padding_id: int,
        settings: TrainSettings,
        precision: Precision,
        processes: Processes,
        progress: Progress,
    ) -> None:
        self._model, self._settings, self._processes = model, settings, processes
        self._precision, self._padding_id, self._progress = precision, padding_id, progress
        self._rows, self._lesson = training.token_ids, lesson
        self._lengths = [len(row) for row in training.token_ids]
        self._targets = torch.tensor(training.labels, dtype=torch.int64)
        steps = math.ceil(len(self._lengths) / settings.batch_size)
        self.epochs = max(settings.epochs, math.ceil(settings.minimum_steps / steps))
        # A small set gets many passes of few steps: nothing is to be seen after each.
        self._look_every = max(1, math.ceil(settings.minimum_steps / settings.epochs / steps))
        # A student begins with weights that know little, and has a teacher in place of these.
        is_student = lesson is not None
        self._contrast = Contrast(self._targets) if settings.contrast and not is_student else None
        is_small = self.epochs > settings.epochs
        initial_share = settings.initial_share if is_small and not is_student else 0.0
        if not is_student:
            # Most words of a language are in none of the texts, and would be left behind.
            model.encoder.get_input_embeddings().requires_grad_(False)
        self._total = self.epochs * steps
        self._trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._optimizer, self._schedule = make_optimization(model, settings, steps=self._total)
        self.gradient = BatchGradient(
            list(self._trained.values()),
            self._summed_loss,
            processes=processes,
            seed=settings.seed,
        )
        self.average = AveragedWeights(
            self._trained,
            decay=settings.average_decay,
            initial_share=initial_share,
            has_share=lambda name: not is_first_factor(name),
        )
        self.step = 0
        self.epoch = 0
        self.history: list[EpochRecord] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch = 0

    def run_epoch(self) -> float:
        """One pass over the training utterances; return its mean loss."""
        if self._contrast is not None:
            compared = self._contrast.choose(seed=self._seed_of_pass())
            self._contrast.look(compared, self._embed(compared))
        self._model.train()
        losses = []
        for rows in shuffled_batches(
            self._lengths,
            batch_size=self._settings.batch_size,
            seed=self._seed_of_pass(),
        ):
            losses.append(self._take_step(rows))
            self._progress(
                "training",
                self.step,
                self._total,
                f"epoch {self.epoch + 1}/{self.epochs} loss {losses[-1]:.3f}",
            )
        self.epoch += 1
        return sum(losses) / len(losses)

    def _seed_of_pass(self) -> int:
        return self._settings.seed * 100_003 + self.epoch

    def _take_step(self, rows: list[int]) -> float:
        loss = self.gradient.compute(rows, step=self.step + 1)
        norm = float(nn.utils.clip_grad_norm_(list(self._trained.values()), _CLIP_NORM))
        # Before the weights see it: so the weights, their mean and every stored state are good.
        for what, value in (("loss", loss), ("gradient", norm)):
            if not math.isfinite(value):
                raise _NotFiniteError(
                    f"the {what} became {value} at step {self.step + 1} of {self._total}, in "
                    f"epoch {self.epoch + 1}"
                )
        self._optimizer.step()
        self._schedule.step()
        self.step += 1
        self.average.update(self.step)
        return loss

    def _summed_loss(self, rows: list[int]) -> Tensor:
        """What is made small: the losses of these training utterances, added up."""
        texts = [self._rows[row] for row in rows]
        targets = self._targets[rows].to(self._processes.device)
        embeddings, logits = self._answers_to(texts)
        loss = distance_from_labels(logits, targets, smoothing=self._settings.label_smoothing)
        if self._contrast is not None:
            loss = loss + self._settings.contrast * self._contrast.distance(embeddings, rows)
        if self._lesson is None:
            return loss
        return self._with_lesson(self._lesson, rows, logits, loss)

    def _with_lesson(self, lesson: Lesson, rows: list[int], logits: Tensor, loss: Tensor) -> Tensor:
        """Let a teacher's answers have their share of the loss, and add those to other texts."""

        def distance(answers: Tensor, wanted: Tensor) -> Tensor:
            return distance_from_teacher(
                answers, wanted[rows].to(answers.device), temperature=lesson.temperature
            )

        loss = torch.lerp(loss, distance(logits, lesson.logits), lesson.weight)
        if lesson.forms:
            form = lesson.forms[self.epoch % len(lesson.forms)]
            _, answers = self._answers_to([form.token_ids[row] for row in rows])
            loss = loss + lesson.weight * distance(answers, form.logits)
        return loss

    def _answers_to(self, token_ids: list[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Embeddings of shape (texts, hidden) and logits of shape (texts, labels)."""
        ids, mask = pad(token_ids, padding_id=self._padding_id)
        device = self._processes.device
        with self._autocast():
            embeddings = self._model.embed(ids.to(device), mask.to(device))
            logits = self._model.classify(embeddings)
        return embeddings.float(), logits.float()

    def _embed(self, rows: list[int]) -> Tensor:
        with self._autocast():
            return embeddings_of(
                self._model,
                [self._rows[row] for row in rows],
                padding_id=self._padding_id,
                device=self._processes.device,
                processes=self._processes,
            ).to(self._processes.device)

    def is_time_to_look(self) -> bool:
        """Whether enough steps were made since the last look, or all."""
        return self.epoch % self._look_every == 0 or self.epoch == self.epochs

    def judge(self, loss: float, validation: Examples) -> None:
        """Look at validation with the averaged weights, and keep them if they are the best."""
        record = EpochRecord(epoch=self.epoch, loss=loss)
        if validation.labels and self._settings.early_stopping_epochs:
            logits = self._predict(validation.token_ids)
            targets = torch.tensor(validation.labels, dtype=torch.int64)
            record = msgspec.structs.replace(
                record,
                validation_loss=float(nn.functional.cross_entropy(logits, targets)),
                validation_accuracy=float((logits.argmax(dim=1) == targets).double().mean()),
            )
        best = next((one for one in self.history if one.epoch == self.best_epoch), None)
        self.history.append(record)
        if best is None or record.is_better_than(best):
            self.best_epoch = self.epoch
            self.best = self.average.result()

    def finish(self) -> FitResult:
        """Let the model have the best weights; before the first look, their mean."""
        self.average.apply(self.best or None)
        self._model.eval()
        return FitResult(
            epochs=self.epoch,
            best_epoch=self.best_epoch,
            last_epoch_loss=self.history[-1].loss if self.history else None,
            batch_parts=self.gradient.parts,
            history=tuple(self.history),
        )

    def is_stuck(self) -> bool:
        """Whether validation has seen nothing better for too many looks."""
        later = sum(one.epoch > self.best_epoch for one in self.history)
        return later >= self._settings.early_stopping_epochs > 0

    def _predict(self, token_ids: Sequence[Sequence[int]]) -> Tensor:
        self._model.eval()

        def logits(ids: Tensor, mask: Tensor) -> Tensor:
            with self._autocast():
                found: Tensor = self._model(ids, mask).logits
            return found

        return run_in_batches(
            logits,
            token_ids,
            width=self._model.head.out_features,
            padding_id=self._padding_id,
            processes=self._processes,
        )

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self._processes.device.type, dtype=torch.bfloat16, enabled=self._precision == "bf16"
        )

    def state(self) -> TrainingState:
        """Everything that the rest of the training depends on."""
        return TrainingState(
            epoch=self.epoch,
            step=self.step,
            best_epoch=self.best_epoch,
            batch_parts=self.gradient.parts,
            history=tuple(self.history),
            schedule=self._schedule.state_dict(),
            optimizer=self._optimizer.state_dict(),
            weights={name: one.detach() for name, one in self._trained.items()},
            average=self.average.values,
            best=self.best,
        )

    def restore(self, state: TrainingState) -> None:
        """Go on where a state was taken."""
        device = self._processes.device
        self.epoch, self.step = state.epoch, state.step
        self.best_epoch, self.history = state.best_epoch, list(state.history)
        self.gradient.parts = state.batch_parts
        self._optimizer.load_state_dict(state.optimizer)
        self._schedule.load_state_dict(state.schedule)
        self.average.apply(state.weights)
        self.average.values = {name: one.to(device) for name, one in state.average.items()}
        self.best = {name: one.to(device) for name, one in state.best.items()}
