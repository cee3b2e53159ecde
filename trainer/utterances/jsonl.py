"""JSON lines: one JSON object with a text and an intent a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from trainer.config import DataSettings
from trainer.errors import SourceFormatError
from trainer.utterances.columns import Columns, find_columns, make_utterance, unread
from trainer.utterances.refusal import Refuse, raise_refusal
from trainer.utterances.source_file import SourceFile, decode
from trainer.utterances.utterance import Utterance

__all__ = ["list_unread_jsonl", "read_jsonl"]


def read_jsonl(
    file: SourceFile, *, settings: DataSettings, refuse: Refuse = raise_refusal
) -> Iterator[Utterance]:
    """Read the utterances of a JSON-lines file; the first object names the keys.

    Args:
        file: the file's name and bytes.
        settings: names of the keys and of labels that are out of scope.
        refuse: told of each line that cannot be read.

    Raises:
        SourceFormatError: the encoding is wrong, or there is no text or no intent key.
    """
    columns: Columns | None = None
    # Only a line feed ends a line: a JSON string may hold other Unicode line separators.
    for line, content in enumerate(decode(file).split("\n"), start=1):
        if not content.strip():
            continue
        try:
            row = _read_object(content, file=file, line=line)
        except SourceFormatError as error:
            refuse(error)
            continue
        if columns is None:
            columns = find_columns(row, settings=settings, source=file.name)
        columns = _with_split(columns, row, settings)
        try:
            utterance = _utterance(row, columns, file=file, line=line, settings=settings)
        except SourceFormatError as error:
            refuse(error)
        else:
            yield utterance


def list_unread_jsonl(file: SourceFile, *, settings: DataSettings) -> tuple[str, ...]:
    """Keys of any line that ``read_jsonl`` leaves aside.

    Raises:
        SourceFormatError: the encoding is wrong, or there is no text or no intent key.
    """
    columns: Columns | None = None
    names: dict[str, None] = {}
    for line, content in enumerate(decode(file).split("\n"), start=1):
        try:
            row = _read_object(content, file=file, line=line)
        except SourceFormatError:
            continue
        if columns is None:
            columns = find_columns(row, settings=settings, source=file.name)
        columns = _with_split(columns, row, settings)
        names.update(dict.fromkeys(row))
    return () if columns is None else unread(names, columns)


def _with_split(columns: Columns, row: dict[str, Any], settings: DataSettings) -> Columns:
    """Take the key of the split from the first line that has one: not every line needs it."""
    if columns.split is not None:
        return columns
    wanted = settings.split_column.casefold()
    found = next((name for name in row if name.strip().casefold() == wanted), None)
    return columns if found is None else msgspec.structs.replace(columns, split=found)


def _utterance(
    row: dict[str, Any], columns: Columns, *, file: SourceFile, line: int, settings: DataSettings
) -> Utterance:
    for key in (columns.text, columns.intent):
        if key not in row:
            raise SourceFormatError(
                f"{file.name}, line {line}: there is no {key!r}; every line needs it",
                source=file.name,
                line=line,
            )
    return make_utterance(
        text=row[columns.text],
        intent=row[columns.intent],
        split=None if columns.split is None else row.get(columns.split),
        file=file,
        line=line,
        settings=settings,
    )


def _read_object(content: str, *, file: SourceFile, line: int) -> dict[str, Any]:
    where = f"{file.name}, line {line}"
    try:
        value = json.loads(content)
    except json.JSONDecodeError as error:
        raise SourceFormatError(
            f"{where}: malformed JSON ({error.msg} at column {error.colno}); mend that line",
            source=file.name,
            line=line,
        ) from error
    except (ValueError, RecursionError) as error:
        raise SourceFormatError(
            f"{where}: a number or a nesting that is too large; a line is a flat JSON object",
            source=file.name,
            line=line,
        ) from error
    if not isinstance(value, dict):
        raise SourceFormatError(
            f'{where}: expected a JSON object such as {{"text": "...", "intent": "..."}}',
            source=file.name,
            line=line,
        )
    return value
