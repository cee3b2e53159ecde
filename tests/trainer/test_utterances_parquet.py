"""Reading parquet."""

from __future__ import annotations

import io
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trainer.config import DataSettings
from trainer.errors import SourceFormatError
from trainer.utterances import Utterance
from trainer.utterances.parquet import read_parquet
from trainer.utterances.source_file import SourceFile


def read(columns: dict[str, Any] | bytes, settings: DataSettings, **how: Any) -> list[Utterance]:
    content = columns
    if not isinstance(content, bytes):
        buffer = io.BytesIO()
        pl.DataFrame(columns).write_parquet(buffer)
        content = buffer.getvalue()
    return list(read_parquet(SourceFile("a.parquet", content), settings=settings, **how))


def test_every_row_is_read_with_its_number(data_settings: DataSettings) -> None:
    columns = {"id": [1, 2], "Utterance": ["hi", "pi"], "label": ["greet", "oos"]}
    found = read({**columns, "split": [None, "dev"]}, data_settings)
    assert [(one.text, one.intent, one.split, one.place) for one in found] == [
        ("hi", "greet", None, "a.parquet, row 1"),
        ("pi", None, "validation", "a.parquet, row 2"),
    ]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"text": ["hi"]}, "a.parquet has no intent column"),
        ({"text": [], "intent": []}, "a.parquet has no rows"),
        ({"text": ["hi"], "intent": [3]}, "a.parquet, row 1: the intent must be a string"),
        ({"text": [None], "intent": ["a"]}, "a.parquet, row 1: the text must be a string, not n"),
        (b"PAR1 and then nothing", "a.parquet is not a parquet file that can be read"),
    ],
)
def test_what_cannot_be_read_is_refused(
    data_settings: DataSettings, columns: dict[str, Any] | bytes, reason: str
) -> None:
    with pytest.raises(SourceFormatError) as caught:
        read(columns, data_settings)
    assert caught.value.message.startswith(reason)
    assert "\n" not in caught.value.message


def test_two_columns_of_one_name_are_refused(data_settings: DataSettings) -> None:
    column = pa.array(["hi"])
    buffer = io.BytesIO()
    pq.write_table(pa.table([column, column, column], names=["text", "intent", "text"]), buffer)
    with pytest.raises(SourceFormatError, match="more than one column text; leave one"):
        read(buffer.getvalue(), data_settings)


def test_reading_goes_on_behind_a_row_when_asked(data_settings: DataSettings) -> None:
    refused: list[SourceFormatError] = []
    columns = {"text": ["hi", None, "ho"], "intent": ["a", "a", "a"]}
    found = read(columns, data_settings, refuse=refused.append)
    assert [one.line for one in found] == [1, 3]
    assert [one.data["line"] for one in refused] == [2]


def test_strings_that_are_not_utf8_are_refused(data_settings: DataSettings) -> None:
    latin = pa.array(["caf\xe9".encode("latin-1")], pa.binary()).view(pa.string())
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": latin, "intent": pa.array(["drink"])}), buffer)
    with pytest.raises(SourceFormatError, match="holds text that is not UTF-8; write it anew"):
        read(buffer.getvalue(), data_settings)
