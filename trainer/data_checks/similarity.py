"""Texts that are nearly the same on both sides of a split.

Two texts are nearly the same when the Jaccard similarity of the sets of their character trigrams
is at least ``check.near_similarity``: as many trigrams in both as that share of those in either.
Texts are folded first: case, accents and punctuation are gone, and one space stands before,
between and after the words.

Candidates come from MinHash and banding (Broder 1997; Indyk and Motwani 1998): 40 hashes in ten
bands of four. Of the other split's texts that share a band the first and the last are looked at;
of all of those the one that shares most hashes. What is reported was compared trigram by trigram; a
pair of similarity 0.8 shares a band, and so can be found, with a probability of 99.5 %.
"""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from trainer.data_checks.structure import SPLIT_PAIRS
from trainer.data_checks.table import PLACE

__all__ = ["find_near_in_two_splits", "fold", "trigram_similarity"]

_HASHES = 40
_BANDS = 10
# So few that their trigrams stay in the processor's cache.
_TEXTS_AT_A_TIME = 2_000
_SIZE = 3


def fold(texts: pl.Series) -> pl.Series:
    """Take case, accents and punctuation away; words are parted by one space."""
    return (
        texts.str.normalize("NFKD")
        .str.replace_all(r"\p{M}", "")
        .str.to_lowercase()
        .str.replace_all(r"[^\p{L}\p{N}]+", " ")
        .str.strip_chars(" ")
    )


def trigram_similarity(first: str, second: str) -> float:
    """Jaccard similarity of the character trigrams of two folded texts, from 0 to 1."""
    ours, theirs = _trigrams(first), _trigrams(second)
    return len(ours & theirs) / len(ours | theirs)


def find_near_in_two_splits(
    rows: pl.DataFrame, folded: pl.Series, *, similarity: float, seed: int
) -> pl.DataFrame:
    """Rows with a text of another split that is nearly, but not quite, the same.

    Texts of validation are held against training, those of the test against training and, where
    none is like them there, against validation. Each text is hashed once, whatever it is held
    against, and each search sorts one side: n log n for n texts.

    Args:
        rows: usable rows without duplicates.
        folded: their texts, folded.
        similarity: from 0.5 to 1; below about 0.7 many pairs are missed.
        seed: of the hashes.

    Returns:
        ``row`` and ``detail``: the similarity, and the other text with its place.
    """
    known = rows.select("row", "dataset_split", "key", "text", place=PLACE).with_columns(
        folded=folded
    )
    known = known.filter(pl.col("folded") != "")
    found = pl.DataFrame(schema={"row": pl.UInt32, "detail": pl.String})
    if known["dataset_split"].n_unique() < 2:
        return found
    sides = {name: _side(known, name, seed=seed) for name in ("train", "validation", "test")}
    for held, other in SPLIT_PAIRS:
        pairs = _near_pairs(sides[held], sides[other], similarity=similarity)
        # What is quite the same is another finding.
        keys = known.filter(pl.col("dataset_split") == other).select("key").unique()
        ours = (
            known.filter(pl.col("dataset_split") == held)
            .join(keys, on="key", how="anti")
            .join(found, on="row", how="anti")
        )
        places = sides[other].texts.select(
            candidate=pl.int_range(pl.len()), other="text", where="place"
        )
        near = ours.join(pairs, on="folded", how="inner").join(places, on="candidate", how="left")
        detail = pl.format(
            f"{{}}: {{}} in {{}}, in {other}", pl.col("similarity").round(2), "other", "where"
        )
        found = pl.concat([found, near.select("row", detail=detail)])
    return found.sort("row")


class _Side(msgspec.Struct, frozen=True):
    """The distinct texts of a split with their hashes."""

    texts: pl.DataFrame
    signatures: NDArray[np.uint32]


def _side(known: pl.DataFrame, split: str, *, seed: int) -> _Side:
    generator = np.random.default_rng(seed)
    factors = generator.integers(0, 2**31, size=_HASHES, dtype=np.uint32) * 2 + 1
    texts = known.filter(pl.col("dataset_split") == split).unique(
        subset="folded", keep="first", maintain_order=True
    )
    return _Side(texts=texts, signatures=_signatures(texts["folded"], factors))


