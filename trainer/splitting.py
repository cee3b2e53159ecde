"""Divides utterances into training, validation and test, by a seed."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from trainer.config import DataSettings
from trainer.errors import UtterancesInvalidError
from trainer.utterances import SplitName, Utterance

__all__ = [
    "FEWEST_TO_VALIDATE",
    "Splits",
    "check_held_out",
    "split_utterances",
]

# An intent with fewer texts is for training alone: a part of so few says nothing.
_FEWEST_TO_SHARE = 4
# An intent with fewer texts for training gives none of them to validation: each is worth more for
# learning than for choosing the best of a few passes and fitting a threshold.
FEWEST_TO_VALIDATE = 20
# A group that is larger than a third of its intent stays in training.
_MOST_TO_GIVE = 3


class Splits(msgspec.Struct, frozen=True):
    """Every utterance in one of three places, each in the order of the source."""

    train: tuple[Utterance, ...]
    validation: tuple[Utterance, ...]
    test: tuple[Utterance, ...]


def split_utterances(utterances: Sequence[Utterance], settings: DataSettings) -> Splits:
    """Keep the splits that the source gives and carve those it lacks out of training.

    Each intent, and the out-of-scope texts, give the same share; an intent with fewer than
    ``FEWEST_TO_VALIDATE`` texts beside its test gives none to validation. A share of 0 holds
    nothing out, and where no intent gives a text, out-of-scope texts stay in training too. Texts
    of one group, and texts that are equal in lower case, stay together; every intent keeps a
    training text. The result depends on the texts and the seed, not on the order of the
    utterances.
    """
    given = {utterance.split for utterance in utterances}
    train = [utterance for utterance in utterances if utterance.split in (None, "train")]
    held: dict[SplitName, list[Utterance]] = {}
    shares: tuple[tuple[SplitName, float, float, int], ...] = (
        ("test", settings.test_share, math.inf, _FEWEST_TO_SHARE),
        ("validation", settings.validation_share, settings.validation_limit, FEWEST_TO_VALIDATE),
    )
    for split, share, most, fewest in shares:
        if split in given:
            held[split] = [utterance for utterance in utterances if utterance.split == split]
        else:
            wanted = min(share, most / max(1, len(train)))
            train, held[split] = _carve(
                train, wanted, fewest=fewest, seed=f"{settings.seed}/{split}"
            )
    return Splits(
        train=tuple(train), validation=tuple(held["validation"]), test=tuple(held["test"])
    )


def check_held_out(splits: Splits) -> None:
    """Refuse a validation or a test that the source gives, and that judges no intent.

    Raises:
        UtterancesInvalidError: it holds out-of-scope texts alone.
    """
    for name, part in (("validation", splits.validation), ("test", splits.test)):
        if part and all(one.intent is None for one in part):
            raise UtterancesInvalidError(
                f"no utterance of the {name} has an intent, all are out of scope: mark some of "
                f"each intent with the split {name}, or these texts with train",
                split=name,
            )


def _carve(
    utterances: Sequence[Utterance], share: float, *, fewest: int, seed: str
) -> tuple[list[Utterance], list[Utterance]]:
    by_intent: dict[str | None, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, utterance in enumerate(utterances):
        by_intent[utterance.intent][_group(utterance)].append(number)
    # Texts out of scope are never learnt from, so few of them are no reason to keep them.
    outside = by_intent.pop(None, {})
    chosen: set[int] = set()
    if share:
        for intent, groups in by_intent.items():
            if sum(map(len, groups.values())) >= fewest:
                chosen.update(_choose(groups, share, seed=f"{seed}/{intent}"))
        if chosen:
            chosen.update(_choose(outside, share, seed=f"{seed}/{None}"))
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
