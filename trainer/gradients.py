"""The gradient of one batch: shared out over processes, and over halves where memory is short."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from trainer.devices import is_out_of_memory
from trainer.errors import TrainingError
from trainer.processes import Processes

__all__ = ["BatchGradient"]

logger = logging.getLogger(__name__)


class BatchGradient:
    """Computes the gradient of the mean loss over a batch.

    The mean is over all rows of the batch, wherever they are computed: a batch that is shared
    out, or halved, makes the same step as a whole one, but for rounding and dropout.

    Args:
        parameters: those that are trained.
        summed_loss: row numbers -> the sum of their losses, a scalar with its graph.
        processes: each takes its share of the rows.
        seed: of dropout.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        summed_loss: Callable[[list[int]], Tensor],
        *,
        processes: Processes,
        seed: int,
    ) -> None:
        self._parameters, self._summed_loss = list(parameters), summed_loss
        self._processes, self._seed = processes, seed
        self.parts = 1
        """In how many parts a batch is computed: 2 once it did not fit into the GPU's memory."""

    def compute(self, rows: Sequence[int], *, step: int) -> float:
        """Leave the gradient in the parameters and return the mean loss.

        Args:
            rows: of the whole batch, at least one.
            step: which step it is, for the random numbers of dropout.

        Raises:
            TrainingError: half a batch does not fit into the GPU's memory either, or another
                process is gone.
        """
        own = self._processes.share(rows)
        # Loss and failures in one tensor: processes must agree on both before the next step.
        report = self._processes.sum(self._try(own, of=len(rows), step=step))
        if report[1] and self.parts == 1 and len(rows) > self._processes.count:
            self.parts = 2
            if self._processes.is_main:
                logger.warning(
                    "out of GPU memory at step %d: from here each batch of %d is computed in two "
                    "halves, whose gradients are added",
                    step,
                    len(rows),
                )
            report = self._processes.sum(self._try(own, of=len(rows), step=step))
        if report[1]:
            raise TrainingError(
                f"out of GPU memory at step {step}, with half a batch of {len(rows)} too; set "
                "train.batch_size or train.max_tokens lower, or train.method to lora",
                step=step,
            )
        self._add_up()
        return float(report[0])

    def _try(self, own: list[int], *, of: int, step: int) -> Tensor:
        """Return the share of the loss, and 1 if memory ran out else 0."""
        for one in self._parameters:
            one.grad = None
        # Dropout depends on the step alone, and not on what happened before it: so a training
        # that goes on, or a batch that is tried again, draws the same.
        torch.manual_seed((self._seed * 1_000_003 + step) * 1024 + self._processes.index)
        loss, failed = torch.zeros((), dtype=torch.float64), False
        share: Tensor | None = None
        middle = (len(own) + 1) // 2 if self.parts == 2 else len(own)
        try:
            for part in (own[:middle], own[middle:]):
                if part:
                    share = self._summed_loss(part) / of
                    share.backward()  # type: ignore[no-untyped-call]
                    loss += share.detach().double().cpu()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            failed = True
        # A graph of which the backward pass failed still holds what its forward pass kept.
        del share
        if failed and torch.cuda.is_available():
            # After the exception, which holds the graph of the failed part too, is gone.
            torch.cuda.empty_cache()
        return torch.stack([loss, torch.tensor(float(failed), dtype=torch.float64)])

    def _add_up(self) -> None:
        """Sum the gradients over all processes, as one long vector."""
        if self._processes.count == 1:
            return
        for one in self._parameters:
            if one.grad is None:
                one.grad = torch.zeros_like(one)
        gradients = [one.grad for one in self._parameters if one.grad is not None]
        flat = self._processes.sum(torch.cat([one.flatten() for one in gradients]))
        parts = torch.split(flat, [one.numel() for one in gradients])
        for one, part in zip(gradients, parts, strict=True):
            one.copy_(part.view_as(one))
