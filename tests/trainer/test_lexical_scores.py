"""Scores of words and letters."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.dataset import Split
from trainer.lexical_scores import lexical_scores

TRAINING = Split(
    texts=["turn on the lamp", "lamp on", "play a song", "some music please", "stop it", "halt"]
    * 2,
    intents=["light", "light", "music", "music", "stop", "stop"] * 2,
)
NAMES = ["lexical-margin", "lexical-words-margin", "lexical-centroid"]


@pytest.mark.parametrize("name", NAMES)
def test_a_known_text_is_surer_than_one_of_other_words(name: str) -> None:
    found = lexical_scores(TRAINING, ["turn on the lamp", "quarks weigh nothing"])[name]
    known, strange = found.values
    assert known > strange
    assert found.bytes > 0


def test_out_of_scope_training_texts_are_not_learnt_from() -> None:
    more = Split(texts=[*TRAINING.texts, "quarks weigh nothing"], intents=[*TRAINING.intents, None])
    texts = ["lamp on", "quarks weigh nothing"]
    for name, found in lexical_scores(TRAINING, texts).items():
        assert np.array_equal(found.values, lexical_scores(more, texts)[name].values)


def test_two_intents_have_one_margin_and_both_sides_of_it_are_sure() -> None:
    two = TRAINING.rows([row for row, intent in enumerate(TRAINING.intents) if intent != "stop"])
    values = lexical_scores(two, ["lamp on", "some music please", "quarks weigh nothing"])
    light, music, strange = values["lexical-margin"].values
    assert min(light, music) > strange


def test_words_of_one_letter_alone_leave_the_letters_to_tell() -> None:
    letters = Split(texts=["a", "b", "a b", "b a"], intents=["a", "b", "a", "b"])
    found = lexical_scores(letters, ["a", "z"])
    assert found["lexical-words-margin"].values.tolist() == [0.0, 0.0]
    assert found["lexical-words-margin"].bytes == 0
    known, strange = found["lexical-centroid"].values
    assert known > strange == 0
