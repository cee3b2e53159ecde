"""Texts to token ids, with the tokenizer that the model was trained with."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.errors import BundleDamagedError

__all__ = ["Tokenizer"]

_BLOCK_TEXTS = 10_000


class Tokenizer:
    """A thin door to the ``tokenizers`` library.

    Args:
        path: a ``tokenizer.json``.
        max_tokens: longer texts are cut to this many tokens, special ones included.

    Raises:
        BundleDamagedError: the file is missing or cannot be parsed.
    """

    def __init__(self, path: Path, *, max_tokens: int) -> None:
        import tokenizers

        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises plain Exception
            raise BundleDamagedError(
                f"cannot read the tokenizer {path}: {error}; make the bundle again", path=path
            ) from error
        self._tokenizer.enable_truncation(max_length=max_tokens)
        self._tokenizer.no_padding()

    def encode(self, text: str) -> list[int]:
        """Token ids of one text, special tokens included."""
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def encode_many(self, texts: list[str]) -> list[list[int]]:
        """Token ids of many texts; faster than one by one."""
        # Block by block: what the library gives of a text is many times larger than its ids.
        return [
            encoding.ids
            for start in range(0, len(texts), _BLOCK_TEXTS)
            for encoding in self._tokenizer.encode_batch(texts[start : start + _BLOCK_TEXTS])
        ]
