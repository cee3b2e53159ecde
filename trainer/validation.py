"""Checks utterances before anything is trained on them, and counts what is odd but allowed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from edge_runtime.text import normalize
from trainer.config import DataSettings
from trainer.data_changes import Change, compare, tell_of_drop
from trainer.errors import UtterancesInvalidError
from trainer.utterances import SplitName, Utterance

__all__ = [
    "CheckedUtterances",
    "Findings",
    "ValidationReport",
    "check_utterances",
    "clean_utterance",
]

_SHOWN = 5
_SHOWN_CHARACTERS = 60
_SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")


class Findings(msgspec.Struct, frozen=True):
    """Something that was found in some texts."""

    count: int
    """Number of texts."""
    examples: tuple[str, ...]
    """The first few of them, with what is odd about them."""


class ValidationReport(msgspec.Struct, frozen=True):
    """What was read, and what is odd about it without being an error."""

    read: int
    """Utterances in the source."""
    kept: int
    """Utterances without the duplicates."""
    duplicates_dropped: Findings
    """The same text with the same intent in the same split; all but the first are dropped."""
    in_train_and_validation: Findings
    """Texts that stand in both splits of the source; they are kept."""
    in_train_and_test: Findings
    """Texts that stand in both splits of the source; they are kept."""
    contradictions_across_splits: Findings
    """Texts with one intent in one split and another intent in another; they are kept."""
    out_of_scope: dict[str, int]
    """Texts that ask for none of the intents, by split."""
    fewest_examples: int
    """Training texts of the intent that has the fewest."""
    most_examples: int
    """Training texts of the intent that has the most."""
    longest_text: int
    """Characters of the longest text after normalisation."""


class CheckedUtterances(msgspec.Struct, frozen=True):
    """Utterances that can be learnt from: normalised, without duplicates."""

    utterances: tuple[Utterance, ...]
    report: ValidationReport
    changes: tuple[Change, ...]
    """Every row that is not as it was read, and every one that was dropped."""


def check_utterances(utterances: Iterable[Utterance], settings: DataSettings) -> CheckedUtterances:
    """Normalise texts and labels, drop duplicates and refuse what cannot be learnt from.

    Two texts are the same when they are equal after normalisation in lower case; a duplicate
    is equal to the letter. An utterance without a split counts as one for training.

    Raises:
        UtterancesInvalidError: a text or a label is empty or too long or holds control
            characters, there are fewer than two intents, an intent has too few texts, a
            text has two intents within a split, or training lacks an intent.
    """
    read = list(utterances)
    cleaned = [clean_utterance(utterance, settings) for utterance in read]
    kept, dropped, changes = _drop_duplicates(read, cleaned)
    counts = Counter(
        utterance.intent
        for utterance in kept
        if utterance.intent is not None and _split(utterance) == "train"
    )
    _refuse_too_few(counts, settings)
    _refuse_contradictions(kept)
    _refuse_unknown_intents(kept, counts)
    report = ValidationReport(
        read=len(cleaned),
        kept=len(kept),
        duplicates_dropped=_findings(f"{_quote(one.text)} ({one.place})" for one in dropped),
        in_train_and_validation=_in_both(kept, "train", "validation"),
        in_train_and_test=_in_both(kept, "train", "test"),
        contradictions_across_splits=_contradictions_across_splits(kept),
        out_of_scope=_count_out_of_scope(kept),
        fewest_examples=min(counts.values()),
        most_examples=max(counts.values()),
        longest_text=max(len(utterance.text) for utterance in kept),
    )
    return CheckedUtterances(utterances=tuple(kept), report=report, changes=tuple(changes))


def clean_utterance(utterance: Utterance, settings: DataSettings) -> Utterance:
    """Normalise one utterance's text and label.

    Raises:
        UtterancesInvalidError: the text or the label cannot be used; ``data["rule"]`` names the
            rule, as ``data.check`` reports it.
    """
    place = utterance.place
    if "\0" in utterance.text:
        raise UtterancesInvalidError(
            f"{place}: there is a NUL character in the text; remove it",
            place=place,
            rule="text_nul",
        )
    text = normalize(utterance.text)
    if not text:
        raise UtterancesInvalidError(
            f"{place}: the text is empty; write one or remove the {utterance.unit}",
            place=place,
            rule="text_empty",
        )
    if len(text) > settings.max_characters:
        raise UtterancesInvalidError(
            f"{place}: the text has {len(text)} characters, at most {settings.max_characters} are "
            "allowed; shorten it or raise data.max_characters",
            place=place,
            rule="text_too_long",
            characters=len(text),
        )
    intent = None if utterance.intent is None else _clean_label(utterance.intent, place, settings)
    return msgspec.structs.replace(utterance, text=text, intent=intent)


def _clean_label(label: str, place: str, settings: DataSettings) -> str:
    if not label:
        raise UtterancesInvalidError(
            f"{place}: the intent is empty; write one, or "
            f"{next(iter(settings.out_of_scope_labels), 'a label')!r} for none of the intents",
            place=place,
            rule="label_empty",
        )
    if len(label) > settings.max_label_characters:
        raise UtterancesInvalidError(
            f"{place}: the label {_quote(label)} has {len(label)} characters, at most "
            f"{settings.max_label_characters} are allowed; shorten it (or is this the text?)",
            place=place,
            rule="label_too_long",
            characters=len(label),
        )
    if not label.isprintable():
        character = next(one for one in label if not one.isprintable())
        raise UtterancesInvalidError(
            f"{place}: the label {_quote(label)} holds the control or invisible character "
            f"U+{ord(character):04X}; remove it",
            place=place,
            rule="label_characters",
        )
    return normalize(label)


def _drop_duplicates(
    read: Iterable[Utterance], cleaned: Iterable[Utterance]
) -> tuple[list[Utterance], list[Utterance], list[Change]]:
    first: dict[tuple[str, str | None, SplitName], Utterance] = {}
    kept: list[Utterance] = []
    dropped: list[Utterance] = []
    changes: list[Change] = []
    for raw, utterance in zip(read, cleaned, strict=True):
        key = (utterance.text, utterance.intent, _split(utterance))
        same = first.setdefault(key, utterance)
        if same is utterance:
            kept.append(utterance)
            changes += compare(raw, utterance)
        else:
            dropped.append(utterance)
            changes.append(tell_of_drop(raw, rule="duplicate", detail=f"as in {same.place}"))
    return kept, dropped, changes


def _refuse_too_few(counts: Counter[str], settings: DataSettings) -> None:
    if len(counts) < 2:
        found = f"only the intent {_quote(next(iter(counts)))}" if counts else "no intent"
        raise UtterancesInvalidError(
            f"there is {found} to train on; a classifier needs at least two intents",
            intents=sorted(counts),
        )
    fewest = settings.min_examples_per_intent
    scarce = sorted(intent for intent, count in counts.items() if count < fewest)
    if scarce:
        listed = _list([f"{_quote(intent)} has {counts[intent]}" for intent in scarce])
        raise UtterancesInvalidError(
            f"every intent needs at least {fewest} different training texts: {listed}; "
            "add texts or remove the intent",
            intents=scarce,
        )


def _refuse_contradictions(utterances: Iterable[Utterance]) -> None:
    for split in _SPLITS:
        by_text = _by_text(one for one in utterances if _split(one) == split)
        doubtful = [same for same in by_text.values() if len({one.intent for one in same}) > 1]
        if doubtful:
            listed = _list([_describe_contradiction(same) for same in doubtful])
            texts = "one text stands" if len(doubtful) == 1 else f"{len(doubtful)} texts stand"
            raise UtterancesInvalidError(
                f"{texts} under two intents in {split}: {listed}; give each text one intent",
                split=split,
                texts=[same[0].text for same in doubtful],
            )


def _refuse_unknown_intents(utterances: Iterable[Utterance], counts: Counter[str]) -> None:
    unknown: dict[str, Utterance] = {}
    for utterance in utterances:
        if utterance.intent is not None and utterance.intent not in counts:
            unknown.setdefault(utterance.intent, utterance)
    if unknown:
        listed = _list([f"{_quote(intent)} ({one.place})" for intent, one in unknown.items()])
        raise UtterancesInvalidError(
            f"training lacks an intent that another split has: {listed}; "
            "add training texts or mend the label",
            intents=sorted(unknown),
        )


def _in_both(utterances: Sequence[Utterance], first: SplitName, second: SplitName) -> Findings:
    known = {_key(one) for one in utterances if _split(one) == first}
    both = (one for one in utterances if _split(one) == second and _key(one) in known)
    return _findings(f"{_quote(one.text)} ({one.place})" for one in both)


def _contradictions_across_splits(utterances: Iterable[Utterance]) -> Findings:
    by_text = _by_text(utterances).values()
    doubtful = (same for same in by_text if len({one.intent for one in same}) > 1)
    return _findings(_describe_contradiction(same) for same in doubtful)


def _count_out_of_scope(utterances: Iterable[Utterance]) -> dict[str, int]:
    counts = Counter(_split(one) for one in utterances if one.intent is None)
    return {split: counts[split] for split in _SPLITS}


def _by_text(utterances: Iterable[Utterance]) -> dict[str, list[Utterance]]:
    by_text: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        by_text[_key(utterance)].append(utterance)
    return by_text


def _describe_contradiction(same: Sequence[Utterance]) -> str:
    first: dict[str, str] = {}
    for one in same:
        first.setdefault(one.intent or "out of scope", one.place)
    claims = " and ".join(f"{intent} in {place}" for intent, place in first.items())
    return f"{_quote(same[0].text)} is {claims}"


def _key(utterance: Utterance) -> str:
    return utterance.text.casefold()


def _split(utterance: Utterance) -> SplitName:
    return utterance.split or "train"


def _findings(texts: Iterable[str]) -> Findings:
    everything = list(texts)
    return Findings(count=len(everything), examples=tuple(everything[:_SHOWN]))


def _list(items: Sequence[str]) -> str:
    more = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _quote(text: str) -> str:
    """Quote a text for a message: short, on one line, with control characters made visible."""
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    return repr(shown)
