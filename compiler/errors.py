"""The compiler's branch of the error tree.

::

    EdgeError
    ├── ExportError            a model cannot be expressed in a format
    ├── IntentAdditionError    a bundle cannot get one more intent
    │   └── NotRecognisedError none of its examples would be recognised
    └── QualityGateError       a required variant is not the same model any more (exit code 3)
"""

from __future__ import annotations

from edge_runtime.errors import EdgeError, QualityGateError

__all__ = ["ExportError", "IntentAdditionError", "NotRecognisedError", "QualityGateError"]


class ExportError(EdgeError):
    """A model cannot be expressed in a format."""


class IntentAdditionError(EdgeError):
    """A bundle cannot get one more intent from these examples."""


class NotRecognisedError(IntentAdditionError):
    """None of the examples would be answered with the intent: they lie among the others' texts."""
