"""CSV (RFC 4180) with a header; commas, tabs or semicolons between the fields."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from trainer.config import DataSettings
from trainer.errors import SourceFormatError
from trainer.utterances.columns import Columns, find_columns, make_utterance, unread
from trainer.utterances.refusal import Refuse, raise_refusal
from trainer.utterances.source_file import SourceFile, decode
from trainer.utterances.utterance import Utterance

__all__ = ["list_unread_csv", "read_csv"]

_DELIMITERS = (",", "\t", ";")


def read_csv(
    file: SourceFile, *, settings: DataSettings, refuse: Refuse = raise_refusal
) -> Iterator[Utterance]:
    """Read the utterances of a CSV file, one after the other.

    The header names the columns; the first delimiter that gives a text and an intent
    column is taken. Empty lines are skipped.

    Args:
        file: the file's name and bytes.
        settings: names of the columns and of labels that are out of scope.
        refuse: told of each row that cannot be read.

    Raises:
        SourceFormatError: the encoding or the header is wrong, or there are no rows.
    """
    content = decode(file)
    delimiter, header, columns = _read_header(content, file=file, settings=settings)
    text_at, intent_at = header.index(columns.text), header.index(columns.intent)
    split_at = None if columns.split is None else header.index(columns.split)
    rows = _rows(content, delimiter=delimiter, file=file, refuse=refuse)
    next(rows)
    is_empty = True
    for line, row in rows:
        is_empty = False
        if len(row) < len(header) or any(row[len(header) :]):
            refuse(
                SourceFormatError(
                    f"{file.name}, line {line}: {len(row)} fields, but the header has "
                    f"{len(header)}; put quotes around a text that contains the separator",
                    source=file.name,
                    line=line,
                )
            )
            continue
        try:
            utterance = make_utterance(
                text=row[text_at],
                intent=row[intent_at],
                split=None if split_at is None else row[split_at],
                file=file,
                line=line,
                settings=settings,
            )
        except SourceFormatError as error:
            refuse(error)
        else:
            yield utterance
    if is_empty:
        raise SourceFormatError(
            f"{file.name} has a header but no rows; add utterances", source=file.name
        )


def list_unread_csv(file: SourceFile, *, settings: DataSettings) -> tuple[str, ...]:
    """Names of the columns that ``read_csv`` leaves aside.

    Raises:
        SourceFormatError: the encoding or the header is wrong.
    """
    _, header, columns = _read_header(decode(file), file=file, settings=settings)
    return unread(header, columns)


def _read_header(
    content: str, *, file: SourceFile, settings: DataSettings
) -> tuple[str, list[str], Columns]:
    refusals: list[tuple[int, SourceFormatError]] = []
    for delimiter in _DELIMITERS:
        header: list[str] = []
        try:
            _, header = next(_rows(content, delimiter=delimiter, file=file))
            columns = find_columns(header, settings=settings, source=file.name)
        except SourceFormatError as error:
            refusals.append((len(header), error))
        else:
            return delimiter, header, columns
    # The delimiter that gives the most columns is the one that was meant.
    raise max(refusals, key=lambda refusal: refusal[0])[1]


def _rows(
    content: str, *, delimiter: str, file: SourceFile, refuse: Refuse = raise_refusal
) -> Iterator[tuple[int, list[str]]]:
    """Give each row that is not empty with the line that it begins on."""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            refusal = SourceFormatError(
                f"{file.name}, line {line}: malformed CSV ({error}); check the quotes there",
                source=file.name,
                line=line,
            )
            refusal.__cause__ = error
            refuse(refusal)
            continue
        if row:
            yield line, row
