"""The JSON form of CLINC150 (Larson et al. 2019): split name -> list of [text, intent].

The splits are ``train``, ``val`` and ``test``, and ``oos_train``, ``oos_val`` and
``oos_test`` for texts that ask for none of the intents.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from trainer.config import DataSettings
from trainer.errors import SourceFormatError
from trainer.utterances.refusal import Refuse, raise_refusal
from trainer.utterances.source_file import SourceFile, decode
from trainer.utterances.utterance import SplitName, Utterance, intent_or_none

__all__ = ["CLINC_LISTS", "read_clinc"]

_SPLITS: dict[str, SplitName] = {"train": "train", "val": "validation", "test": "test"}
_OUT_OF_SCOPE_PREFIX = "oos_"
_PAIR = 2
CLINC_LISTS = frozenset(prefix + name for prefix in ("", _OUT_OF_SCOPE_PREFIX) for name in _SPLITS)
"""Names that such a file may hold."""


def read_clinc(
    file: SourceFile, *, settings: DataSettings, refuse: Refuse = raise_refusal
) -> Iterator[Utterance]:
    """Read the utterances of a file in the form of CLINC150.

    Args:
        file: the file's name and bytes.
        settings: names the labels that are out of scope.
        refuse: told of each entry that cannot be read.

    Raises:
        SourceFormatError: encoding, syntax or a split's name is wrong.
    """
    document = _read_document(file)
    # The file may list its splits in any order; ours does not change with it.
    for prefix in ("", _OUT_OF_SCOPE_PREFIX):
        for name, split in _SPLITS.items():
            entries = document.get(prefix + name, [])
            source = f"{file.name}, {prefix}{name}"
            if not isinstance(entries, list):
                raise SourceFormatError(
                    f"{source}: expected a list of [text, intent]", source=file.name
                )
            for number, entry in enumerate(entries, start=1):
                if not _is_pair(entry):
                    refuse(
                        SourceFormatError(
                            f"{source}, entry {number}: expected [text, intent], two strings",
                            source=file.name,
                            entry=number,
                        )
                    )
                    continue
                text, label = entry
                intent = None if prefix else intent_or_none(label, settings.out_of_scope_labels)
                yield Utterance(
                    text=text,
                    intent=intent,
                    split=split,
                    group=None,
                    line=number,
                    source=source,
                    unit="entry",
                    label=None if label == intent else label,
                )


def _read_document(file: SourceFile) -> dict[str, Any]:
    try:
        document = json.loads(decode(file))
    except json.JSONDecodeError as error:
        raise SourceFormatError(
            f"{file.name}, line {error.lineno}: malformed JSON ({error.msg} at column "
            f"{error.colno}); mend that line",
            source=file.name,
            line=error.lineno,
        ) from error
    except (ValueError, RecursionError) as error:
        raise SourceFormatError(
            f"{file.name}: a number or a nesting that is too large for a list of utterances",
            source=file.name,
        ) from error
    if not isinstance(document, dict) or not document or not document.keys() <= CLINC_LISTS:
        raise SourceFormatError(
            f"{file.name} is not in the form of CLINC150: expected one object with the lists "
            f"{', '.join(sorted(CLINC_LISTS))}, each of [text, intent]; for one JSON object a "
            "line, name the file .jsonl",
            source=file.name,
        )
    return document


def _is_pair(entry: object) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) == _PAIR
        and all(isinstance(value, str) for value in entry)
    )
