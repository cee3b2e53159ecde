"""Reading utterances: CSV, JSONL, parquet, CLINC150's JSON and sentence templates."""

from __future__ import annotations

from trainer.utterances.source import (
    Source,
    iterate_source,
    list_unread_columns,
    open_source,
    parse_source,
    read_utterances,
)
from trainer.utterances.utterance import SplitName, Utterance, storable

__all__ = [
    "Source",
    "SplitName",
    "Utterance",
    "iterate_source",
    "list_unread_columns",
    "open_source",
    "parse_source",
    "read_utterances",
    "storable",
]
