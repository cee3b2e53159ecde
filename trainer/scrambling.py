"""Texts like the training texts, for a teacher to answer: parts of them in other order and company.

A student sees few texts that its teacher was not certain of. Scrambled ones are between intents,
or of none, and there a teacher's answer says most. What they mean does not matter, because nobody
but the teacher labels them (Tang et al. 2019, arXiv 1903.12136, for the idea).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

__all__ = ["scramble"]

_DROPPED = 0.25


def scramble(texts: Sequence[str], *, seed: int) -> list[str]:
    """Make one scrambled text of each, by one of three ways.

    In two of five the beginning of the text is followed by the end of another. In two of five
    each word is left out with a chance of a quarter. Else two words change places.

    Args:
        texts: at least one word each.
        seed: the same seed scrambles the same texts alike.

    Returns:
        One text a text, in their order, each with at least one word.
    """
    chance = random.Random(seed)  # noqa: S311 - which words are moved, no secret
    return [_scrambled(text, texts, chance) for text in texts]


def _scrambled(text: str, texts: Sequence[str], chance: random.Random) -> str:
    words = text.split()
    way = chance.random()
    if way < 0.4:
        other = texts[chance.randrange(len(texts))].split()
        made = words[: chance.randint(0, len(words))] + other[chance.randint(0, len(other)) :]
    elif way < 0.8:
        made = [word for word in words if chance.random() >= _DROPPED]
    else:
        made = words[:]
        one, other_one = chance.randrange(len(made)), chance.randrange(len(made))
        made[one], made[other_one] = made[other_one], made[one]
    return " ".join(made or words)
