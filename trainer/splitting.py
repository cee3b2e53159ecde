"""Divides utterances into training, validation and test, by a seed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from trainer.config import DataSettings
from trainer.errors import UtterancesInvalidError
from trainer.utterances import SplitName, Utterance

__all__ = ["Splits", "check_held_out", "split_utterances"]

# An intent with fewer texts is for training alone: a part of so few says nothing.
_FEWEST_TO_SHARE = 4
# A group that is larger than a third of its intent stays in training.
_MOST_TO_GIVE = 3


class Splits(msgspec.Struct, frozen=True):
    """Every utterance in one of three places, each in the order of the source."""

    train: tuple[Utterance, ...]
    validation: tuple[Utterance, ...]
    test: tuple[Utterance, ...]


def split_utterances(utterances: Sequence[Utterance], settings: DataSettings) -> Splits:
    """Keep the splits that the source gives and carve those it lacks out of training.

    Each intent, and the out-of-scope texts, give the same share. Texts of one group, and
    texts that are equal in lower case, stay together; every intent keeps a training text.
    The result depends on the texts and the seed, not on the order of the utterances.
    """
    given = {utterance.split for utterance in utterances}
    train = [utterance for utterance in utterances if utterance.split in (None, "train")]
    held: dict[SplitName, list[Utterance]] = {}
    shares: tuple[tuple[SplitName, float], ...] = (
        ("test", settings.test_share),
        ("validation", settings.validation_share),
    )
    for split, share in shares:
        if split in given:
            held[split] = [utterance for utterance in utterances if utterance.split == split]
        else:
            train, held[split] = _carve(train, share, seed=f"{settings.seed}/{split}")
    return Splits(
        train=tuple(train), validation=tuple(held["validation"]), test=tuple(held["test"])
    )


def check_held_out(splits: Splits) -> None:
    """Refuse splits that leave nothing to choose a model by, or nothing to judge it by.

    Raises:
        UtterancesInvalidError: validation or test has no utterance with an intent.
    """
    for name, part in (("validation", splits.validation), ("test", splits.test)):
        if all(one.intent is None for one in part):
            raise UtterancesInvalidError(
                f"no utterance with an intent is left for the {name}: give more distinct texts "
                f"of each intent, or mark some with the split {name}",
                split=name,
            )


def _carve(
    utterances: Sequence[Utterance], share: float, *, seed: str
) -> tuple[list[Utterance], list[Utterance]]:
    by_intent: dict[str | None, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, utterance in enumerate(utterances):
        by_intent[utterance.intent][_group(utterance)].append(number)
    chosen: set[int] = set()
    for intent, groups in by_intent.items():
        chosen.update(_choose(groups, share, seed=f"{seed}/{intent}"))
    kept = [one for number, one in enumerate(utterances) if number not in chosen]
    carved = [one for number, one in enumerate(utterances) if number in chosen]
    return kept, carved


def _choose(groups: dict[str, list[int]], share: float, *, seed: str) -> list[int]:
    """Choose whole groups that come to the share, as near as they can without going over."""
    total = sum(len(members) for members in groups.values())
    if total < _FEWEST_TO_SHARE or len(groups) == 1:
        return []
    wanted = max(1, round(total * share))
    # Ordered by a hash of their name, so that a new text moves few of the others.
    ordered = sorted(groups, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    chosen: list[int] = []
    for name in ordered:
        if len(chosen) + len(groups[name]) <= wanted:
            chosen += groups[name]
    if chosen:
        return chosen
    smallest = min(ordered, key=lambda name: len(groups[name]))
    # Better nothing held out than most of what the intent has to learn from.
    return list(groups[smallest]) if len(groups[smallest]) <= total / _MOST_TO_GIVE else []


def _group(utterance: Utterance) -> str:
    if utterance.group is not None:
        return f"group/{utterance.group}"
    return f"text/{utterance.text.casefold()}"
