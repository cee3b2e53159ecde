"""The trainer's branch of the error tree.

::

    EdgeError
    ├── DataError                  utterances that cannot be made into a dataset
    │   ├── SourceNotFoundError    no file, folder or object at that location
    │   ├── SourceFormatError      a file does not follow its format: encoding, columns, syntax
    │   └── UtterancesInvalidError well-formed utterances that no classifier can learn from
    ├── BaseModelError             a base model is missing, incomplete or of another kind
    ├── TrainingError              the training itself failed
    │   ├── NotFiniteError         the loss or its gradient became no number
    │   └── ResumeError            an unfinished training cannot be taken up
    ├── MeasuringError             a benchmark's process failed, or was ended
    └── TrackingError              what keeps the records of trainings cannot be reached or refuses
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_runtime.errors import EdgeError

__all__ = [
    "BaseModelError",
    "DataError",
    "MeasuringError",
    "NotFiniteError",
    "ResumeError",
    "SourceFormatError",
    "SourceNotFoundError",
    "TrackingError",
    "TrainingError",
    "UtterancesInvalidError",
]


class DataError(EdgeError):
    """Utterances that cannot be made into a dataset."""


class SourceNotFoundError(DataError):
    """There is no file, folder or object at the given location, or it cannot be opened."""


class SourceFormatError(DataError):
    """A file does not follow its format: encoding, columns, CSV, JSON or template syntax."""


class UtterancesInvalidError(DataError):
    """Well-formed utterances that no classifier can learn from."""


class BaseModelError(EdgeError):
    """A base model is missing, incomplete or of another kind than asked for."""


class TrainingError(EdgeError):
    """The training itself failed."""


class NotFiniteError(TrainingError):
    """The loss or its gradient became no number, and the weights have not seen it.

    Args:
        message: what became what, and where.
        step: the step, from 1.
        epoch: the pass, from 1.
        fitted: how the training went until then, the fields of ``trainer.fitting.FitResult``;
            ``None`` when no step came before. The model has the best weights from before.
    """

    def __init__(
        self, message: str, *, step: int, epoch: int, fitted: Mapping[str, Any] | None
    ) -> None:
        super().__init__(message, step=step, epoch=epoch)
        self.fitted = fitted


class ResumeError(TrainingError):
    """An unfinished training cannot be taken up: its settings or data differ, or it is damaged."""


class MeasuringError(EdgeError):
    """What a benchmark ran in a process of its own failed, or that process was ended."""


class TrackingError(EdgeError):
    """What keeps the records of trainings cannot be reached, refuses, or is damaged."""
