from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.holder import ModelHolder
from edge_runtime.transports.stdin import MAX_LINE_BYTES, answer_lines, read_lines


@pytest.fixture(scope="module")
def holder(built_tiny_bundle: Path) -> Iterator[ModelHolder]:
    holder = ModelHolder()
    holder.swap(built_tiny_bundle)
    yield holder
    holder.close()


def answers(holder: ModelHolder, content: bytes) -> list[Any]:
    sink = io.BytesIO()
    count = answer_lines(read_lines(io.BytesIO(content)), sink, holder=holder)
    found = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert len(found) == count
    return found


def test_an_object_and_a_bare_string_are_answered(holder: ModelHolder) -> None:
    found = answers(holder, b'{"text": "lights on"}\n"play a song"\n')
    assert [answer["intent"] for answer in found] == ["lights_on", "play_music"]


def test_the_last_line_needs_no_newline(holder: ModelHolder) -> None:
    assert answers(holder, b'"rain"')[0]["intent"] == "weather"


@pytest.mark.parametrize(
    "line",
    [
        b"rain",
        b"",
        b"7",
        b"{}",
        b'{"text": 7}',
        b'{"text": "rain", "id": 3}',
        b'"\xff"',
        b'""',
        b"[" * 50_000,
        b'"%s"' % (b"x" * 201),
        b'"%s"' % (b"x" * 3 * MAX_LINE_BYTES),
    ],
)
def test_a_bad_line_gets_an_error_and_the_next_one_its_answer(
    holder: ModelHolder, line: bytes
) -> None:
    bad, good = answers(holder, line + b'\n"rain"\n')
    assert sorted(bad) == ["error", "line"]
    assert bad["line"] == 1
    assert good["intent"] == "weather"


def test_a_line_of_the_longest_length_is_read(holder: ModelHolder) -> None:
    line = b'"rain"'.ljust(MAX_LINE_BYTES - 1) + b"\n"
    assert [answer["intent"] for answer in answers(holder, line * 2)] == ["weather", "weather"]


def test_no_lines_get_no_answers(holder: ModelHolder) -> None:
    assert answers(holder, b"") == []


def test_without_a_model_every_line_gets_an_error() -> None:
    (found,) = answers(ModelHolder(), b'"rain"\n')
    assert "no model is loaded" in found["error"]


@given(lines=st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8")), max_size=5))
def test_every_line_gets_exactly_one_line(holder: ModelHolder, lines: list[str]) -> None:
    content = "".join(line + "\n" for line in lines).encode()
    assert len(answers(holder, content)) == len(lines)
