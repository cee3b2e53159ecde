"""The bytes of one file of a source, and their decoding."""

from __future__ import annotations

import msgspec

from trainer.errors import SourceFormatError
from trainer.utterances.utterance import SplitName

__all__ = ["SourceFile", "decode"]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class SourceFile(msgspec.Struct, frozen=True):
    """One file of a source, as it was read."""

    name: str
    """Relative POSIX path below the location; the plain name of a single file."""
    content: bytes
    """All bytes of the file."""
    split: SplitName | None = None
    """The split that the file's name stands for, if it does."""


def decode(file: SourceFile) -> str:
    """Decode a file as UTF-8, with or without a byte order mark.

    Raises:
        SourceFormatError: the file is empty, not UTF-8, or holds NUL characters.
    """
    start = len(_BYTE_ORDER_MARK) if file.content.startswith(_BYTE_ORDER_MARK) else 0
    try:
        text = file.content[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        offset = start + error.start
        line = _line_of(file.content, offset)
        raise SourceFormatError(
            f"{file.name} is not UTF-8: byte 0x{file.content[offset]:02x} at offset {offset}, "
            f"line {line}; save the file as UTF-8",
            source=file.name,
            offset=offset,
            line=line,
        ) from error
    nul = file.content.find(b"\0")
    if nul >= 0:
        line = _line_of(file.content, nul)
        raise SourceFormatError(
            f"{file.name}, line {line}: there is a NUL character; remove it or save the file anew",
            source=file.name,
            line=line,
        )
    if not text.strip():
        raise SourceFormatError(
            f"{file.name} is empty; give a file with a text and an intent in every row",
            source=file.name,
        )
    return text


def _line_of(content: bytes, offset: int) -> int:
    return content.count(b"\n", 0, offset) + 1
