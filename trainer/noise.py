"""Spoiled texts: what a keyboard and a speech recogniser make of an utterance.

For measuring how much of a model's accuracy is left, never for training. Each text has a random
generator of its own, made from the seed and the text: the same text is spoiled in the same way
wherever it stands.
"""

from __future__ import annotations

import functools
import random
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import msgspec

__all__ = ["NOISES", "Noise", "hear", "mistype", "spoil"]

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
# Each row of a keyboard stands half a key to the right of the one above it.
_STAGGER = 0.5
_REACH = 1.2

_HOMOPHONES = (
    "ate eight",
    "be bee",
    "blew blue",
    "board bored",
    "brake break",
    "buy by bye",
    "cell sell",
    "cent sent scent",
    "check cheque",
    "coarse course",
    "dear deer",
    "die dye",
    "fair fare",
    "find fined",
    "flour flower",
    "for four",
    "hear here",
    "heard herd",
    "hole whole",
    "hour our",
    "its it's",
    "knew new",
    "know no",
    "mail male",
    "made maid",
    "meat meet",
    "one won",
    "pair pear",
    "peace piece",
    "plain plane",
    "principal principle",
    "rain reign",
    "read red",
    "right write",
    "road rode",
    "role roll",
    "sail sale",
    "sea see",
    "some sum",
    "son sun",
    "stair stare",
    "steal steel",
    "tail tale",
    "their there they're",
    "threw through",
    "to too two",
    "wait weight",
    "way weigh",
    "weak week",
    "wear where",
    "weather whether",
    "wood would",
    "your you're",
)
_SOUNDS_LIKE = {
    word: tuple(other for other in group.split() if other != word)
    for group in _HOMOPHONES
    for word in group.split()
}
# Short words that carry little of a meaning, and that speakers swallow.
_SMALL_WORDS = frozenset(
    (
        *("a", "an", "and", "are", "at", "be", "can", "do", "does", "for", "from", "i", "in", "is"),
        *("it", "me", "my", "of", "on", "or", "please", "some", "that", "the", "this", "to", "was"),
        *("will", "with", "you"),
    )
)
_SPLIT_FROM = 6
_SPOKEN_DIGITS = 9


class Noise(msgspec.Struct, frozen=True):
    """One way to spoil texts."""

    name: str
    """Its name in the report's JSON."""
    title: str
    """Its name for people."""
    source: str
    """``keyboard`` or ``recogniser``."""
    share: float
    """Share of characters (keyboard) or of words (recogniser) that are spoiled, 0 to 1."""


NOISES: tuple[Noise, ...] = (
    Noise("typos-5", "typos, 5 % of characters", "keyboard", 0.05),
    Noise("typos-10", "typos, 10 % of characters", "keyboard", 0.10),
    Noise("recogniser", "speech recogniser, 15 % of words", "recogniser", 0.15),
)
"""What the report measures."""


def spoil(texts: Sequence[str], noise: Noise, *, seed: int) -> list[str]:
    """Spoil each text on its own.

    Args:
        texts: normalised utterances.
        noise: one of ``NOISES``, or another share.
        seed: equal seeds spoil a text in the same way.

    Returns:
        As many texts; none of them is empty.
    """
    change = mistype if noise.source == "keyboard" else hear
    return [
        change(text, share=noise.share, chance=_chance(text, noise, seed)) or text for text in texts
    ]


def mistype(text: str, *, share: float, chance: random.Random) -> str:
    """Type a text with mistakes.

    A mistake is, equally often, a neighbouring key, two letters swapped, a letter left out, or one
    too many. Scripts that the QWERTY keyboard lacks have no neighbours: such a letter is doubled
    instead.

    Args:
        text: what was meant.
        share: chance of a mistake at each letter or digit, 0 to 1.
        chance: where the mistakes come from.
    """
    typed: list[str] = []
    place = 0
    while place < len(text):
        letter = text[place]
        place += 1
        if not letter.isalnum() or chance.random() >= share:
            typed.append(letter)
            continue
        kind = chance.choice(("neighbour", "swap", "deletion", "insertion"))
        following = text[place : place + 1]
        if kind == "swap" and following.isalnum():
            typed += [following, letter]
            place += 1
        elif kind == "deletion":
            continue
        elif kind == "insertion":
            typed += [letter, _neighbour(letter, chance)]
        else:
            near = _neighbour(letter, chance)
            typed += [letter, letter] if near == letter else [near]
    return " ".join("".join(typed).split())


def hear(text: str, *, share: float, chance: random.Random) -> str:
    """Write a text down as a speech recogniser might.

    Always: no capitals, no punctuation, numbers in words. By chance a word is taken for another
    that sounds the same, a small word is lost, two words are merged, or a long one is split. The
    words and the numbers are English.

    Args:
        text: what was said.
        share: chance of a mistake at each word, 0 to 1.
        chance: where the mistakes come from.
    """
    words = _spoken(text).split()
    heard: list[str] = []
    for place, word in enumerate(words):
        if chance.random() >= share:
            heard.append(word)
        elif word in _SOUNDS_LIKE:
            heard.append(chance.choice(_SOUNDS_LIKE[word]))
        elif word in _SMALL_WORDS:
            continue
        elif len(word) >= _SPLIT_FROM and chance.random() < 0.5:
            middle = chance.randrange(2, len(word) - 1)
            heard += [word[:middle], word[middle:]]
        elif heard and place:
            heard[-1] += word
        else:
            heard.append(word)
    return " ".join(heard)


def _chance(text: str, noise: Noise, seed: int) -> random.Random:
    return random.Random(f"{seed} {noise.name} {text}")  # noqa: S311 - a test text, no secret


def _neighbours() -> dict[str, str]:
    places = {
        key: (number * _STAGGER + column, number)
        for number, row in enumerate(_ROWS)
        for column, key in enumerate(row)
    }
    return {
        key: "".join(
            other
            for other, (column, row) in places.items()
            if other != key and abs(column - x) <= _REACH and abs(row - y) <= 1
        )
        for key, (x, y) in places.items()
    } | {digit: "0123456789"[max(0, int(digit) - 1) : int(digit) + 2] for digit in "0123456789"}


_NEAR = _neighbours()


def _neighbour(letter: str, chance: random.Random) -> str:
    near = _NEAR.get(letter.lower())
    if near is None:
        return letter
    chosen = chance.choice(near.replace(letter.lower(), ""))
    return chosen.upper() if letter.isupper() else chosen


def _spoken(text: str) -> str:
    """Lower case, numbers in words, no punctuation but the apostrophe inside of a word."""
    without_separators = re.sub(r"(?<=\d),(?=\d{3})", "", text.lower())
    in_words = re.sub(r"[0-9]+", _number_in_words, without_separators)
    kept = "".join(
        character if unicodedata.category(character)[0] in "LMN" or character == "'" else " "
        for character in in_words.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    )
    return " ".join(word.strip("'") for word in kept.split())


def _number_in_words(found: re.Match[str]) -> str:
    digits = found.group()
    # A longer number is a card's or an account's: people read out its digits.
    parts = [digits] if len(digits) <= _SPOKEN_DIGITS else list(digits)
    return f" {' '.join(_engine().format_number(int(part)).text for part in parts)} "


@functools.cache
def _engine() -> Any:
    from unicode_rbnf import RbnfEngine

    return RbnfEngine.for_language("en")
