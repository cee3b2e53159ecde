"""Reading utterances: CSV, JSONL, CLINC150's JSON and sentence templates."""

from __future__ import annotations

from trainer.utterances.source import Source, open_source, parse_source, read_utterances
from trainer.utterances.utterance import SplitName, Utterance

__all__ = ["Source", "SplitName", "Utterance", "open_source", "parse_source", "read_utterances"]
