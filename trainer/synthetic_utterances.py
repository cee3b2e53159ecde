"""A large file of made-up utterances with known dirt, for measuring how fast checks are."""

from __future__ import annotations

import csv
import io
import random

__all__ = ["write_synthetic_utterances"]

_INTENTS = 150
_WORDS_OF_AN_INTENT = 24
_FIRST = [*"bdfgklmnprstvw", "ch", "sh", "st", "tr", "pl"]
_VOWELS = [*"aeiou", "ai", "ee"]
_ACCENTED = [*"àéíõü", "aî", "eé"]
_LAST = [*"nrstlm", "ck", "nd"]
_CARRIERS = (
    "please {}",
    "can you {}",
    "i want to {}",
    "could you {} for me",
    "{} right now",
    "how do i {}",
    "i need you to {} before tomorrow",
    "what about {}",
    "{}",
    "tell me {} and then stop",
)
_LINKS = ("the", "my", "a", "in", "on", "for", "with", "this", "next", "from")
_SPLITS = ("train",) * 16 + ("validation",) * 2 + ("test",) * 2
_OTHER_LANGUAGE = "bitte schalte das licht in der küche wieder ein nummer {}"


def write_synthetic_utterances(
    rows: int, *, seed: int, splits: bool = True, accents: bool = False
) -> bytes:
    """A CSV with ``text`` and ``intent``: the same bytes for the same arguments.

    Of 1000 rows about 20 repeat an earlier one, 10 repeat it with one letter changed, 10 with
    another order of words, 10 carry a wrong label, 1 is in German, 1 is mojibake, 1 holds an
    invisible character, 2 are very long, and 20 are out of scope.

    Args:
        rows: at least 1.
        seed: of everything that is drawn.
        splits: whether a column ``split`` follows; else whoever reads the file draws its splits.
        accents: whether the words of intents have accents, as in most languages but English.
    """
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    vowels = _ACCENTED if accents else _VOWELS
    words = [
        "".join(chance.choice(_FIRST) + chance.choice(vowels) for _ in range(chance.randint(1, 2)))
        + chance.choice(_LAST)
        for _ in range(_INTENTS * _WORDS_OF_AN_INTENT)
    ]
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    columns = 3 if splits else 2
    writer.writerow(("text", "intent", "split")[:columns])
    past: list[tuple[str, str]] = []
    for _ in range(rows):
        draw = chance.random()
        if past and draw < 0.04:
            text, intent = chance.choice(past)
            if draw < 0.01:
                at = chance.randrange(len(text))
                text = text[:at] + chance.choice("aeiou") + text[at + 1 :]
            elif draw < 0.02:
                shuffled = text.split()
                chance.shuffle(shuffled)
                text = " ".join(shuffled)
        else:
            number = chance.randrange(_INTENTS)
            text, intent = _text(chance, words, number), f"intent_{number:03}"
            if draw < 0.06:
                text = " ".join(chance.choices(words, k=chance.randint(3, 9)))
                intent = "oos"
            elif draw < 0.07:
                intent = f"intent_{chance.randrange(_INTENTS):03}"
            elif draw < 0.075:
                text = _dirty(chance, text, draw)
            if len(past) < 10_000:
                past.append((text, intent))
        writer.writerow((text, intent, chance.choice(_SPLITS))[:columns])
    return file.getvalue().encode()


def _text(chance: random.Random, words: list[str], intent: int) -> str:
    own = words[intent * _WORDS_OF_AN_INTENT : (intent + 1) * _WORDS_OF_AN_INTENT]
    chosen = []
    for _ in range(chance.randint(2, 4)):
        chosen += [chance.choice(_LINKS), chance.choice(own)]
        if chance.random() < 0.3:
            chosen.append(chance.choice(words))
    return chance.choice(_CARRIERS).format(" ".join(chosen))


def _dirty(chance: random.Random, text: str, draw: float) -> str:
    if draw < 0.071:
        return _OTHER_LANGUAGE.format(chance.randrange(1000))
    if draw < 0.072:
        return f"{text} au cafÃ© dÃ©jÃ\xa0 vu"
    if draw < 0.073:
        return text.replace(" ", "\u200b ", 1)
    return " ".join([text] * 8)
