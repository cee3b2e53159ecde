"""What can be judged where little is held out."""

from __future__ import annotations

import pytest

from edge_runtime.errors import SettingsError
from trainer.dataset import Dataset, Split
from trainer.held_out import require_test


def dataset(*test: str | None) -> Dataset:
    """Two intents, and a test of texts with these."""
    nothing = Split(texts=[], intents=[])
    return Dataset(
        labels=("lamp", "song"),
        train=nothing,
        validation=nothing,
        test=Split(texts=[f"text {number}" for number in range(len(test))], intents=[*test]),
        digest="",
    )


@pytest.mark.parametrize("test", [(), (None, None)])
def test_without_a_test_that_has_intents_nothing_is_measured(test: tuple[None, ...]) -> None:
    with pytest.raises(SettingsError, match="holds out no test with intents"):
        require_test(dataset(*test))


def test_one_utterance_with_an_intent_is_a_test() -> None:
    require_test(dataset(None, "lamp"))
    require_test(dataset(None, "lamp"), intents=["lamp"])


def test_an_intent_that_is_asked_for_needs_a_test_utterance_of_its_own() -> None:
    with pytest.raises(SettingsError, match="intent 'song' has no test utterance"):
        require_test(dataset("lamp"), intents=["lamp", "song"])
