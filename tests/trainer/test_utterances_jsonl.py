"""Reading JSON lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.config import DataSettings
from trainer.errors import SourceFormatError
from trainer.utterances import Utterance
from trainer.utterances.jsonl import read_jsonl
from trainer.utterances.source_file import SourceFile

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
labels = (
    st.text(characters, min_size=1)
    .map(str.strip)
    .filter(lambda label: label and label.casefold() not in ("oos", "out_of_scope"))
)


def read(text: str, settings: DataSettings) -> list[Utterance]:
    return list(read_jsonl(SourceFile(name="a.jsonl", content=text.encode()), settings=settings))


def refusal(text: str, settings: DataSettings) -> str:
    with pytest.raises(SourceFormatError) as caught:
        read(text, settings)
    return caught.value.message


@given(rows=st.lists(st.tuples(st.text(characters), labels), min_size=1), plain=st.booleans())
def test_what_a_json_writer_wrote_is_read_back(
    data_settings: DataSettings, rows: list[tuple[str, str]], plain: bool
) -> None:
    lines = [json.dumps({"text": t, "intent": i}, ensure_ascii=plain) + "\n" for t, i in rows]
    utterances = read("".join(lines), data_settings)
    assert [(utterance.text, utterance.intent) for utterance in utterances] == rows


def test_a_line_has_its_number_and_its_split(data_settings: DataSettings) -> None:
    utterances = read(
        '{"query": "a", "label": "x"}\r\n\n{"query": "b", "label": "oos", "split": "dev"}',
        data_settings,
    )
    assert [(u.text, u.intent, u.split, u.line) for u in utterances] == [
        ("a", "x", None, 1),
        ("b", None, "validation", 3),
    ]


def test_the_split_is_found_in_whatever_case_a_later_line_writes_it(
    data_settings: DataSettings,
) -> None:
    utterances = read(
        '{"text": "a", "intent": "x"}\n{"text": "b", "intent": "x", "Split": "test"}\n'
        '{"text": "c", "intent": "x"}\n{"text": "d", "intent": "x", "Split": "dev"}',
        data_settings,
    )
    assert [one.split for one in utterances] == [None, "test", None, "validation"]


def test_missing_keys_are_reported_with_the_keys_found(data_settings: DataSettings) -> None:
    assert refusal('{"body": "a", "label": "x"}', data_settings) == (
        "a.jsonl has no text column (text, utterance, sentence or query); it has: body, label; "
        "rename one or set data.text_column"
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "a", "intent"', "malformed JSON (Expecting ':' delimiter at column 23)"),
        ("[1]", "expected a JSON object"),
        ('{"text": "a"}', "there is no 'intent'"),
        ('{"text": 5, "intent": "x"}', "the text must be a string, not a number"),
        ('{"text": "a", "intent": null}', "the intent must be a string, not null"),
        ('{"text": "a", "intent": "x", "split": 3}', "unknown split 3"),
        ("[" * 100_000, "a number or a nesting that is too large"),
        ("9" * 5_000, "a number or a nesting that is too large"),
    ],
)
def test_a_malformed_line_is_reported_with_its_number(
    data_settings: DataSettings, line: str, reason: str
) -> None:
    message = refusal('{"text": "a", "intent": "x"}\n' + line, data_settings)
    assert message.startswith(f"a.jsonl, line 2: {reason}")
