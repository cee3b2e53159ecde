"""The names of intents as utterances: a name in plain words says what the intent is about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["names_tell", "words_of"]

_MOST_OF = 0.5
# A capital letter after a small one, or before a small one at the end of capitals: "HTTPError".
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BETWEEN_WORDS = re.compile(r"[^\w']+|_+")


def words_of(label: str) -> str:
    """A label as words: ``card_arrival``, ``card-arrival`` and ``CardArrival`` are the same.

    Returns:
        Small letters with single spaces; empty when the label holds no letter.
    """
    words = " ".join(_BETWEEN_WORDS.sub(" ", _HUMP.sub(" ", label)).lower().split())
    return words if any(character.isalpha() for character in words) else ""


def names_tell(names: Tensor, numbers: Tensor, means: Tensor) -> bool:
    """Whether intents are named after what their utterances say.

    They are when most names lie closest to the utterances of their own intent, before any
    training; ``intent_17`` does not, and neither does a code.

    Args:
        names: embeddings of the names, shape (names, hidden).
        numbers: which intent each one is, int64 of shape (names,).
        means: mean embedding of each intent's utterances, of length one, shape (labels, hidden).
    """
    from torch import nn

    if not len(names):
        return False

    closest = (nn.functional.normalize(names, dim=1) @ means.T).argmax(dim=1)
    return float((closest == numbers).double().mean()) > _MOST_OF
