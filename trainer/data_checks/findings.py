"""What a check of utterances can find: the rules, and the form of a finding."""

from __future__ import annotations

from typing import Literal

import msgspec
import polars as pl

__all__ = ["MEANINGS", "REFUSED", "Example", "Finding", "RowFindings"]

Level = Literal["refused", "warning"]

_REFUSED_MEANINGS = {
    "unreadable": "a row or a file cannot be read",
    "text_empty": "the text is empty after normalisation",
    "text_nul": "the text holds a NUL character",
    "text_too_long": "the text is longer than data.max_characters",
    "label_empty": "the intent is empty",
    "label_too_long": "the label is longer than data.max_label_characters",
    "label_characters": "the label holds control or invisible characters",
    "contradiction": "the same text stands under two intents in one split",
    "unknown_intent": "another split has an intent that training lacks",
    "too_few_examples": "an intent has fewer than data.min_examples_per_intent training texts",
    "too_few_intents": "fewer than two intents have training texts",
    "held_out_without_intents": "validation or the test holds texts out of scope alone",
}
_WARNING_MEANINGS = {
    "nothing_held_out": "validation or the test of the dataset would be empty",
    "duplicate": "the same text with the same intent in the same split; data.build drops it",
    "same_words": "another text of the same split has the same words",
    "in_two_splits": "the same text stands in two splits of the dataset",
    "nearly_in_two_splits": "the text is nearly the same as one in another split of the dataset",
    "contradiction_across_splits": "the same text has another intent in another split",
    "small_intent": "the intent is small beside the largest, see check.imbalance_ratio",
    "too_many_tokens": "the text has more tokens than train.max_tokens, and would be cut",
    "other_language": "the text is in another language than most",
    "mojibake": "the text was decoded as another encoding than it was written in",
    "replacement_character": "a character of the text was lost and replaced by U+FFFD",
    "invisible_character": "the text holds invisible characters",
    "control_character": "the text holds control characters; normalisation drops them",
    "mixed_scripts": "a word mixes letters of two scripts that look alike",
    "byte_order_mark": "a file begins with a byte order mark, which is ignored",
    "label_error": "a model that did not see the text is sure of another intent",
}
MEANINGS: dict[str, str] = _REFUSED_MEANINGS | _WARNING_MEANINGS
"""Rule -> what breaks it, in the order of a report."""
REFUSED = frozenset(_REFUSED_MEANINGS)
"""Rules that ``data.build`` refuses to build from."""


class Example(msgspec.Struct, frozen=True):
    """One place where something was found."""

    place: str
    """File and line, entry or row; empty for what has no place."""
    text: str
    """The text, or its beginning."""
    intent: str | None
    """The label; ``None`` is out of scope."""
    detail: str
    """What is odd about it."""


class Finding(msgspec.Struct, frozen=True):
    """All that breaks one rule."""

    rule: str
    """A key of ``MEANINGS``."""
    level: Level
    """``refused``: data.build would not build from this."""
    meaning: str
    """The rule in words."""
    count: int
    """Rows that break it."""
    checked: int
    """Rows that were looked at: fewer than all where a sample was taken."""
    skipped: str | None
    """Why it was not looked for, or ``None``."""
    examples: tuple[Example, ...]
    """The first few, or the surest."""


class RowFindings(msgspec.Struct, frozen=True):
    """The rows that break one rule."""

    rule: str
    rows: pl.DataFrame
    """``row`` and ``detail``; in the order in which they are to be shown."""
    checked: int
    skipped: str | None = None
