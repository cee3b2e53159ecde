"""The numbers of the labels that utterances have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["number_intents"]


def number_intents(
    intents: Sequence[str | None], labels: Sequence[str]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which utterances have an intent, shape (utterances,); and the label number of each of those.

    Args:
        intents: of each utterance; ``None`` is out of scope, every other one is a label.
        labels: names in the order of the label numbers.
    """
    numbers = {label: number for number, label in enumerate(labels)}
    in_scope = np.array([intent is not None for intent in intents], dtype=bool)
    known = [numbers[intent] for intent in intents if intent is not None]
    return in_scope, np.array(known, dtype=np.int64)
