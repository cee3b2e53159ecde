"""The ways a question reaches the runtime and its answer goes back."""

from __future__ import annotations

__all__: list[str] = []
