"""Spoiled texts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.noise import NOISES, Noise, hear, mistype, spoil

TEXTS = [f"please set an alarm for {hour} o'clock in the morning" for hour in range(400)]
KEYBOARD, HARD_KEYBOARD, RECOGNISER = NOISES


def distance(one: str, other: str) -> int:
    """Least number of insertions, deletions and substitutions."""
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, start=1):
        before, row[0] = row[0], place
        for column, against in enumerate(other, start=1):
            least = min(row[column] + 1, row[column - 1] + 1, before + (letter != against))
            before, row[column] = row[column], least
    return row[-1]


@settings(deadline=None)
@given(st.lists(st.text(min_size=1), max_size=4), st.sampled_from(NOISES), st.integers(0, 9))
def test_a_text_that_says_something_still_says_something(
    texts: list[str], noise: Noise, seed: int
) -> None:
    spoiled = spoil(texts, noise, seed=seed)
    assert len(spoiled) == len(texts)
    assert all(spoiled)


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.name)
def test_a_seed_gives_the_same_spoiled_text_wherever_it_stands(noise: Noise) -> None:
    assert spoil(TEXTS, noise, seed=1) == spoil(TEXTS[::-1], noise, seed=1)[::-1]
    assert spoil(TEXTS, noise, seed=1) != spoil(TEXTS, noise, seed=2)


def test_without_mistakes_a_keyboard_changes_nothing_and_a_recogniser_only_the_form() -> None:
    text = "Wake me at 7, please!"
    assert mistype(text, share=0, chance=random.Random(1)) == text
    assert hear(text, share=0, chance=random.Random(1)) == "wake me at seven please"


@pytest.mark.parametrize("noise", [KEYBOARD, HARD_KEYBOARD], ids=lambda noise: noise.name)
def test_about_the_wanted_share_of_letters_is_mistyped(noise: Noise) -> None:
    spoiled = spoil(TEXTS, noise, seed=1)
    letters = sum(letter.isalnum() for text in TEXTS for letter in text)
    edits = sum(distance(text, other) for text, other in zip(TEXTS, spoiled, strict=True))
    # A swap counts as two edits, except of equal letters.
    assert 0.95 * noise.share < edits / letters < 1.4 * noise.share


def test_a_wrong_key_lies_beside_the_right_one() -> None:
    typed = {mistype("g", share=1, chance=random.Random(seed)) for seed in range(200)}
    assert {letter for letters in typed for letter in letters} == set("gtyfhvb")


def test_a_capital_stays_a_capital() -> None:
    typed = "".join(mistype("G", share=1, chance=random.Random(seed)) for seed in range(50))
    assert typed.isupper()


def test_a_letter_that_the_keyboard_lacks_is_left_out_swapped_or_doubled() -> None:
    typed = {mistype("дя", share=0.5, chance=random.Random(seed)) for seed in range(200)}
    assert {"дя", "яд", "я", "д", "ддя", "дяя"} <= typed
    assert {letter for text in typed for letter in text} == {"д", "я"}


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("It's 25 °C outside.", "it's twenty five c outside"),
        ("pay $1,234", "pay one thousand two hundred thirty four"),
        ("room 12b", "room twelve b"),
        ("call 0123456789", "call zero one two three four five six seven eight nine"),
        ("don\N{RIGHT SINGLE QUOTATION MARK}t “stop” me", "don't stop me"),
        ("УЖЕ поздно?", "уже поздно"),
    ],
)
def test_a_recogniser_writes_words_and_nothing_else(said: str, written: str) -> None:
    assert hear(said, share=0, chance=random.Random(1)) == written


@pytest.mark.parametrize(
    ("said", "may_be_heard"),
    [
        ("weather", {"weather", "whether"}),
        ("turn the light", {"turn light", "turn the light", "turn thelight"}),
        ("alarm", {"alarm"}),
        ("volume up", {"volumeup", "vo lume up", "vol ume up", "volu me up", "volume up"}),
    ],
)
def test_a_recogniser_takes_loses_merges_and_splits_words(
    said: str, may_be_heard: set[str]
) -> None:
    heard = {hear(said, share=0.3, chance=random.Random(seed)) for seed in range(300)}
    assert may_be_heard <= heard
