"""The one normalisation of texts, for training, for the compiler's gates and on the device."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Literal

import msgspec

from edge_runtime.errors import UtteranceError

__all__ = ["TextSettings", "normalize", "prepare"]

# Control characters that are no white space, and halves of surrogate pairs.
_DROPPED = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")


class TextSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a text becomes model input; stored in the manifest."""

    normalization: Literal["nfc-single-spaces"]
    """Name of the normalisation; see ``normalize``."""
    max_characters: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    """Longest text that is accepted, in characters after normalisation."""
    max_tokens: Annotated[int, msgspec.Meta(ge=4, le=8192)]
    """Tokens that the model sees, special tokens included; longer texts are cut."""


def normalize(text: str) -> str:
    """Drop control characters, compose to Unicode NFC, make every run of white space one space.

    Normalising twice gives the same as normalising once.
    """
    if not text.isascii() or not text.isprintable():
        # Before composing: a control character may stand between a letter and its accent.
        text = unicodedata.normalize("NFC", _DROPPED.sub("", text))
    return " ".join(text.split())


def prepare(text: str, settings: TextSettings) -> str:
    """Normalise a text and refuse what cannot be classified.

    Raises:
        UtteranceError: the text is not a string, empty, or longer than allowed.
    """
    if not isinstance(text, str):
        raise UtteranceError(f"a text must be a string, not {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UtteranceError(
            "the text is not valid Unicode: it holds half of a surrogate pair; send UTF-8"
        ) from error
    # Cheap refusal first: a text of many megabytes is not even normalised.
    if len(text) > 4 * settings.max_characters:
        raise UtteranceError(_too_long(len(text), settings), characters=len(text))
    normalized = normalize(text)
    if not normalized:
        raise UtteranceError("the text is empty; send at least one visible character")
    if len(normalized) > settings.max_characters:
        raise UtteranceError(_too_long(len(normalized), settings), characters=len(normalized))
    return normalized


def _too_long(characters: int, settings: TextSettings) -> str:
    return (
        f"the text has {characters} characters, at most {settings.max_characters} are allowed; "
        "send a shorter one"
    )
