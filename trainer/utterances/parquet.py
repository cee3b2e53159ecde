"""Parquet: a table with a text and an intent in every row."""

from __future__ import annotations

from collections.abc import Iterator

from trainer.config import DataSettings
from trainer.errors import SourceFormatError
from trainer.utterances.columns import find_columns, make_utterance, unread
from trainer.utterances.refusal import Refuse, raise_refusal
from trainer.utterances.source_file import SourceFile
from trainer.utterances.utterance import Utterance

__all__ = ["list_unread_parquet", "read_parquet"]


def read_parquet(
    file: SourceFile, *, settings: DataSettings, refuse: Refuse = raise_refusal
) -> Iterator[Utterance]:
    """Read the utterances of a parquet file; the columns are named as in CSV.

    Args:
        file: the file's name and bytes.
        settings: names of the columns and of labels that are out of scope.
        refuse: told of each row that cannot be read.

    Raises:
        SourceFormatError: it is no parquet file, columns are missing, or there are no rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(pa.BufferReader(file.content))
        columns = find_columns(table.schema_arrow.names, settings=settings, source=file.name)
        if not table.metadata.num_rows:
            raise SourceFormatError(f"{file.name} has no rows; add utterances", source=file.name)
        wanted = [name for name in (columns.text, columns.intent, columns.split) if name]
        row = 0
        for batch in table.iter_batches(columns=wanted, use_threads=False):
            values = {name: batch.column(name).to_pylist() for name in wanted}
            for number in range(batch.num_rows):
                row += 1
                try:
                    utterance = make_utterance(
                        text=values[columns.text][number],
                        intent=values[columns.intent][number],
                        split=values[columns.split][number] if columns.split else None,
                        file=file,
                        line=row,
                        settings=settings,
                        unit="row",
                    )
                except SourceFormatError as error:
                    refuse(error)
                else:
                    yield utterance
    except UnicodeDecodeError as error:
        # Arrow believes what the file says of its strings until one is read.
        raise SourceFormatError(
            f"{file.name} holds text that is not UTF-8; write it anew",
            source=file.name,
        ) from error
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise SourceFormatError(
            f"{file.name} is not a parquet file that can be read ({reason}); write it anew",
            source=file.name,
        ) from error


def list_unread_parquet(file: SourceFile, *, settings: DataSettings) -> tuple[str, ...]:
    """Names of the columns that ``read_parquet`` leaves aside.

    Raises:
        SourceFormatError: it is no parquet file, or columns are missing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(pa.BufferReader(file.content)).names
    except (pa.ArrowException, OSError) as error:
        raise SourceFormatError(f"{file.name} is not a parquet file", source=file.name) from error
    return unread(names, find_columns(names, settings=settings, source=file.name))
