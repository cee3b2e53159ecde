"""What cleaning writes: the utterances that stay, and an account of every row that it changed."""

from __future__ import annotations

import io

import polars as pl

from edge_runtime.errors import SettingsError
from trainer.config import DataSettings
from trainer.data_checks.characters import repair_mojibake
from trainer.data_checks.table import PLACE, Table

__all__ = ["account_of", "encode_utterances", "json_lines"]


def account_of(
    table: Table,
    kept: pl.DataFrame,
    dropped: pl.DataFrame,
    unread: dict[str, tuple[str, ...]],
    *,
    repair: bool,
    settings: DataSettings,
) -> pl.DataFrame:
    """Every change: of columns and rows that could not be read, and then of each row in order.

    Args:
        table: all rows.
        kept: those of its rows that stay.
        dropped: the others: ``row``, ``rule`` and ``detail``.
        unread: file -> columns that the output has not.
        repair: whether texts were decoded anew.
        settings: how labels are read.

    Returns:
        ``place``, ``action`` (changed or dropped), ``rule``, ``detail``, ``intent``, ``before``
        and ``after``.
    """
    columns = ("place", "action", "rule", "detail", "intent", "before", "after")
    before = pl.coalesce("raw", "text").alias("before")
    gone = (
        dropped.join(table.frame, on="row", how="left", maintain_order="left")
        .with_columns(
            before, PLACE.alias("place"), action=pl.lit("dropped"), after=pl.lit(None, pl.String)
        )
        .select("row", *columns)
    )
    changed = kept.filter(pl.col("raw").is_not_null())
    rules = [
        "mojibake" if repair and repair_mojibake(raw) != raw else "normalized"
        for raw in changed["raw"]
    ]
    new = changed.with_columns(
        before,
        PLACE.alias("place"),
        pl.Series("rule", rules, dtype=pl.String),
        action=pl.lit("changed"),
        detail=pl.lit(""),
        after="text",
    ).select("row", *columns)
    rewritten = [
        kept.filter(pl.col(raw).is_not_null() & pl.col(raw).ne_missing(written)).select(
            "row",
            PLACE.alias("place"),
            pl.lit("changed").alias("action"),
            pl.lit(rule).alias("rule"),
            pl.lit("").alias("detail"),
            "intent",
            pl.col(raw).alias("before"),
            written.alias("after"),
        )
        for rule, raw, written in (
            ("label", "raw_label", pl.col("intent").fill_null(_out_of_scope(settings))),
            ("split", "raw_split", pl.col("given_split")),
        )
    ]
    columns_lost = pl.DataFrame(
        [(file, f"the column {name!r} is not read") for file in unread for name in unread[file]],
        schema={"place": pl.String, "detail": pl.String},
        orient="row",
    ).with_columns(action=pl.lit("dropped"), rule=pl.lit("column"))
    unreadable = pl.DataFrame({"detail": list(table.unreadable)}, schema={"detail": pl.String})
    lost = unreadable.with_columns(
        place=pl.lit(""), action=pl.lit("dropped"), rule=pl.lit("unreadable")
    )
    of_rows = pl.concat([gone, new, *rewritten]).sort("row", maintain_order=True).drop("row")
    return pl.concat([columns_lost, lost, of_rows], how="diagonal").select(columns)


def json_lines(frame: pl.DataFrame) -> bytes:
    """A JSON object a row, each on a line of its own."""
    buffer = io.BytesIO()
    frame.write_ndjson(buffer)
    return buffer.getvalue()


def _out_of_scope(settings: DataSettings) -> str:
    return next(iter(settings.out_of_scope_labels), "")


def encode_utterances(kept: pl.DataFrame, suffix: str, settings: DataSettings) -> bytes:
    """The file of the rows that stay.

    Args:
        kept: of the table.
        suffix: .csv, .jsonl or .parquet.
        settings: names of the columns, by which ``data.build`` reads them, and what a text out of
            scope is labelled with.

    Raises:
        SettingsError: there are texts out of scope, and no label for them.
    """
    if kept["intent"].has_nulls() and not settings.out_of_scope_labels:
        raise SettingsError(
            "there are texts out of scope and no label to write for them; "
            "set data.out_of_scope_labels"
        )
    label = pl.col("intent").fill_null(_out_of_scope(settings))
    frame = kept.select(
        pl.col("text").alias(settings.text_column or "text"),
        label.alias(settings.intent_column or "intent"),
        pl.col("given_split").alias(settings.split_column),
    )
    if frame[settings.split_column].is_null().all():
        frame = frame.drop(settings.split_column)
    if suffix == ".jsonl":
        return json_lines(frame)
    buffer = io.BytesIO()
    if suffix == ".csv":
        frame.write_csv(buffer)
    else:
        frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()
