"""Texts of four intents, some of them under a label that is not theirs."""

from __future__ import annotations

import random

import polars as pl

__all__ = ["wrongly_labelled"]

VERBS = {"light": "dim brighten lamp bulb dark", "music": "song jazz album play tune"}
VERBS |= {"timer": "minutes timer wake alarm clock", "weather": "rain sunny wind snow forecast"}


def wrongly_labelled(count: int, *, wrong: int) -> tuple[pl.DataFrame, dict[int, str]]:
    """Texts of four intents, the first few under a wrong label; row -> the right one."""
    chance = random.Random(3)
    names = sorted(VERBS)
    texts, labels, right = [], [], {}
    for number in range(count):
        intent = names[number % len(names)]
        words = chance.choices(VERBS[intent].split(), k=4)
        texts.append(f"please {' '.join(words)} now {number}")
        label = intent
        if number < wrong:
            label = names[(number + 1) % len(names)]
            right[number] = intent
        labels.append(label)
    row = pl.Series(range(count), dtype=pl.UInt32)
    return pl.DataFrame({"row": row, "text": texts, "intent": labels}), right
