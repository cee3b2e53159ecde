"""Encoding: characters that were broken on the way, that hide, or that only look alike.

Every function takes rows of a ``Table`` and gives a frame of ``row`` and ``detail``, by row. They
look at the source's text where normalisation changed it.
"""

from __future__ import annotations

import unicodedata

import polars as pl

__all__ = [
    "find_control_characters",
    "find_invisible_characters",
    "find_mixed_scripts",
    "find_mojibake",
    "find_replacement_characters",
    "repair_mojibake",
]

_AS_READ = pl.coalesce("raw", "text")
# Zero-width and direction marks, soft hyphen, byte order mark. The two joiners (U+200C, U+200D)
# are left out: Persian, Indic scripts and emoji need them.
_INVISIBLE = r"[\u{00AD}\u{034F}\u{061C}\u{115F}\u{1160}\u{17B4}\u{17B5}\u{180E}\u{200B}\u{200E}\u{200F}\u{202A}-\u{202E}\u{2060}-\u{206F}\u{3164}\u{FEFF}\u{FFA0}]"  # noqa: E501
# Normalisation makes tabs and line ends spaces; other control characters it drops.
_CONTROL = r"[\x00-\x08\x0E-\x1B\x7F-\x84\x86-\x9F]"
# Greek letters that look Latin; Greek beside Latin as such is common: a resistor of 3 kOhm.
_GREEK_ALIKE = "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03b1\u03b9\u03bd\u03bf\u03c1"  # noqa: E501
_OTHER = rf"[\p{{Cyrillic}}\p{{Armenian}}\p{{Cherokee}}{_GREEK_ALIKE}]"
_MIXED = rf"\p{{Latin}}{_OTHER}|{_OTHER}\p{{Latin}}"
_REPLACEMENT = "\ufffd"
# What ftfy may change; it is slow on the rest. A character of several bytes that was decoded as one
# of a byte each leaves two or more beyond ASCII side by side, the second of which may have become a
# space, a question mark or nothing; and a sign of Windows-1252 becomes a control character.
_MAY_BE_MOJIBAKE = r"[^\x00-\x7F](?:[^\x00-\x7F]|[\s?\x1A]|$)|[\x80-\x9F]"


def find_mojibake(rows: pl.DataFrame) -> pl.DataFrame:
    """Texts that were decoded as another encoding than they were written in: "cafÃ©".

    Found and repaired by ftfy, which changes a text only when the result is more plausible.
    """
    suspects = rows.select("row", text=_AS_READ).filter(
        pl.col("text").str.contains(_MAY_BE_MOJIBAKE)
    )
    found = [
        (row, f"reads {repaired}")
        for row, text in suspects.iter_rows()
        if (repaired := repair_mojibake(text)) != text
    ]
    return pl.DataFrame(found, schema={"row": pl.UInt32, "detail": pl.String}, orient="row")


def repair_mojibake(text: str) -> str:
    """Decode a text as it was meant; a text without such damage comes back as it is."""
    from ftfy import fix_encoding

    return fix_encoding(text)


def find_replacement_characters(rows: pl.DataFrame) -> pl.DataFrame:
    """Texts with U+FFFD, which stands where a character was lost."""
    return _matching(rows, _REPLACEMENT, "a character was lost: {}")


def find_invisible_characters(rows: pl.DataFrame) -> pl.DataFrame:
    """Texts with characters that nobody sees and that make equal texts differ."""
    return _matching(rows, _INVISIBLE, "holds {}")


def find_control_characters(rows: pl.DataFrame) -> pl.DataFrame:
    """Texts with control characters, which normalisation drops."""
    return _matching(rows, _CONTROL, "holds {}")


def find_mixed_scripts(rows: pl.DataFrame) -> pl.DataFrame:
    """Texts with a word that mixes Latin letters with others that look like them."""
    return _matching(rows, _MIXED, "has side by side {}")


def _matching(rows: pl.DataFrame, pattern: str, detail: str) -> pl.DataFrame:
    matched = (
        rows.select("row", text=_AS_READ)
        .filter(pl.col("text").str.contains(pattern))
        .with_columns(pl.col("text").str.extract_all(pattern).list.unique(maintain_order=True))
    )
    named = [detail.format(_names("".join(parts))) for parts in matched["text"].to_list()]
    return matched.select("row", detail=pl.Series("detail", named, dtype=pl.String))


def _names(characters: str) -> str:
    shown = list(dict.fromkeys(characters))[:3]
    return ", ".join(f"U+{ord(one):04X} {unicodedata.name(one, '')}".rstrip() for one in shown)
