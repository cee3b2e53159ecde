"""Lengths of texts in characters and in tokens of the base model, against its limit."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import polars as pl

from trainer.base_model import find_tokenizer
from trainer.errors import BaseModelError

__all__ = ["Lengths", "TokenCheck", "check_tokens", "describe_lengths"]

_TEXTS_AT_A_TIME = 10_000


class Lengths(msgspec.Struct, frozen=True):
    """How long texts are."""

    median: float
    p95: float
    """95 of 100 texts are no longer."""
    most: int


class TokenCheck(msgspec.Struct, frozen=True):
    """What was found of the tokens of texts."""

    lengths: Lengths
    """``most`` is over all texts that can be longest, the rest over the sample."""
    found: pl.DataFrame
    """``row`` and ``detail`` of texts that would be cut, the longest first."""


def describe_lengths(values: pl.Series) -> Lengths:
    """Median, 95th percentile and maximum; zeros when there are none."""
    if values.is_empty():
        return Lengths(median=0.0, p95=0.0, most=0)
    numbers = values.to_numpy()
    return Lengths(
        median=float(np.median(numbers)),
        p95=float(np.percentile(numbers, 95)),
        most=int(numbers.max()),
    )


def check_tokens(
    rows: pl.DataFrame, *, base_model: str, limit: int, sample: int, seed: int
) -> TokenCheck:
    """Count tokens with the base model's own tokenizer, which is all that is needed of it.

    A text has no more tokens than bytes, of a WordPiece model than characters, as it is or with
    its characters taken apart, which tokenizers do with some. So one that is shorter than the
    limit is only counted when it is in the sample.

    Raises:
        BaseModelError: the tokenizer cannot be found or read.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece

    path = find_tokenizer(base_model)
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise BaseModelError(
            f"the tokenizer.json of base model {base_model} cannot be read; save it again "
            "(tokenizer.save_pretrained)",
            name=base_model,
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = rows.select("row", "text")
    drawn = texts if len(texts) <= sample else texts.sample(sample, seed=seed)
    drawn = drawn.with_columns(tokens=_count(tokenizer, drawn["text"]))
    # One more for the mark that some tokenizers put before the first word.
    room = limit - tokenizer.num_special_tokens_to_add(is_pair=False) - 1
    measure = "len_chars" if isinstance(tokenizer.model, WordPiece) else "len_bytes"
    may_be_long = texts.filter(
        pl.any_horizontal(
            getattr(form.str, measure)() > room
            for form in (pl.col("text"), pl.col("text").str.normalize("NFKD"))
        )
    )
    may_be_long = may_be_long.with_columns(tokens=_count(tokenizer, may_be_long["text"]))
    long = may_be_long.filter(pl.col("tokens") > limit).sort(
        "tokens", "row", descending=[True, False]
    )
    lengths = describe_lengths(drawn["tokens"])
    most = max(lengths.most, int(long["tokens"].max() or 0))  # type: ignore[arg-type]
    return TokenCheck(
        lengths=msgspec.structs.replace(lengths, most=most),
        found=long.select("row", detail=pl.format("{} tokens", "tokens")),
    )


def _count(tokenizer: Any, texts: pl.Series) -> pl.Series:
    counts: list[int] = []
    for start in range(0, len(texts), _TEXTS_AT_A_TIME):
        part = texts.slice(start, _TEXTS_AT_A_TIME).to_list()
        counts += [len(one.ids) for one in tokenizer.encode_batch_fast(part)]
    return pl.Series("tokens", counts, dtype=pl.UInt32)
