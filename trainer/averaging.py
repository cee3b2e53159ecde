"""A running mean of the weights: it answers better than the weights of any one step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

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
        initial_share: weight, 0 to 1, of what they are now in what is applied: WiSE-FT (Wortsman
            et al. 2022, arXiv 2109.01903). It does not depend on the steps.
        has_share: whether the parameter of a name takes part in that; by default each does.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        *,
        decay: float,
        initial_share: float = 0.0,
        has_share: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._parameters = dict(parameters)
        self._decay = decay
        self._initial_share = initial_share
        self.values = self._copies()
        self._initial = {
            name: one.clone()
            for name, one in self.values.items()
            if initial_share and has_share(name)
        }

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
        """Let the model have what :meth:`result` gives for a while."""
        kept = self._copies()
        self._put(self.result())
        try:
            yield
        finally:
            self._put(kept)

    def apply(self, values: Mapping[str, Tensor] | None = None) -> None:
        """Let the model keep what :meth:`result` gives, or other values by name."""
        self._put(self.result() if values is None else values)

    def result(self) -> dict[str, Tensor]:
        """Copies of what the model gets: the mean, and its share of the first weights."""
        return {
            name: torch.lerp(one, self._initial[name], self._initial_share)
            if name in self._initial
            else one.clone()
            for name, one in self.values.items()
        }

    def _copies(self) -> dict[str, Tensor]:
        return {name: one.detach().clone() for name, one in self._parameters.items()}

    def _put(self, values: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, one in self._parameters.items():
                one.copy_(values[name])