def _near_pairs(ours: _Side, theirs: _Side, *, similarity: float) -> pl.DataFrame:
    """``folded``, and the ``similarity`` and number of their text that is most like it."""
    schema = {"folded": pl.String, "similarity": pl.Float64, "candidate": pl.Int64}
    if ours.texts.is_empty() or theirs.texts.is_empty():
        return pl.DataFrame(schema=schema)
    best = _best_candidates(ours.signatures, theirs.signatures)
    rows = np.flatnonzero(best >= 0)
    candidates = best[rows]
    folded = ours.texts["folded"].gather(rows).to_list()
    others = theirs.texts["folded"].gather(candidates).to_list()
    values = [trigram_similarity(one, other) for one, other in zip(folded, others, strict=True)]
    pairs = pl.DataFrame([folded, values, candidates], schema=schema)
    return pairs.filter(pl.col("similarity") >= similarity)


def _trigrams(folded: str) -> set[str]:
    padded = f" {folded} "
    return {padded[start : start + _SIZE] for start in range(len(padded) - _SIZE + 1)}


def _best_candidates(ours: NDArray[np.uint32], theirs: NDArray[np.uint32]) -> NDArray[np.int64]:
    """For each of our texts the number of theirs that shares most hashes with it, or -1."""
    best = np.full(len(ours), -1, dtype=np.int64)
    agreement = np.zeros(len(ours), dtype=np.int64)
    for our_keys, their_keys in zip(_bands(ours), _bands(theirs), strict=True):
        order = np.argsort(their_keys, kind="stable")
        ordered = their_keys[order]
        for side in ("left", "right"):
            at = np.searchsorted(ordered, our_keys, side=side) - (side == "right")
            at = np.clip(at, 0, len(order) - 1)
            rows = np.flatnonzero(ordered[at] == our_keys)
            candidates = order[at[rows]]
            shared = (ours[rows] == theirs[candidates]).sum(axis=1)
            better = shared > agreement[rows]
            best[rows[better]] = candidates[better]
            agreement[rows[better]] = shared[better]
    return best


def _bands(signatures: NDArray[np.uint32]) -> list[NDArray[np.uint64]]:
    width = _HASHES // _BANDS
    keys = []
    for band in range(_BANDS):
        key = np.zeros(len(signatures), dtype=np.uint64)
        for column in range(band * width, (band + 1) * width):
            key = (key ^ signatures[:, column]) * np.uint64(0x9E3779B97F4A7C15)
            key ^= key >> np.uint64(29)
        keys.append(key)
    return keys


def _signatures(folded: pl.Series, factors: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The least value of each hash over a text's trigrams: uint32 of shape (texts, hashes)."""
    result = np.empty((len(folded), len(factors)), dtype=np.uint32)
    least = np.empty((len(factors), _TEXTS_AT_A_TIME), dtype=np.uint32)
    for start in range(0, len(folded), _TEXTS_AT_A_TIME):
        part = folded.slice(start, _TEXTS_AT_A_TIME)
        joined = "".join(f" {text} \n" for text in part)
        characters = np.frombuffer(joined.encode("utf-32-le"), dtype=np.uint32)
        mixed = characters[:-2] * np.uint32(0x85EBCA6B) + characters[1:-1]
        mixed = mixed * np.uint32(0xC2B2AE35) + characters[2:]
        # Trigrams do not reach over the end of a text.
        ends = characters == ord("\n")
        inside = ~(ends[:-2] | ends[1:-1] | ends[2:])
        mixed = mixed[inside]
        mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
        mixed ^= mixed >> np.uint32(13)
        counts = np.diff(np.flatnonzero(ends), prepend=-1) - _SIZE
        begins = np.cumsum(counts) - counts
        values = np.empty_like(mixed)
        for number, factor in enumerate(factors):
            # Multiply-shift (Dietzfelbinger et al. 1997): the high bits decide which is least.
            np.multiply(mixed, factor, out=values)
            np.minimum.reduceat(values, begins, out=least[number, : len(part)])
        result[start : start + len(part)] = least[:, : len(part)].T
    return result
