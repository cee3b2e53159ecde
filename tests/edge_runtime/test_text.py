from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_runtime.errors import UtteranceError
from edge_runtime.text import TextSettings, normalize, prepare

SETTINGS = TextSettings(normalization="nfc-single-spaces", max_characters=20, max_tokens=16)
# Lone surrogates included: they reach us from operating systems and from bad JSON writers.
any_text = st.text(alphabet=st.characters(exclude_categories=()))


@given(text=any_text)
@example(text="e\x00\u0301")
@example(text=" \u2001 \u0301")
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once


@given(text=any_text)
def test_normalised_text_is_composed_and_can_be_encoded(text: str) -> None:
    result = normalize(text)
    assert unicodedata.is_normalized("NFC", result)
    assert result.encode("utf-8").decode("utf-8") == result


@given(text=any_text)
def test_normalised_text_has_no_control_characters_and_single_spaces(text: str) -> None:
    result = normalize(text)
    assert not any(unicodedata.category(character) == "Cc" for character in result)
    assert result == " ".join(result.split())


@given(words=st.lists(st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1)))
def test_plain_words_are_left_as_they_are(words: list[str]) -> None:
    assert normalize(" ".join(words)) == " ".join(words)


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("  lights\t\n on ", "lights on"),
        ("cafe\u0301", "café"),
        ("a\u00a0b\u3000c", "a b c"),
        ("be\x00ep\x07", "beep"),
        ("Straße ÉCOLE", "Straße ÉCOLE"),
        ("\ud83d", ""),
    ],
)
def test_a_text_is_normalised(given_text: str, expected: str) -> None:
    assert normalize(given_text) == expected


@pytest.mark.parametrize("text", ["", "   ", "\x00\x01"])
def test_a_text_with_nothing_in_it_is_refused(text: str) -> None:
    with pytest.raises(UtteranceError, match="the text is empty"):
        prepare(text, SETTINGS)


def test_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(UtteranceError, match="not valid Unicode"):
        prepare("lights \ud800 on", SETTINGS)


def test_a_text_of_the_longest_length_is_accepted() -> None:
    assert prepare("x" * 20, SETTINGS) == "x" * 20


def test_length_is_counted_after_normalising() -> None:
    assert prepare("x" + " " * 50 + "y", SETTINGS) == "x y"


@pytest.mark.parametrize("length", [21, 80, 81, 1_000_000])
def test_a_longer_text_is_refused_with_its_length(length: int) -> None:
    with pytest.raises(UtteranceError, match=f"has {length} characters, at most 20") as info:
        prepare("x" * length, SETTINGS)
    assert info.value.data == {"characters": length}


def test_what_is_not_a_text_is_refused() -> None:
    with pytest.raises(UtteranceError, match="not int"):
        prepare(7, SETTINGS)  # type: ignore[arg-type]
