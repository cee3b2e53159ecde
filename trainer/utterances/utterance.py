"""One utterance with its intent and the place it was read from."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["SPLIT_NAMES", "SplitName", "Utterance", "intent_or_none", "storable"]

SplitName = Literal["train", "validation", "test"]
SPLIT_NAMES: dict[str, SplitName] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
"""What sources call a split, in columns and in names of files -> the split."""


class Utterance(msgspec.Struct, frozen=True):
    """A text that someone may say, and what it asks for."""

    text: str
    """The text as the source gives it."""
    intent: str | None
    """The label, or ``None`` for a text that asks for none of the intents."""
    split: SplitName | None
    """The split that the source puts the text in, or ``None`` when it does not say."""
    group: str | None
    """Texts with the same intent and group stay on one side of a split: their template."""
    line: int
    """Where the text begins in its source, from 1."""
    source: str
    """Name of the file, without the folders above the location that was asked for."""
    unit: Literal["line", "entry", "row"] = "line"
    """What ``line`` counts: lines of the file, entries of a JSON list, or rows of a table."""
    label: str | None = None
    """The label as the source writes it, where ``intent`` is not that."""
    split_name: str | None = None
    """What a row itself says of its split, where ``split`` is not that."""

    @property
    def place(self) -> str:
        """Where to find the utterance, for messages: ``train.csv, line 3``."""
        return f"{self.source}, {self.unit} {self.line}"


def intent_or_none(label: str, out_of_scope_labels: tuple[str, ...]) -> str | None:
    """Strip a label; give ``None`` when it stands for "none of the intents"."""
    stripped = label.strip()
    names = {name.casefold() for name in out_of_scope_labels}
    return None if stripped.casefold() in names else stripped


def storable(text: str) -> str:
    """Show halves of surrogate pairs by their number: JSON escapes them, no file can hold them."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
