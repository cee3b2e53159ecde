"""Features of words and letters."""

from __future__ import annotations

import numpy as np

from trainer.text_features import TextFeatures


def test_the_columns_are_the_terms_and_joined_rows_have_length_one() -> None:
    features = TextFeatures(["lamp on", "lamp off"], letters=(3, 3))
    assert features.words == ["lamp", "lamp off", "lamp on", "off", "on"]
    assert features.training.words.shape == (2, 5)
    assert features.training.letters.shape == (2, len(features.letters))
    joined = features.of(["lamp", "on"]).joined()
    assert joined.shape == (2, 5 + len(features.letters))
    assert np.allclose(np.sqrt(joined.multiply(joined).sum(axis=1)), 1)


def test_texts_without_a_word_of_two_characters_have_letters_alone() -> None:
    features = TextFeatures(["a", "b c"], letters=(2, 3))
    assert features.words == []
    assert features.training.words.shape == features.of(["lamp", "a"]).words.shape == (2, 0)
    assert features.of(["a"]).joined().nnz > 0


def test_of_many_texts_a_term_counts_from_its_second_text_on() -> None:
    texts = [f"lamp number{one}" for one in range(1001)]
    assert TextFeatures(texts, letters=(2, 2)).words == ["lamp"]
    assert len(TextFeatures(texts[:1000], letters=(2, 2)).words) == 2001
