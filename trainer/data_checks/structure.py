"""How rows stand to each other: the same text twice, under two intents, in two splits.

Every function takes the usable rows of a ``Table`` and gives a frame of ``row`` and ``detail``,
by row. Two texts are the same when their keys are equal, as in ``trainer.validation``; a duplicate
is one to the letter.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from trainer.data_checks.table import PLACE

__all__ = [
    "SPLIT_PAIRS",
    "find_contradictions",
    "find_contradictions_across_splits",
    "find_duplicates",
    "find_in_two_splits",
    "find_same_words",
    "find_small_intents",
    "find_too_few_examples",
    "find_unknown_intents",
    "without_duplicates",
]

SPLIT_PAIRS = (("validation", "train"), ("test", "train"), ("test", "validation"))
"""A split that must not know texts of another, and that other; training comes first."""
_CLAIM = pl.col("intent").fill_null("out of scope")
_SAME = ("text", "intent", "split")
_TEXTS_AT_A_TIME = 50_000


def find_duplicates(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the text, the intent and the split of an earlier one."""
    again = rows.filter(~pl.struct(_SAME).is_first_distinct())
    first = rows.join(again.select(_SAME).unique(), on=_SAME, how="semi", nulls_equal=True)
    first = first.unique(subset=_SAME, keep="first", maintain_order=True)
    places = first.select(*_SAME, detail=pl.format("as in {}", PLACE))
    return again.join(places, on=_SAME, how="left", nulls_equal=True, maintain_order="left").select(
        "row", "detail"
    )


def without_duplicates(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that a dataset keeps."""
    return rows.filter(pl.struct(_SAME).is_first_distinct())


def find_contradictions(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows whose text stands under another intent too, in the same split."""
    by = ["key", "split"]
    claims = _claims(rows, by)
    return rows.join(claims, on=by, how="inner", maintain_order="left").select("row", "detail")


def find_contradictions_across_splits(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows whose text stands under another intent in another split, and in theirs under one."""
    within = _claims(rows, ["key", "split"]).select("key").unique()
    claims = _claims(rows, ["key"]).join(within, on="key", how="anti")
    return rows.join(claims, on="key", how="inner", maintain_order="left").select("row", "detail")


def find_in_two_splits(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of validation whose text stands in training, and of the test, in either."""
    found = []
    for held, other in SPLIT_PAIRS:
        ours = rows.filter(pl.col("dataset_split") == held)
        theirs = rows.filter(pl.col("dataset_split") == other)
        places = theirs.unique(subset="key", keep="first", maintain_order=True).select(
            "key", detail=pl.format("as in {}, in {}", PLACE, "dataset_split")
        )
        found.append(ours.join(places, on="key", how="inner").select("row", "detail"))
    return pl.concat(found).unique(subset="row", keep="first", maintain_order=True).sort("row")


def find_same_words(rows: pl.DataFrame, folded: pl.Series) -> pl.DataFrame:
    """Rows with the words of an earlier one of their split, but another text.

    The words may stand in another order, in other case or with other punctuation.

    Args:
        rows: usable rows without duplicates.
        folded: their texts as ``trainer.data_checks.similarity.fold`` gives them.
    """
    known = rows.with_columns(words=_hash_words(folded)).filter((folded != "").alias("folded"))
    known = known.unique(subset=["text", "split"], keep="first", maintain_order=True)
    by = ["words", "split"]
    known = known.filter(pl.struct(by).is_duplicated())
    first = known.unique(subset=by, keep="first", maintain_order=True)
    places = first.select(*by, detail=pl.format("has the words of {}", PLACE))
    later = known.join(first.select("row"), on="row", how="anti", maintain_order="left")
    return later.join(places, on=by, how="left", maintain_order="left").select("row", "detail")


def find_unknown_intents(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of validation and test with an intent that training lacks."""
    known = rows.filter(pl.col("split") == "train").select("intent").unique()
    held = rows.filter((pl.col("split") != "train") & pl.col("intent").is_not_null())
    unknown = held.join(known, on="intent", how="anti").sort("row")
    return unknown.select("row", detail=pl.format("{} has no training text", "intent"))


def find_too_few_examples(rows: pl.DataFrame, *, fewest: int) -> pl.DataFrame:
    """Training rows of intents with fewer than ``fewest`` texts."""
    return _of_intents(rows, pl.col("count") < fewest, f"{{}} has {{}} of {fewest} texts needed")


def find_small_intents(rows: pl.DataFrame, *, ratio: float) -> pl.DataFrame:
    """Training rows of intents of which the largest has more than ``ratio`` times the texts."""
    most = pl.col("count").max()
    return _of_intents(rows, pl.col("count") * ratio < most, "{} has {} texts")


def _of_intents(rows: pl.DataFrame, condition: pl.Expr, detail: str) -> pl.DataFrame:
    train = rows.filter((pl.col("split") == "train") & pl.col("intent").is_not_null())
    counts = train.group_by("intent").agg(pl.len().alias("count")).filter(condition)
    told = counts.select("intent", detail=pl.format(detail, "intent", "count"))
    return train.join(told, on="intent", how="inner", maintain_order="left").select("row", "detail")


def _claims(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    # Only texts that stand more than once are looked at closely: few of a million.
    repeated = rows.filter(pl.struct(by).is_duplicated())
    return (
        repeated.with_columns(claim=_CLAIM)
        .group_by(by)
        .agg(pl.col("claim").unique().sort(), pl.col("intent").n_unique().alias("intents"))
        .filter(pl.col("intents") > 1)
        .select(*by, detail=pl.col("claim").list.join(" and "))
    )


def _hash_words(folded: pl.Series) -> pl.Series:
    """A number for the words of each text that does not depend on their order."""
    sums = np.empty(len(folded), dtype=np.uint64)
    for start in range(0, len(folded), _TEXTS_AT_A_TIME):
        words = folded.slice(start, _TEXTS_AT_A_TIME).str.split(" ")
        lengths = words.list.len().to_numpy().astype(np.int64)
        hashes = words.explode().hash().to_numpy()
        begins = np.cumsum(lengths) - lengths
        sums[start : start + len(words)] = np.add.reduceat(hashes, begins)
    return pl.Series("words", sums)
