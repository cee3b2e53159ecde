"""Scrambled texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainer.scrambling import scramble

words = st.text("abcd", min_size=1, max_size=3)
texts = st.lists(st.lists(words, min_size=1, max_size=6).map(" ".join), min_size=1, max_size=20)


@given(texts, st.integers(0, 2**31))
def test_every_text_becomes_one_with_words_of_the_texts(given_texts: list[str], seed: int) -> None:
    known = {word for text in given_texts for word in text.split()}
    made = scramble(given_texts, seed=seed)
    assert len(made) == len(given_texts)
    assert all(set(text.split()) <= known and text for text in made)


def test_the_same_seed_scrambles_alike_and_another_otherwise() -> None:
    given_texts = [f"switch the lamp number {number} on please" for number in range(20)]
    assert scramble(given_texts, seed=1) == scramble(given_texts, seed=1)
    assert scramble(given_texts, seed=1) != scramble(given_texts, seed=2)


def test_texts_lose_words_change_their_order_and_are_joined() -> None:
    given_texts = [" ".join(f"{letter}{place}" for place in range(8)) for letter in "abcdefgh"] * 20
    made = scramble(given_texts, seed=3)
    pairs = [(old.split(), new.split()) for old, new in zip(given_texts, made, strict=True)]
    dropped = sum(len(new) < len(old) and set(new) < set(old) for old, new in pairs)
    swapped = sum(new != old and sorted(new) == sorted(old) for old, new in pairs)
    joined = sum(not set(new) <= set(old) for old, new in pairs)
    assert min(dropped, swapped, joined) > 10
