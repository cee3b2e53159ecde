"""Who watches a training from outside: told what happens, and with no say in the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from trainer.training_state import EpochRecord

__all__ = ["NoObserver", "TrainingObserver"]


class TrainingObserver(Protocol):
    """Watches one training. Nothing that it does changes the checkpoint."""

    def begin(self, inputs: Mapping[str, Any], *, resumed: bool) -> None:
        """Training begins; a checkpoint that is up to date is never begun.

        Args:
            inputs: ``settings``, and the SHA-256 of ``dataset`` and ``base_model``: equal
                inputs give the same checkpoint.
            resumed: it goes on from the state that a killed training left.
        """

    def epoch(self, number: int, record: EpochRecord) -> None:
        """The model was looked at after a pass; ``number`` counts passes, from 1."""


class NoObserver:
    """Watches nothing."""

    def begin(self, inputs: Mapping[str, Any], *, resumed: bool) -> None:
        """Ignore it."""

    def epoch(self, number: int, record: EpochRecord) -> None:
        """Ignore it."""
