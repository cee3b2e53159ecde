"""A running mean of the weights: it answers better than the weights of any one step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

__all__ = ["AveragedWeights"]


class AveragedWeights:
    """The exponential moving average of parameters.

    Source: Polyak and Juditsky 1992; the growing decay at the start is TensorFlow's
    ``ExponentialMovingAverage`` with ``num_updates``.

    Args:
        parameters: by name; those that are trained.
        decay: weight of the past at each step, 0 to 1; 0 is the last step alone.
    """

    def __init__(self, parameters: Mapping[str, Tensor], *, decay: float) -> None:
        self._parameters = dict(parameters)
        self._decay = decay
        self.values = {name: one.detach().clone() for name, one in self._parameters.items()}

    def update(self, step: int) -> None:
        """Take the parameters after a step into the mean.

        Args:
            step: how many steps were done, from 1. Early on the past counts for less.
        """
        decay = min(self._decay, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.values.values()),
                # By name: values that were read from a file stand in another order.
                [self._parameters[name].detach() for name in self.values],
                1 - decay,
            )

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Let the model have the mean for a while."""
        kept = {name: one.detach().clone() for name, one in self._parameters.items()}
        self._put(self.values)
        try:
            yield
        finally:
            self._put(kept)

    def apply(self, values: Mapping[str, Tensor] | None = None) -> None:
        """Let the model keep the mean, or other values by name."""
        self._put(self.values if values is None else values)

    def _put(self, values: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, one in self._parameters.items():
                one.copy_(values[name])
