"""Texts that are nearly the same on both sides of a split."""

from __future__ import annotations

import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.data_checks.similarity import find_near_in_two_splits, fold, trigram_similarity


def near(
    train: list[str], test: list[str], similarity: float = 0.8, validation: list[str] | None = None
) -> dict[int, str]:
    """Number of the text that is held out -> detail; those of validation come after the test's."""
    held = [*test, *(validation or [])]
    texts = [*train, *held]
    splits = ["test"] * len(test) + ["validation"] * (len(held) - len(test))
    rows = pl.DataFrame(
        {
            "row": range(len(texts)),
            "dataset_split": ["train"] * len(train) + splits,
            "key": [text.casefold() for text in texts],
            "text": texts,
            "source": ["a.csv"] * len(texts),
            "unit": ["line"] * len(texts),
            "line": range(1, len(texts) + 1),
        },
        schema={
            "row": pl.UInt32,
            **dict.fromkeys(("dataset_split", "key", "text", "source", "unit"), pl.String),
            "line": pl.UInt32,
        },
    )
    found = find_near_in_two_splits(rows, fold(rows["text"]), similarity=similarity, seed=1)
    return {row - len(train): detail for row, detail in found.iter_rows()}


@pytest.mark.parametrize(
    ("text", "folded"),
    [("Où est le CAFÉ?", "ou est le cafe"), ("  what's up…", "what s up"), ("👍!", ""), ("", "")],
)
def test_folding_takes_case_accents_and_punctuation(text: str, folded: str) -> None:
    assert fold(pl.Series([text], dtype=pl.String)).to_list() == [folded]


def test_similarity_is_the_share_of_common_trigrams() -> None:
    # " ab", "abc", "bc " against " ab", "abd", "bd ".
    assert trigram_similarity("abc", "abd") == pytest.approx(1 / 5)
    assert trigram_similarity("abc", "abc") == 1


def test_punctuation_and_one_letter_do_not_hide_a_text() -> None:
    found = near(
        ["set a timer for nine minutes", "play some jazz in the kitchen"],
        ["set a timer for nine minutes!", "play some jazz in the kitchens", "where is my car"],
    )
    assert found == {
        0: "1.0: set a timer for nine minutes in a.csv, line 1, in train",
        1: "0.9: play some jazz in the kitchen in a.csv, line 2, in train",
    }


def test_validation_is_held_against_training_and_the_test_against_both() -> None:
    found = near(
        ["set a timer for nine minutes"],
        ["play some jazz in the kitchens", "set a timer for nine minutes?", "where is my car"],
        validation=["play some jazz in the kitchen", "set a timer for nine minutes!"],
    )
    assert found == {
        0: "0.9: play some jazz in the kitchen in a.csv, line 5, in validation",
        1: "1.0: set a timer for nine minutes in a.csv, line 1, in train",
        4: "1.0: set a timer for nine minutes in a.csv, line 1, in train",
    }


def test_the_same_text_is_no_near_one() -> None:
    assert near(["set a timer for nine minutes"], ["SET a timer for nine minutes"]) == {}


@pytest.mark.parametrize(("train", "test"), [([], ["a"]), (["a"], []), (["👍"], ["👍👍"])])
def test_nothing_to_compare_gives_nothing(train: list[str], test: list[str]) -> None:
    assert near(train, test) == {}


@settings(deadline=None)
@given(
    train=st.lists(st.text("abcd ", max_size=12), max_size=12),
    test=st.lists(st.text("abcd ", max_size=12), max_size=12),
)
def test_what_is_reported_is_that_similar_and_no_text_lacks_a_partner(
    train: list[str], test: list[str]
) -> None:
    folded = fold(pl.Series(train, dtype=pl.String)).to_list()
    for number, detail in near(train, test, 0.5).items():
        (ours,) = fold(pl.Series([test[number]], dtype=pl.String)).to_list()
        best = max(trigram_similarity(ours, one) for one in folded if one)
        value = float(detail.partition(":")[0])
        assert value + 0.005 >= 0.5
        assert value <= best + 0.005


def test_nearly_all_pairs_above_the_bound_are_found() -> None:
    chance = random.Random(1)
    nouns = ["lamp", "song", "jazz", "rock", "kitchen", "hall", "light", "weather", "rain"]
    words = ["switch", "play", "please", "music", *nouns]
    train = [" ".join(chance.choices(words, k=chance.randint(3, 8))) for _ in range(1000)]
    places = [chance.randrange(len(text)) for text in train]
    test = [f"{text[:at]}x{text[at + 1 :]}" for text, at in zip(train, places, strict=True)]
    known = [max(trigram_similarity(one, other) for other in train) for one in test[:300]]
    found = near(train, test[:300])
    expected = sum(value >= 0.8 for value in known)
    assert expected > 100
    assert 0.93 * expected <= len(found) <= expected
