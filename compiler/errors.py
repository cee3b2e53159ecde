"""The compiler's branch of the error tree.

::

    EdgeError
    ├── ExportError            a model cannot be expressed in a format
    ├── IntentAdditionError    a bundle cannot get one more intent
    └── QualityGateError       a required variant is not the same model any more (exit code 3)
"""

from __future__ import annotations

from edge_runtime.errors import EdgeError, QualityGateError

__all__ = ["ExportError", "IntentAdditionError", "QualityGateError"]


class ExportError(EdgeError):
    """A model cannot be expressed in a format."""


class IntentAdditionError(EdgeError):
    """A bundle cannot get one more intent from these examples."""
