"""Which column or key holds the text, the intent and the split; for CSV and JSONL alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from trainer.config import DataSettings
from trainer.errors import SourceFormatError
from trainer.utterances.source_file import SourceFile
from trainer.utterances.utterance import SPLIT_NAMES, SplitName, Utterance, intent_or_none

__all__ = ["Columns", "find_columns", "make_utterance", "unread"]

_TEXT_NAMES = ("text", "utterance", "sentence", "query")
_INTENT_NAMES = ("intent", "label", "category", "class")


class Columns(msgspec.Struct, frozen=True):
    """The names of the columns that are read, as they stand in the source."""

    text: str
    intent: str
    split: str | None


def find_columns(names: Iterable[str], *, settings: DataSettings, source: str) -> Columns:
    """Choose among a header's names; upper and lower case are the same.

    Raises:
        SourceFormatError: there is no text or no intent column, or there are two of one name.
    """
    found = list(names)
    by_name: dict[str, str] = {}
    for name in found:
        by_name.setdefault(name.strip().casefold(), name)

    def choose(kind: str, setting: str | None, known: tuple[str, ...]) -> str:
        wanted = known if setting is None else (setting,)
        for name in wanted:
            if name.casefold() in by_name:
                return by_name[name.casefold()]
        looked_for = f"{', '.join(wanted[:-1])} or {wanted[-1]}" if len(wanted) > 1 else wanted[0]
        has = ", ".join(_shorten(name) for name in found[:10]) or "no columns"
        raise SourceFormatError(
            f"{source} has no {kind} column ({looked_for}); it has: {has}; "
            f"rename one or set data.{kind}_column",
            source=source,
            columns=found,
        )

    columns = Columns(
        text=choose("text", settings.text_column, _TEXT_NAMES),
        intent=choose("intent", settings.intent_column, _INTENT_NAMES),
        split=by_name.get(settings.split_column.casefold()),
    )
    folded = [name.strip().casefold() for name in found]
    for read in (columns.text, columns.intent, columns.split):
        if read is not None and folded.count(read.strip().casefold()) > 1:
            raise SourceFormatError(
                f"{source} has more than one column {_shorten(read)}; leave one of them",
                source=source,
                columns=found,
            )
    return columns


def unread(names: Iterable[str], columns: Columns) -> tuple[str, ...]:
    """Names of the columns that are not read, in their order, each once."""
    read = (columns.text, columns.intent, columns.split)
    return tuple(name for name in dict.fromkeys(names) if name not in read)


def make_utterance(
    *,
    text: object,
    intent: object,
    split: object,
    file: SourceFile,
    line: int,
    settings: DataSettings,
    unit: Literal["line", "row"] = "line",
) -> Utterance:
    """Make an utterance of the values of one row.

    Raises:
        SourceFormatError: a value is not a string, or names a split that does not exist.
    """
    where = f"{file.name}, {unit} {line}"
    for kind, value in (("text", text), ("intent", intent)):
        if not isinstance(value, str):
            raise SourceFormatError(
                f"{where}: the {kind} must be a string, not {_json_type(value)}; correct "
                f"the {unit}",
                source=file.name,
                line=line,
            )
    given = str(intent)
    label = intent_or_none(given, settings.out_of_scope_labels)
    placed = file.split or _read_split(split, where)
    return Utterance(
        text=str(text),
        intent=label,
        split=placed,
        group=None,
        line=line,
        source=file.name,
        unit=unit,
        label=None if label == given else given,
        split_name=None if split in (None, "", placed) else str(split),
    )


def _read_split(value: object, where: str) -> SplitName | None:
    if value is None or value == "":
        return None
    name = value.strip().casefold() if isinstance(value, str) else ""
    if name not in SPLIT_NAMES:
        raise SourceFormatError(
            f"{where}: unknown split {_shorten(repr(value))}; write train, validation or test"
        )
    return SPLIT_NAMES[name]


def _json_type(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "an object")


def _shorten(name: str) -> str:
    printable = "".join(character if character.isprintable() else "?" for character in name)
    return printable if len(printable) <= 40 else printable[:39] + "…"
