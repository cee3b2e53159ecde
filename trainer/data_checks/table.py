"""Utterances as a table: one row each, with the text as it is and as it will be learnt from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec
import polars as pl

from edge_runtime.text import normalize
from trainer.config import DataSettings
from trainer.errors import SourceFormatError, UtterancesInvalidError
from trainer.utterances import Source, Utterance, iterate_source, storable
from trainer.validation import clean_utterance

__all__ = ["PLACE", "SCHEMA", "Table", "read_table"]

_ROWS_AT_A_TIME = 50_000

SCHEMA = {
    "source": pl.String,
    "unit": pl.String,
    "line": pl.UInt32,
    "text": pl.String,
    "raw": pl.String,
    "key": pl.String,
    "intent": pl.String,
    "raw_label": pl.String,
    "raw_split": pl.String,
    "given_split": pl.String,
    "group": pl.String,
    "refused": pl.String,
    "reason": pl.String,
}
"""Columns of a table besides ``row`` (its number), ``split`` (train where none is given) and
``dataset_split`` (the same, until ``place_rows`` draws what the source does not give).

``text`` is normalised; ``raw`` is what the source holds where that differs, else null. ``key``
is the text without its case: texts with equal keys are the same text. ``intent`` is null out of
scope. ``raw_label`` and ``raw_split`` are what the source writes for them where that differs.
``refused`` is the rule that a row alone breaks, ``reason`` says how.
"""

PLACE = pl.format("{}, {} {}", "source", "unit", "line")
"""Where a row stands in its source, as in messages."""


class Table(msgspec.Struct, frozen=True):
    """All rows that could be read, and what was wrong with the others."""

    frame: pl.DataFrame
    """See ``SCHEMA``."""
    unreadable: tuple[str, ...]
    """A message for each row or file that could not be read."""

    def usable(self) -> pl.DataFrame:
        """The rows that break no rule by themselves."""
        return self.frame.filter(pl.col("refused").is_null())


def read_table(
    source: Source,
    test: Source | None,
    settings: DataSettings,
    *,
    mend: Callable[[str], str] | None = None,
) -> Table:
    """Read a source without refusing anything; a test location stands in for its own test.

    Rows are read by the same readers as a dataset's and judged by the same rules, a few at a
    time, so that a million of them fit in little memory.

    Args:
        source: the files.
        test: utterances for the test, in place of the source's own.
        settings: how to read, and what breaks a rule.
        mend: applied to each text that is not ASCII, before it is normalised.
    """
    unreadable: list[str] = []
    frame = _read(source, settings, unreadable, mend)
    if test is not None:
        given = _read(test, settings, unreadable, mend)
        is_test = pl.col("given_split") == "test"
        chosen = given.filter(is_test)
        chosen = (given if chosen.is_empty() else chosen).with_columns(
            given_split=pl.lit("test", pl.String)
        )
        kept = frame.filter(~is_test.fill_null(value=False))
        frame = pl.concat([kept, chosen])
    frame = frame.with_columns(split=pl.col("given_split").fill_null("train"))
    frame = frame.with_columns(dataset_split="split")
    return Table(frame=frame.with_row_index("row"), unreadable=tuple(unreadable))


def _read(
    source: Source,
    settings: DataSettings,
    unreadable: list[str],
    mend: Callable[[str], str] | None,
) -> pl.DataFrame:
    def refuse(error: SourceFormatError) -> None:
        unreadable.append(error.message)

    utterances = iterate_source(source, settings=settings, refuse=refuse)
    frames = [
        pl.DataFrame(rows, schema=SCHEMA, orient="row")
        for rows in _batches(_row(one, settings, mend) for one in utterances)
    ]
    return pl.concat(frames, rechunk=True) if frames else pl.DataFrame(schema=SCHEMA)


def _batches(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, _ROWS_AT_A_TIME)):
        yield batch


def _row(
    utterance: Utterance, settings: DataSettings, mend: Callable[[str], str] | None
) -> tuple[Any, ...]:
    refused = reason = None
    raw = utterance.text
    if mend is not None and not raw.isascii():
        utterance = msgspec.structs.replace(utterance, text=mend(raw))
    try:
        cleaned = clean_utterance(utterance, settings)
        text, intent = cleaned.text, cleaned.intent
    except UtterancesInvalidError as error:
        refused, reason = error.data["rule"], error.message
        text = normalize(utterance.text)
        intent = None if utterance.intent is None else storable(utterance.intent)
    label = utterance.intent if utterance.label is None else utterance.label
    label = None if label is None or label == intent else storable(label)
    return (
        utterance.source,
        utterance.unit,
        utterance.line,
        text,
        None if text == raw else storable(raw),
        text.casefold(),
        intent,
        label,
        None if utterance.split_name is None else storable(utterance.split_name),
        utterance.split,
        utterance.group,
        refused,
        reason,
    )
