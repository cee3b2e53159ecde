"""The gradient of one batch, whole, in halves, and shared out."""

from __future__ import annotations

import weakref

import pytest
import torch

from trainer.errors import TrainingError
from trainer.gradients import BatchGradient
from trainer.processes import Processes

CPU = torch.device("cpu")
INPUTS = torch.randn(11, 5, generator=torch.Generator().manual_seed(1))


class Held:
    """Stands for what a forward pass keeps for the backward pass."""


class RunningOut(torch.autograd.Function):
    """Passes a loss on, whose backward pass finds no memory."""

    @staticmethod
    def forward(ctx, loss: torch.Tensor, held: Held) -> torch.Tensor:
        ctx.held = held
        return loss.clone()

    @staticmethod
    def backward(ctx, *_: torch.Tensor) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")


class Regression:
    """Eleven rows of five numbers whose weighted sum is to be their largest."""

    def __init__(self, *, rows: int = 100, dropout: float = 0.0) -> None:
        self.weight = torch.nn.Parameter(torch.ones(5))
        self.idle = torch.nn.Parameter(torch.ones(2))
        self.tried: list[list[int]] = []
        self._rows, self._dropout = rows, dropout

    def summed_loss(self, rows: list[int]) -> torch.Tensor:
        self.tried.append(rows)
        if len(rows) > self._rows:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        inputs = torch.nn.functional.dropout(INPUTS[rows], self._dropout)
        return ((inputs @ self.weight - INPUTS[rows].amax(dim=1)) ** 2).sum()

    def gradient(self, processes: Processes | None = None) -> BatchGradient:
        return BatchGradient(
            [self.weight, self.idle],
            self.summed_loss,
            processes=processes or Processes(CPU),
            seed=1,
        )


def test_it_is_the_gradient_of_the_mean_loss() -> None:
    regression = Regression()
    loss = regression.gradient().compute(range(11), step=1)
    weight = torch.ones(5, requires_grad=True)
    expected = ((INPUTS @ weight - INPUTS.amax(dim=1)) ** 2).mean()
    expected.backward()
    assert loss == pytest.approx(float(expected.detach()))
    assert regression.weight.grad is not None
    assert torch.allclose(regression.weight.grad, weight.grad, rtol=1e-5)


@pytest.mark.parametrize("rows", [11, 10, 3, 2])
def test_halves_of_any_size_give_the_gradient_of_the_whole(rows: int) -> None:
    whole, halved = Regression(), Regression(rows=(rows + 1) // 2)
    gradient = halved.gradient()
    assert gradient.compute(range(rows), step=1) == pytest.approx(
        whole.gradient().compute(range(rows), step=1)
    )
    assert gradient.parts == 2
    assert whole.weight.grad is not None
    assert halved.weight.grad is not None
    assert torch.allclose(whole.weight.grad, halved.weight.grad, rtol=1e-5)


def test_batches_stay_halved_once_memory_ran_out() -> None:
    regression = Regression(rows=6)
    gradient = regression.gradient()
    gradient.compute(range(11), step=1)
    regression.tried.clear()
    gradient.compute(range(11), step=2)
    assert regression.tried == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]


def test_what_a_failed_backward_pass_held_is_gone_before_the_halves() -> None:
    whole, halved = Regression(), Regression()
    held: list[weakref.ref[Held]] = []
    summed_loss = halved.summed_loss

    def summed_loss_of_little_memory(rows: list[int]) -> torch.Tensor:
        loss = summed_loss(rows)
        if len(rows) == 11:
            one = Held()
            held.append(weakref.ref(one))
            return RunningOut.apply(loss, one)
        assert held[0]() is None
        return loss

    halved.summed_loss = summed_loss_of_little_memory  # type: ignore[method-assign]
    assert halved.gradient().compute(range(11), step=1) == pytest.approx(
        whole.gradient().compute(range(11), step=1)
    )
    assert halved.tried == [list(range(11)), [0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    assert torch.allclose(halved.weight.grad, whole.weight.grad)


def test_memory_that_runs_out_twice_is_an_error_with_the_step() -> None:
    with pytest.raises(
        TrainingError, match=r"out of GPU memory at step 7, with half a batch of 11"
    ):
        Regression(rows=5).gradient().compute(range(11), step=7)


def test_an_error_of_another_kind_halves_nothing() -> None:
    regression = Regression()
    tried: list[list[int]] = []

    def summed_loss(rows: list[int]) -> torch.Tensor:
        tried.append(rows)
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)")

    regression.summed_loss = summed_loss  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        regression.gradient().compute(range(11), step=1)
    assert tried == [list(range(11))]


def test_dropout_depends_on_the_step_and_on_nothing_before_it() -> None:
    drawn = []
    for before in (0, 3):
        regression = Regression(dropout=0.5)
        torch.rand(before)
        drawn.append(regression.gradient().compute(range(11), step=4))
    assert drawn[0] == drawn[1]
    assert Regression(dropout=0.5).gradient().compute(range(11), step=5) != drawn[0]


def test_processes_draw_different_dropout() -> None:
    # Two processes with the same rows, were there no others to add up with.
    losses = []
    for index in (0, 1):
        alone = Processes(CPU, index=index)
        alone.share = list  # type: ignore[method-assign]
        losses.append(Regression(dropout=0.5).gradient(alone).compute(range(11), step=1))
    assert losses[0] != losses[1]
