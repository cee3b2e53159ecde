"""The trainer's branch of the error tree.

::

    EdgeError
    ├── DataError                  utterances that cannot be made into a dataset
    │   ├── SourceNotFoundError    no file, folder or object at that location
    │   ├── SourceFormatError      a file does not follow its format: encoding, columns, syntax
    │   └── UtterancesInvalidError well-formed utterances that no classifier can learn from
    ├── BaseModelError             a base model is missing, incomplete or of another kind
    ├── TrainingError              the training itself failed
    │   └── ResumeError            an unfinished training cannot be taken up
    └── TrackingError              what keeps the records of trainings cannot be reached or refuses
"""

from __future__ import annotations

from edge_runtime.errors import EdgeError

__all__ = [
    "BaseModelError",
    "DataError",
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


class ResumeError(TrainingError):
    """An unfinished training cannot be taken up: its settings or data differ, or it is damaged."""


class TrackingError(EdgeError):
    """What keeps the records of trainings cannot be reached, refuses, or is damaged."""
