"""Finding labels that are probably wrong."""

from __future__ import annotations

import polars as pl

from tests.trainer.wrong_labels import wrongly_labelled
from trainer.data_checks.label_errors import check_labels


def test_wrong_labels_are_found_with_the_right_one() -> None:
    frame, right = wrongly_labelled(200, wrong=6)
    found = check_labels(frame, sample=1000, seed=1)
    assert found.checked == 200
    told = {row: detail.split()[:2] for row, detail in found.found.iter_rows()}
    assert told == {row: ["rather", intent] for row, intent in right.items()}


def test_right_labels_are_left_in_peace() -> None:
    frame, _ = wrongly_labelled(200, wrong=0)
    assert check_labels(frame, sample=1000, seed=1).found.is_empty()


def test_two_intents_are_enough_and_one_is_not() -> None:
    frame, _ = wrongly_labelled(200, wrong=0)
    two = frame.filter(pl.col("intent").is_in(["light", "music"]))
    assert check_labels(two, sample=1000, seed=1).checked == 100
    one = check_labels(frame.filter(pl.col("intent") == "light"), sample=1000, seed=1)
    assert (one.checked, one.skipped) == (0, "fewer than two intents have 3 texts or more")


def test_texts_out_of_scope_and_rare_intents_are_left_aside() -> None:
    frame, _ = wrongly_labelled(40, wrong=0)
    more = pl.DataFrame(
        {
            "row": pl.Series([40, 41], dtype=pl.UInt32),
            "text": ["who knows", "once"],
            "intent": [None, "rare"],
        }
    )
    assert check_labels(pl.concat([frame, more]), sample=1000, seed=1).checked == 40


def test_a_sample_is_drawn_by_the_seed() -> None:
    frame, _ = wrongly_labelled(400, wrong=8)
    first, again = (check_labels(frame, sample=100, seed=5) for _ in range(2))
    assert first.checked == 100
    assert first.found.equals(again.found)


def test_texts_without_words_do_no_harm() -> None:
    frame = pl.DataFrame(
        {
            "row": pl.Series(range(6), dtype=pl.UInt32),
            "text": ["a", "b", "!", "?", "a b", "1"],
            "intent": ["x", "x", "x", "y", "y", "y"],
        }
    )
    assert check_labels(frame, sample=10, seed=1).checked == 6
