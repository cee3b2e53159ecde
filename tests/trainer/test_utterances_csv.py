"""Reading CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.config import DataSettings
from trainer.errors import SourceFormatError
from trainer.utterances import Utterance
from trainer.utterances.csv import read_csv
from trainer.utterances.source_file import SourceFile

# Every character but NUL, which a file of utterances may not hold, and surrogates.
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
odd_texts = st.text(characters)
labels = (
    st.text(characters, min_size=1)
    .map(str.strip)
    .filter(lambda label: label and label.casefold() not in ("oos", "out_of_scope"))
)


def read(text: str, settings: DataSettings, **changes: Any) -> list[Utterance]:
    chosen = msgspec.structs.replace(settings, **changes)
    return list(read_csv(SourceFile(name="a.csv", content=text.encode()), settings=chosen))


def pairs(utterances: list[Utterance]) -> list[tuple[str, str | None]]:
    return [(utterance.text, utterance.intent) for utterance in utterances]


def refusal(text: str, settings: DataSettings) -> str:
    with pytest.raises(SourceFormatError) as caught:
        read(text, settings)
    return caught.value.message


@given(rows=st.lists(st.tuples(odd_texts, labels), min_size=1))
def test_what_a_csv_writer_wrote_is_read_back(
    data_settings: DataSettings, rows: list[tuple[str, str]]
) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows([("text", "intent"), *rows])
    assert pairs(read(file.getvalue(), data_settings)) == rows


@pytest.mark.parametrize("text", ["text", "Utterance", "SENTENCE", " query "])
@pytest.mark.parametrize("intent", ["intent", "Label", "category", "class"])
def test_usual_column_names_are_found(data_settings: DataSettings, text: str, intent: str) -> None:
    assert pairs(read(f"id,{intent},{text}\n1,greet,hello\n", data_settings)) == [
        ("hello", "greet")
    ]


def test_columns_can_be_named(data_settings: DataSettings) -> None:
    utterances = read(
        "text,said,meant\nx,hello,greet\n", data_settings, text_column="said", intent_column="Meant"
    )
    assert pairs(utterances) == [("hello", "greet")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_fields_may_be_divided_by_commas_semicolons_or_tabs(
    data_settings: DataSettings, delimiter: str
) -> None:
    content = f"text{delimiter}intent\nhello{delimiter}greet\n"
    assert pairs(read(content, data_settings)) == [("hello", "greet")]


def test_a_line_number_is_that_of_the_first_line_of_a_row(data_settings: DataSettings) -> None:
    utterances = read('text,intent\n"two\nlines",a\n\nhello,b\n', data_settings)
    assert [utterance.line for utterance in utterances] == [2, 5]
    assert utterances[1].place == "a.csv, line 5"


def test_the_split_column_gives_the_split(data_settings: DataSettings) -> None:
    utterances = read("text,intent,Split\na,x,train\nb,x,VAL\nc,x,test\nd,x,\n", data_settings)
    assert [utterance.split for utterance in utterances] == ["train", "validation", "test", None]


def test_the_file_name_wins_over_the_split_column(data_settings: DataSettings) -> None:
    file = SourceFile(name="test.csv", content=b"text,intent,split\na,x,train\n", split="test")
    assert next(read_csv(file, settings=data_settings)).split == "test"


@pytest.mark.parametrize("label", ["oos", "OOS", " out_of_scope "])
def test_out_of_scope_labels_give_no_intent(data_settings: DataSettings, label: str) -> None:
    assert read(f"text,intent\nhello,{label}\n", data_settings)[0].intent is None


def test_empty_columns_that_a_spreadsheet_adds_do_no_harm(data_settings: DataSettings) -> None:
    assert pairs(read("text,intent\nhello,greet,,\n", data_settings)) == [("hello", "greet")]


def test_a_missing_text_column_is_reported_with_the_columns_found(
    data_settings: DataSettings,
) -> None:
    assert refusal("body,intent\nhello,greet\n", data_settings) == (
        "a.csv has no text column (text, utterance, sentence or query); it has: body, intent; "
        "rename one or set data.text_column"
    )


def test_a_missing_intent_column_is_reported_with_the_columns_found(
    data_settings: DataSettings,
) -> None:
    assert refusal("text;topic;split\nhello;greet;train\n", data_settings) == (
        "a.csv has no intent column (intent, label, category or class); it has: text, "
        "topic, split; rename one or set data.intent_column"
    )


@pytest.mark.parametrize("header", ["Text,text,intent", "text,intent,Intent", "text,text ,intent"])
def test_two_columns_that_differ_in_case_alone_are_refused(
    data_settings: DataSettings, header: str
) -> None:
    assert "more than one column" in refusal(f"{header}\na,b,c\n", data_settings)


def test_a_column_that_was_asked_for_must_be_there(data_settings: DataSettings) -> None:
    with pytest.raises(SourceFormatError, match=r"has no text column \(body\); it has: text"):
        read("text,intent\nhello,greet\n", data_settings, text_column="body")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("hello, you,greet", "3 fields, but the header has 2"),
        ("hello", "1 fields, but the header has 2"),
        ('"hello" you,greet', "malformed CSV"),
        ('"hello,greet', "malformed CSV (unexpected end of data)"),
    ],
)
def test_a_malformed_row_is_reported_with_its_line(
    data_settings: DataSettings, row: str, reason: str
) -> None:
    message = refusal(f"text,intent\nhi,greet\n{row}\n", data_settings)
    assert message.startswith(f"a.csv, line 3: {reason}")


def test_an_unknown_split_is_reported_with_its_line(data_settings: DataSettings) -> None:
    message = refusal("text,intent,split\nhi,greet,holdout\n", data_settings)
    assert message == "a.csv, line 2: unknown split 'holdout'; write train, validation or test"


def test_a_header_alone_is_refused(data_settings: DataSettings) -> None:
    assert refusal("text,intent\n", data_settings) == (
        "a.csv has a header but no rows; add utterances"
    )
