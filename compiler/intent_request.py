"""What is asked for when an intent is added: its name, its examples, a version and a folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from compiler.errors import IntentAdditionError
from edge_runtime.manifest import SEMANTIC_VERSION
from edge_runtime.storage import refuse_uri
from edge_runtime.text import normalize as normalize_text
from trainer.config import DataSettings

__all__ = ["beside", "check_label", "next_version", "read_examples"]

_FOLDER_CHARACTERS = re.compile(r"[\w-][\w.-]*")
_LONGEST_FOLDER_BYTES = 150


def read_examples(path: Path) -> list[str]:
    """Read examples, one a line; empty lines are passed over, repeated ones dropped.

    Raises:
        IntentAdditionError: the file cannot be read, or holds no text.
        StorageError: it is a URI.
    """
    refuse_uri(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise IntentAdditionError(
            f"cannot read examples from {path}: {error}; give a UTF-8 file with one example a line",
            file=path,
        ) from error
    found = list(dict.fromkeys(text for line in lines if (text := normalize_text(line))))
    if not found:
        raise IntentAdditionError(
            f"{path} holds no example; write one a line, five or more are better", file=path
        )
    return found


def beside(bundle_folder: Path, intent: str) -> Path:
    """Name the folder of a bundle with one more intent after the bundle's and the intent.

    Raises:
        IntentAdditionError: no folder can be named after the intent.
    """
    if not _FOLDER_CHARACTERS.fullmatch(intent) or len(os.fsencode(intent)) > _LONGEST_FOLDER_BYTES:
        raise IntentAdditionError(
            f"no folder can be named after the intent {_quote(intent)}; name another with "
            "--folder, or the intent in letters, digits, dots, hyphens and underscores",
            intent=intent,
        )
    return bundle_folder.with_name(f"{bundle_folder.absolute().name}-with-{intent}")


def check_label(intent: str, settings: DataSettings) -> None:
    """Refuse a label that training would refuse too.

    Raises:
        IntentAdditionError: it is empty, too long, cannot be seen, or means out of scope.
    """
    reason = ""
    if not intent or intent != normalize_text(intent) or not intent.isprintable():
        reason = "it is empty, or has spaces around it or characters that cannot be seen"
    elif len(intent) > settings.max_label_characters:
        reason = f"it has {len(intent)} characters, at most {settings.max_label_characters} may be"
    elif intent.lower() in {label.lower() for label in settings.out_of_scope_labels}:
        reason = "it stands for texts that no intent serves, which the threshold finds"
    if reason:
        raise IntentAdditionError(
            f"{_quote(intent)} is no name for an intent: {reason}; choose another", intent=intent
        )


def next_version(old: str, wanted: str | None) -> str:
    """The version of a bundle that is made from another.

    Args:
        old: the other's.
        wanted: what was asked for; ``None`` gives the next minor version.

    Raises:
        IntentAdditionError: it is no semantic version, or not above the old one.
    """
    if wanted is None:
        major, minor, _ = old.partition("-")[0].split(".")
        return f"{major}.{int(minor) + 1}.0"
    if not re.fullmatch(SEMANTIC_VERSION, wanted):
        raise IntentAdditionError(
            f"{_quote(wanted)} is no semantic version; write three numbers, such as 1.4.0",
            version=wanted,
        )
    if _precedence(wanted) <= _precedence(old):
        raise IntentAdditionError(
            f"version {wanted} is not above {old}, the version of the bundle to start from; "
            "choose a higher one",
            version=wanted,
        )
    return wanted


def _precedence(version: str) -> tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]:
    """What versions are ordered by. Source: Semantic Versioning 2.0.0, 11."""
    numbers, _, release = version.partition("-")
    parts = tuple(
        (False, int(one), "") if one.isdigit() else (True, 0, one)
        for one in release.split(".")
        if release
    )
    return tuple(int(one) for one in numbers.split(".")), not release, parts


def _quote(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
