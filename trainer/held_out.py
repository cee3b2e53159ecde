"""What can be judged where a dataset holds little or nothing out."""

from __future__ import annotations

from collections.abc import Iterable

from edge_runtime.errors import SettingsError
from trainer.dataset import Dataset

__all__ = ["require_test"]


def require_test(dataset: Dataset, *, intents: Iterable[str] | None = None) -> None:
    """Refuse a measurement on a test that cannot give one, before any training.

    Args:
        dataset: what is measured on.
        intents: each of these must have a test utterance; ``None``: one intent is enough.

    Raises:
        SettingsError: the test has no utterance with an intent, or none of one of ``intents``.
    """
    held_out = {intent for intent in dataset.test.intents if intent is not None}
    if not held_out:
        raise SettingsError(
            "the dataset holds out no test with intents, so nothing can be measured; mark "
            "utterances as test, give more of them, or a test with --test where the task has it"
        )
    missing = sorted(set(intents or ()) - held_out)
    if missing:
        raise SettingsError(
            f"intent {missing[0]!r} has no test utterance, so nothing can be measured of it; mark "
            "some as test, or give more of them",
            intent=missing[0],
        )
