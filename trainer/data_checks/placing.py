"""Where a dataset would put each row: the splits of the source, and those that a build draws."""

from __future__ import annotations

import msgspec
import polars as pl

from trainer.config import DataSettings
from trainer.data_checks import structure
from trainer.data_checks.table import Table
from trainer.errors import UtterancesInvalidError
from trainer.splitting import Splits, check_held_out, split_utterances
from trainer.utterances import Utterance

__all__ = ["Placed", "name_empty_splits", "place_rows"]


class Placed(msgspec.Struct, frozen=True):
    """A table with the splits of the dataset that would be built of it."""

    table: Table
    """Its column ``dataset_split`` says where each row would stand."""
    refusal: str | None
    """Why ``data.build`` would refuse these splits, or ``None``."""


def place_rows(table: Table, settings: DataSettings) -> Placed:
    """Draw the splits that the source does not give, exactly as ``build_dataset`` draws them.

    The draw is ``trainer.splitting``'s own, so it holds one object a row while it lasts, and none
    for rows that the source itself keeps out of training. A row that a build would drop or refuse
    stays where the source has it.

    Args:
        table: all rows.
        settings: the shares and the seed.
    """
    kept = structure.without_duplicates(table.usable())
    given = set(kept["given_split"].unique())
    is_held = pl.col("given_split").is_in(["validation", "test"])
    # Nothing is drawn from these: of each split, a row with an intent and one without stand for
    # all of them.
    standing = kept.filter(is_held).unique(
        subset=("given_split", pl.col("intent").is_null()), keep="first", maintain_order=True
    )
    drawn_from = kept.filter(~is_held.fill_null(value=False))
    if {"validation", "test"} <= given:
        drawn_from = drawn_from.head(0)
    splits = split_utterances(_utterances(pl.concat([drawn_from, standing])), settings)
    return Placed(table=_with_splits(table, splits), refusal=_refusal(splits))


def name_empty_splits(rows: pl.DataFrame) -> list[str]:
    """Say which split of the dataset would hold nothing out, a line each.

    Args:
        rows: usable rows without duplicates, of the table that ``place_rows`` gives.
    """
    filled = set(rows["dataset_split"].unique())
    return [
        f"nothing is held out for {name}: {what}"
        for name, what in (
            ("validation", "temperature and threshold would be the defaults"),
            ("the test", "nothing would tell how good the model is"),
        )
        if name.removeprefix("the ") not in filled
    ]


def _utterances(rows: pl.DataFrame) -> list[Utterance]:
    # The row's number stands in for its place, so that the split can be told of that row.
    return [
        Utterance(text=text, intent=intent, split=split, group=group, line=row, source="")
        for row, text, intent, split, group in rows.select(
            "row", "text", "intent", "given_split", "group"
        ).iter_rows()
    ]


def _with_splits(table: Table, splits: Splits) -> Table:
    places = {
        "validation": [one.line for one in splits.validation if one.split != "validation"],
        "test": [one.line for one in splits.test if one.split != "test"],
    }
    drawn = pl.concat(
        pl.DataFrame({"row": rows}, schema={"row": pl.UInt32}).with_columns(
            drawn=pl.lit(name, pl.String)
        )
        for name, rows in places.items()
    )
    frame = table.frame.drop("dataset_split").join(
        drawn, on="row", how="left", maintain_order="left"
    )
    frame = frame.with_columns(dataset_split=pl.coalesce("drawn", "split")).drop("drawn")
    return msgspec.structs.replace(table, frame=frame)


def _refusal(splits: Splits) -> str | None:
    try:
        check_held_out(splits)
    except UtterancesInvalidError as error:
        return error.message
    return None
