"""What ``data.build`` would refuse, all of it, where a build stops at the first.

``trainer.validation`` owns these rules. What one row breaks is decided there, row by row; what
rows break together is found here in columns, and a test holds the two against each other.
"""

from __future__ import annotations

import polars as pl

from trainer.config import DataSettings
from trainer.data_checks import structure
from trainer.data_checks.findings import RowFindings
from trainer.data_checks.table import Table

__all__ = ["refuse_as_a_whole", "refuse_rows"]


def refuse_rows(table: Table, settings: DataSettings) -> list[RowFindings]:
    """The rows that break a rule, by themselves or with others."""
    kept = structure.without_duplicates(table.usable())
    fewest = settings.min_examples_per_intent
    refused = table.frame.filter(pl.col("refused").is_not_null())
    return [
        *(
            RowFindings(str(rule), rows.select("row", detail="reason"), len(table.frame))
            for (rule,), rows in refused.group_by("refused", maintain_order=True)
        ),
        RowFindings("contradiction", structure.find_contradictions(kept), len(kept)),
        RowFindings("unknown_intent", structure.find_unknown_intents(kept), len(kept)),
        RowFindings(
            "too_few_examples", structure.find_too_few_examples(kept, fewest=fewest), len(kept)
        ),
    ]


def refuse_as_a_whole(
    table: Table, found: list[RowFindings], *, held_out_without_intents: str | None
) -> dict[str, list[str]]:
    """Rule -> messages, for what has no row of its own.

    Args:
        table: all rows.
        found: what ``refuse_rows`` gives, and perhaps more.
        held_out_without_intents: why the splits would be refused, as ``place_rows`` tells.
    """
    messages: dict[str, list[str]] = {}
    if table.unreadable:
        messages["unreadable"] = list(table.unreadable)
    usable = table.usable()
    train = usable.filter((pl.col("split") == "train") & pl.col("intent").is_not_null())
    refused = {one.rule for one in found if len(one.rows)}
    if train["intent"].n_unique() < 2:
        messages["too_few_intents"] = ["a classifier needs at least two intents"]
    elif held_out_without_intents and not refused & {
        "contradiction",
        "unknown_intent",
        "too_few_examples",
    }:
        messages["held_out_without_intents"] = [held_out_without_intents]
    return messages
