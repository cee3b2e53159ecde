"""Cleans utterances as it is told to, and accounts for every row that it changed or dropped."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import polars as pl

from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import SettingsError
from trainer.config import CheckSettings, DataSettings, TrainSettings
from trainer.data_checks import structure
from trainer.data_checks.characters import repair_mojibake
from trainer.data_checks.check import find_all
from trainer.data_checks.clean_files import account_of, encode_utterances, json_lines
from trainer.data_checks.findings import MEANINGS
from trainer.data_checks.refusals import refuse_rows
from trainer.data_checks.table import Table, read_table
from trainer.errors import SourceFormatError
from trainer.locations import resolve, write_location
from trainer.utterances import Source, list_unread_columns, open_source
from trainer.utterances.source_file import SourceFile

__all__ = ["CONTRADICTIONS", "DROPPABLE", "CleanResult", "clean_utterances"]

CONTRADICTIONS = ("keep", "drop", "majority")
"""What can be done with rows that give one text several intents."""
_FORMATS = (".csv", ".jsonl", ".parquet")
_NOT_OF_ROWS = (
    "too_few_intents",
    "held_out_without_intents",
    "nothing_held_out",
    "byte_order_mark",
)
# These have a way of their own: always, and by a flag.
_OTHERWISE = ("duplicate", "contradiction")
# Rules that need one row alone; the others need the whole table looked at.
_OF_ONE_ROW = (
    "unreadable",
    "text_empty",
    "text_nul",
    "text_too_long",
    "label_empty",
    "label_too_long",
    "label_characters",
)
_BETWEEN_SPLITS = ("in_two_splits", "nearly_in_two_splits")
DROPPABLE = tuple(rule for rule in MEANINGS if rule not in (*_NOT_OF_ROWS, *_OTHERWISE))
"""Rules whose rows can be dropped by name."""


class CleanResult(msgspec.Struct, frozen=True):
    """What ``data.clean`` prints with ``--json``."""

    location: str
    output: str
    """Where the clean utterances are."""
    changes: str
    """Where every changed or dropped row is accounted for."""
    read: int
    """Rows that could be read."""
    written: int
    changed: dict[str, int]
    """Rule -> rows with another text (``normalized``, ``mojibake``), ``label`` or ``split``."""
    dropped: dict[str, int]
    """Rule -> rows that are gone; each is counted once, by the first rule that dropped it."""
    left: dict[str, int]
    """Rule -> rows that data.build would refuse, and that nothing said to drop."""
    columns_dropped: dict[str, tuple[str, ...]]
    """File -> columns or keys of it that the output has not."""


def clean_utterances(
    location: str,
    output: str,
    *,
    data_settings: DataSettings,
    train_settings: TrainSettings,
    settings: CheckSettings,
    contradictions: str = "keep",
    repair: bool = False,
    drop: tuple[str, ...] = (),
    changes: str | None = None,
    progress: Progress = no_progress,
) -> CleanResult:
    """Normalise texts, drop duplicates and what else is named; write the rest, splits kept.

    Args:
        location: a path or URI, see ``trainer.utterances.open_source``.
        output: a path or URI that ends in .csv, .jsonl or .parquet. It is written as a whole.
        data_settings: how to read, and the bounds of what can be learnt from.
        train_settings: the base model and its limit of tokens, for ``too_many_tokens``.
        settings: what the rules of ``drop`` look for.
        contradictions: what happens to rows of a split that give one text several intents:
            ``keep`` them, ``drop`` them, or keep those with the intent that most rows give, the
            ``majority``. Where two intents are level, all are dropped.
        repair: whether to decode texts anew that were decoded wrongly (mojibake).
        drop: rules of ``DROPPABLE`` whose rows go.
        changes: JSON lines about changed and dropped rows; ``<output>.changes.jsonl`` by default.
        progress: called after each step.

    Raises:
        SettingsError: an unknown rule, an output that cannot be written as asked, or one that
            would overwrite the source or the account.
        SourceNotFoundError: nothing is there, or it cannot be opened.
        SourceFormatError: rows cannot be read, and ``drop`` does not name ``unreadable``.
        StorageError: the output cannot be written.
    """
    suffix = _check_arguments(output, contradictions, drop)
    told = changes or f"{output}.changes.jsonl"
    source = open_source(location)
    _refuse_overwriting(source, output, told)
    table = read_table(source, None, data_settings, mend=repair_mojibake if repair else None)
    unread = list_unread_columns(source, settings=data_settings)
    del source
    _check_table(table, location, drop)
    progress("clean", 1, 3, f"{len(table.frame)} utterances read")
    dropped = _dropped(
        table,
        data_settings=data_settings,
        train_settings=train_settings,
        settings=settings,
        contradictions=contradictions,
        drop=drop,
    )
    progress("clean", 2, 3, f"{len(dropped)} to be dropped")
    kept = table.frame.join(dropped, on="row", how="anti", maintain_order="left")
    encoded = encode_utterances(kept, suffix, data_settings)
    account = account_of(table, kept, dropped, unread, repair=repair, settings=data_settings)
    # The account comes first: no row is gone that nothing tells of.
    write_location(told, json_lines(account))
    write_location(output, encoded)
    progress("clean", 3, 3, f"{len(kept)} written")
    return CleanResult(
        location=location,
        output=output,
        changes=told,
        read=len(table.frame),
        written=len(kept),
        changed=_counts(account.filter(pl.col("action") == "changed")),
        dropped=_counts(
            account.filter((pl.col("action") == "dropped") & (pl.col("rule") != "column"))
        ),
        left=_left(output, encoded, data_settings) if len(kept) else {},
        columns_dropped=unread,
    )


def _check_arguments(output: str, contradictions: str, drop: tuple[str, ...]) -> str:
    if contradictions not in CONTRADICTIONS:
        raise SettingsError(
            f"contradictions cannot be {contradictions!r}; choose {', '.join(CONTRADICTIONS)}",
            contradictions=contradictions,
        )
    unknown = [rule for rule in drop if rule not in DROPPABLE]
    if unknown:
        raise SettingsError(
            f"rows cannot be dropped by {unknown[0]!r}; choose among {', '.join(DROPPABLE)}",
            rules=unknown,
        )
    suffix = PurePosixPath(output).suffix.lower()
    if suffix not in _FORMATS:
        raise SettingsError(
            f"cannot write {output}: give a name that ends in .csv, .jsonl or .parquet",
            output=output,
        )
    return suffix


def _refuse_overwriting(source: Source, output: str, changes: str) -> None:
    place = resolve(source.location)
    parts = [place, *(place / file.name for file in source.files)]
    for target in (output, changes):
        if any(_is_same(resolve(target), part) for part in parts):
            raise SettingsError(
                f"{target} is the source itself, or a file of it; write somewhere else, so that "
                "it stays",
                target=target,
            )
    if _is_same(resolve(output), resolve(changes)):
        raise SettingsError(
            f"{output} cannot hold both the utterances and the account of changes; give two names",
            target=output,
        )


def _is_same(first: Any, second: Any) -> bool:
    if not isinstance(first, Path) or not isinstance(second, Path):
        return bool(first == second)
    if first.exists() and second.exists():  # links, and file systems that know no case
        return first.samefile(second)
    return first.resolve() == second.resolve()


def _check_table(table: Table, location: str, drop: tuple[str, ...]) -> None:
    if table.unreadable and "unreadable" not in drop:
        more = len(table.unreadable) - 1
        raise SourceFormatError(
            f"{table.unreadable[0]}{f' (and {more} more)' if more else ''}; "
            "or drop such rows by the rule unreadable",
            unreadable=table.unreadable,
        )
    if table.frame["group"].is_not_null().any():
        raise SourceFormatError(
            f"{location} holds sentence templates, and cleaning would forget which texts belong "
            "together; mend the templates themselves",
            location=location,
        )


def _dropped(
    table: Table,
    *,
    data_settings: DataSettings,
    train_settings: TrainSettings,
    settings: CheckSettings,
    contradictions: str,
    drop: tuple[str, ...],
) -> pl.DataFrame:
    """The rows that go: ``row``, ``rule`` and ``detail``, each row once, by row."""
    usable = table.usable()
    frame = table.frame.filter(pl.col("refused").is_in(drop))
    parts = [frame.select("row", rule="refused", detail="reason")]
    # Before duplicates go: a text that stands there three times has three voices.
    if contradictions != "keep":
        found = structure.find_contradictions(usable)
        if contradictions == "majority":
            found = found.join(_majority(usable), on="row", how="anti", maintain_order="left")
        parts.append(_named("contradiction", found))
    if table.frame["given_split"].is_null().all():
        _refuse_drawn(drop)
    if any(rule not in _OF_ONE_ROW for rule in drop):
        # What is to be dropped is looked for in all rows; a sample would leave the rest unsaid.
        every = len(table.frame)
        looked_for = msgspec.structs.replace(
            settings,
            language_sample=every if "other_language" in drop else 0,
            label_sample=every if "label_error" in drop else 0,
        )
        everything, _, _ = find_all(
            table,
            data_settings=data_settings,
            train_settings=train_settings,
            settings=looked_for,
        )
        for one in everything:
            if one.rule in drop and one.skipped:
                raise SettingsError(
                    f"cannot drop by {one.rule}: {one.skipped}; mend that or leave it out",
                    rule=one.rule,
                )
            if one.rule in drop and one.rule not in _OF_ONE_ROW:
                parts.append(_named(one.rule, one.rows))
    # Last, among those that stay: else a text might go as the duplicate of one that goes too.
    staying = usable.join(pl.concat(parts), on="row", how="anti", maintain_order="left")
    parts.append(_named("duplicate", structure.find_duplicates(staying)))
    return pl.concat(parts).unique(subset="row", keep="first", maintain_order=True).sort("row")


def _refuse_drawn(drop: tuple[str, ...]) -> None:
    between = [rule for rule in drop if rule in _BETWEEN_SPLITS]
    if between:
        raise SettingsError(
            f"cannot drop by {between[0]}: the source gives no splits, and what data.build draws "
            "changes when rows go; drop by same_words, or give the rows a split",
            rule=between[0],
        )


def _named(rule: str, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select("row", pl.lit(rule).alias("rule"), "detail")


def _majority(usable: pl.DataFrame) -> pl.DataFrame:
    """Rows with the intent that most rows of the same text and split give, unless two are level."""
    by = ["key", "split"]
    votes = usable.group_by(*by, "intent").agg(votes=pl.len(), row="row")
    best = votes.filter(
        (pl.col("votes") == pl.col("votes").max().over(by))
        & ((pl.col("votes") == pl.col("votes").max().over(by)).sum().over(by) == 1)
    )
    return best.select("row").explode("row")


def _counts(account: pl.DataFrame) -> dict[str, int]:
    return dict(account.group_by("rule").len().sort("rule").iter_rows())


def _left(output: str, encoded: bytes, settings: DataSettings) -> dict[str, int]:
    """What a build of the file that is written would refuse, by rule."""
    file = SourceFile(name=PurePosixPath(output).name, content=encoded)
    table = read_table(Source(location=output, files=(file,), digest=""), None, settings)
    counts = {one.rule: len(one.rows) for one in refuse_rows(table, settings) if len(one.rows)}
    return counts | ({"unreadable": len(table.unreadable)} if table.unreadable else {})
