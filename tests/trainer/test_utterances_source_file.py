"""Decoding the bytes of a file."""

from __future__ import annotations

import pytest

from trainer.errors import SourceFormatError
from trainer.utterances.source_file import SourceFile, decode


def test_a_byte_order_mark_is_not_part_of_the_text() -> None:
    assert decode(SourceFile(name="a.csv", content=b"\xef\xbb\xbftext")) == "text"


def test_a_byte_that_is_not_utf8_is_reported_with_its_offset_and_line() -> None:
    content = "text,intent\nhi,greet\ncaf\xe9,order\n".encode("latin-1")
    with pytest.raises(SourceFormatError) as caught:
        decode(SourceFile(name="a.csv", content=content))
    assert caught.value.message == (
        "a.csv is not UTF-8: byte 0xe9 at offset 24, line 3; save the file as UTF-8"
    )
    assert (caught.value.data["offset"], caught.value.data["line"]) == (24, 3)
    assert content[24] == 0xE9


def test_the_offset_counts_the_byte_order_mark() -> None:
    with pytest.raises(SourceFormatError) as caught:
        decode(SourceFile(name="a.csv", content=b"\xef\xbb\xbfab\xff"))
    assert caught.value.data["offset"] == 5


def test_a_file_in_utf16_is_not_utf8() -> None:
    with pytest.raises(SourceFormatError, match=r"a\.csv is not UTF-8: byte 0xff at offset 0"):
        decode(SourceFile(name="a.csv", content="text,intent".encode("utf-16")))


def test_a_nul_character_is_reported_with_its_line() -> None:
    with pytest.raises(SourceFormatError, match=r"^a\.csv, line 2: there is a NUL character"):
        decode(SourceFile(name="a.csv", content=b"text,intent\nhi\0,greet\n"))


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(content: bytes) -> None:
    with pytest.raises(SourceFormatError, match=r"^a\.csv is empty; "):
        decode(SourceFile(name="a.csv", content=content))
