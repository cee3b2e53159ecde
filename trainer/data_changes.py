"""The account of what reading and checking did to utterances: a line for each change or loss."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from trainer.utterances import Utterance, storable

__all__ = ["Change", "changes_path", "compare", "encode_changes", "tell_of_drop"]


class Change(msgspec.Struct, frozen=True):
    """What happened to one value of one row, or to the row itself."""

    place: str
    """File and line, entry or row."""
    action: Literal["changed", "dropped"]
    rule: str
    """``normalized`` (the text), ``label`` or ``split``; or why the row was dropped."""
    detail: str
    """More about the reason, or empty."""
    intent: str | None
    """The row's label as it is in the dataset; ``None`` is out of scope."""
    before: str
    """What the source holds: the text, or the label or split that was changed."""
    after: str | None
    """What the dataset holds in its place; ``None`` where the row was dropped."""


def compare(read: Utterance, kept: Utterance) -> Iterator[Change]:
    """Tell what differs between an utterance as it was read and as it is kept.

    A label that stands for "none of the intents" is not a change: that is what it means.
    """
    label = read.intent if read.label is None else read.label
    split = read.split if read.split_name is None else read.split_name
    for rule, before, after in (
        ("normalized", read.text, kept.text),
        ("label", label, kept.intent),
        ("split", split, kept.split),
    ):
        if before is not None and after is not None and before != after:
            yield Change(
                place=kept.place,
                action="changed",
                rule=rule,
                detail="",
                intent=kept.intent,
                before=before,
                after=after,
            )


def tell_of_drop(read: Utterance, *, rule: str, detail: str = "") -> Change:
    """The line about an utterance that is not kept."""
    return Change(
        place=read.place,
        action="dropped",
        rule=rule,
        detail=detail,
        intent=read.intent,
        before=read.text,
        after=None,
    )


def changes_path(folder: Path) -> Path:
    """Where the account of a dataset's folder stands: beside it.

    The digest of a dataset covers what is in it, and is to depend on the utterances alone.
    """
    place = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow a link at its end
    return place.with_name(f"{place.name}.changes.jsonl")


def encode_changes(changes: Iterable[Change]) -> bytes:
    """JSON lines, one a change."""
    return b"".join(
        msgspec.json.encode(
            msgspec.structs.replace(
                one,
                before=storable(one.before),
                intent=None if one.intent is None else storable(one.intent),
            )
        )
        + b"\n"
        for one in changes
    )
