"""JSON lines in, JSON lines out: one question a line, one answer a line, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec

from edge_runtime.errors import EdgeError, UtteranceError
from edge_runtime.holder import ModelHolder
from edge_runtime.storage import JSON_ERRORS

__all__ = ["MAX_LINE_BYTES", "answer_lines", "read_lines"]

MAX_LINE_BYTES = 64 * 1024
"""Longest line that is read; a longer one gets an error."""


class _Question(msgspec.Struct, forbid_unknown_fields=True):
    text: str


_DECODER = msgspec.json.Decoder(_Question | str)


def read_lines(source: BinaryIO) -> Iterator[bytes]:
    """Give the lines of a stream; of one that is too long, only its first bytes.

    What is given for such a line is longer than ``MAX_LINE_BYTES``, so that it is refused,
    and its rest is skipped without being held in memory.
    """
    while line := source.readline(MAX_LINE_BYTES + 1):
        rest = line
        while rest and not rest.endswith(b"\n") and len(rest) > MAX_LINE_BYTES:
            rest = source.readline(MAX_LINE_BYTES + 1)
        yield line


def answer_lines(lines: Iterable[bytes], sink: BinaryIO, *, holder: ModelHolder) -> int:
    """Answer each line; return how many there were.

    Args:
        lines: each is ``{"text": "..."}`` or a bare JSON string.
        sink: gets an answer, or ``{"error": "...", "line": n}``, for every line.
        holder: the model.
    """
    number = 0
    for number, line in enumerate(lines, start=1):
        try:
            reply: object = holder.classify(_decode(line))
        except EdgeError as error:
            reply = {"error": error.message, "line": number}
        sink.write(msgspec.json.encode(reply) + b"\n")
        sink.flush()
    return number


def _decode(line: bytes) -> str:
    if len(line) > MAX_LINE_BYTES:
        raise UtteranceError(f"the line is longer than {MAX_LINE_BYTES} bytes; send a shorter one")
    try:
        question = _DECODER.decode(line)
    except JSON_ERRORS as error:
        raise UtteranceError(
            f'not a question: {error}; send {{"text": "..."}} or a JSON string on one line'
        ) from error
    return question if isinstance(question, str) else question.text
