"""Names of intents as utterances."""

from __future__ import annotations

import pytest
import torch

from trainer.intent_names import names_tell, words_of


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("card_arrival", "card arrival"),
        ("card-arrival", "card arrival"),
        ("CardArrival", "card arrival"),
        ("cardArrival?", "card arrival"),
        ("banking.card:arrival", "banking card arrival"),
        ("HTTPError", "http error"),
        ("what's up", "what's up"),
        ("Licht_an/Küche", "licht an küche"),
        ("topup2", "topup2"),
        ("17", ""),
        ("--", ""),
    ],
)
def test_a_label_becomes_words(label: str, words: str) -> None:
    assert words_of(label) == words


MEANS = torch.eye(4)


def test_names_close_to_their_own_utterances_tell() -> None:
    names = torch.eye(4) + 0.3
    assert names_tell(names, torch.arange(4), MEANS)


def test_names_that_could_be_any_intents_do_not() -> None:
    names = torch.tensor([[1.0, 0.9, 0.0, 0.0]]).repeat(4, 1)
    assert not names_tell(names, torch.arange(4), MEANS)


def test_no_names_tell_nothing() -> None:
    assert not names_tell(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), MEANS)
