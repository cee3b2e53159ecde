"""Checks utterances and reports everything that is odd about them, without refusing anything."""

from __future__ import annotations

from pathlib import Path

import msgspec
import polars as pl

from edge_runtime.console import Progress, no_progress
from trainer.config import CheckSettings, DataSettings, TrainSettings
from trainer.data_checks import characters, structure
from trainer.data_checks.expectations import SUITES, Expectation, validate
from trainer.data_checks.findings import MEANINGS, REFUSED, Example, Finding, RowFindings
from trainer.data_checks.label_errors import check_labels
from trainer.data_checks.language import check_language
from trainer.data_checks.lengths import Lengths, check_tokens, describe_lengths
from trainer.data_checks.placing import name_empty_splits, place_rows
from trainer.data_checks.refusals import refuse_as_a_whole, refuse_rows
from trainer.data_checks.similarity import find_near_in_two_splits, fold
from trainer.data_checks.table import PLACE, Table, read_table
from trainer.errors import BaseModelError
from trainer.utterances import Source, open_source

__all__ = ["CheckResult", "DataCheck", "SplitCounts", "check_data", "find_all"]

_SHOWN_CHARACTERS = 200
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NO_ROWS = {"row": pl.UInt32, "detail": pl.String}


class SplitCounts(msgspec.Struct, frozen=True):
    """Rows of one split that can be learnt from, without duplicates."""

    utterances: int
    out_of_scope: int
    intents: int


class DataCheck(msgspec.Struct, frozen=True):
    """What ``data.check`` prints with ``--json``."""

    location: str
    utterances: int
    """Rows that could be read."""
    builds: bool
    """Whether ``data.build`` would take them."""
    splits: dict[str, SplitCounts]
    """By split of the dataset that ``data.build`` would make; one without rows is left out."""
    intents: dict[str, int]
    """Intent -> texts in the source's training split, from which a split that it does not give is
    yet to be drawn; the most frequent first."""
    characters: Lengths
    """Of the normalised texts."""
    tokens: Lengths | None
    """Of a sample, by the base model's tokenizer; ``None`` when the model cannot be found."""
    languages: dict[str, float]
    """ISO 639 code -> share of a sample, the five most frequent."""
    findings: tuple[Finding, ...]
    """One for each rule that is broken, or could not be looked for."""
    expectations: tuple[Expectation, ...]
    """The outcome of the expectation suites."""
    report: str | None
    """The report's folder, or ``None``."""


class CheckResult(msgspec.Struct, frozen=True):
    """A check with what its report is made of."""

    check: DataCheck
    table: Table
    found: tuple[RowFindings, ...]
    told: dict[str, list[str]]
    """Rule -> messages, for what has no row: rows that cannot be read, or all rows together."""
    pages: dict[str, str]
    """Suite -> Data Docs page."""


def check_data(
    location: str,
    *,
    data_settings: DataSettings,
    train_settings: TrainSettings,
    settings: CheckSettings,
    test_location: str | None = None,
    suites: Path = SUITES,
    progress: Progress = no_progress,
) -> CheckResult:
    """Read utterances as ``build_dataset`` does and look for everything in ``MEANINGS``.

    Args:
        location: a path or URI, see ``trainer.utterances.open_source``.
        data_settings: how to read, and the bounds of what can be learnt from.
        train_settings: the base model and its limit of tokens.
        settings: what to look for.
        test_location: utterances for the test, in place of the source's own.
        suites: expectations in the form of ``expectations.json``.
        progress: called after each step.

    Raises:
        SourceNotFoundError: nothing is there, or it cannot be opened.
        SourceFormatError: a folder holds nothing that can be read, or ``suites`` is malformed.
    """
    source = open_source(location)
    test = None if test_location is None else open_source(test_location)
    marked = _marked_files(source, test)
    table = read_table(source, test, data_settings)
    del source, test  # the bytes of a million rows are worth giving back
    placed = place_rows(table, data_settings)
    table = placed.table
    progress("check", 1, 4, f"{len(table.frame)} utterances read")
    found, languages, tokens = find_all(
        table,
        data_settings=data_settings,
        train_settings=train_settings,
        settings=settings,
        progress=progress,
    )
    validation = validate(
        table.frame, data_settings=data_settings, settings=settings, suites=suites
    )
    progress("check", 4, 4, "held against the expectations")
    told = refuse_as_a_whole(table, found, held_out_without_intents=placed.refusal)
    kept = structure.without_duplicates(table.usable())
    if empty := name_empty_splits(kept):
        told["nothing_held_out"] = empty
    if marked:
        told["byte_order_mark"] = [f"{name} begins with a byte order mark" for name in marked]
    findings = [
        *_without_rows(table, told, settings),
        *(_finding(one, table, settings) for one in found if len(one.rows) or one.skipped),
    ]
    order = list(MEANINGS)
    findings.sort(key=lambda one: order.index(one.rule))
    check = DataCheck(
        location=location,
        utterances=len(table.frame),
        builds=not any(one.level == "refused" for one in findings),
        splits=_count_splits(kept),
        intents=_count_intents(kept),
        characters=describe_lengths(table.frame["text"].str.len_chars()),
        tokens=tokens,
        languages=languages,
        findings=tuple(findings),
        expectations=validation.expectations,
        report=None,
    )
    return CheckResult(
        check=check, table=table, found=tuple(found), told=told, pages=validation.pages
    )


def find_all(
    table: Table,
    *,
    data_settings: DataSettings,
    train_settings: TrainSettings,
    settings: CheckSettings,
    progress: Progress = no_progress,
) -> tuple[list[RowFindings], dict[str, float], Lengths | None]:
    """The rows that break each rule, the shares of languages, and the lengths in tokens."""
    usable = table.usable()
    kept = structure.without_duplicates(usable)
    found = [
        *refuse_rows(table, data_settings),
        RowFindings("duplicate", structure.find_duplicates(usable), len(usable)),
        *_structure(kept, settings),
    ]
    folded = fold(kept["text"])
    near = find_near_in_two_splits(
        kept, folded, similarity=settings.near_similarity, seed=settings.seed
    )
    found += [
        RowFindings("same_words", structure.find_same_words(kept, folded), len(kept)),
        RowFindings("nearly_in_two_splits", near, len(kept)),
    ]
    del folded
    progress("check", 2, 4, "texts compared")
    found += [
        RowFindings(rule, find(table.frame), len(table.frame))
        for rule, find in (
            ("mojibake", characters.find_mojibake),
            ("replacement_character", characters.find_replacement_characters),
            ("invisible_character", characters.find_invisible_characters),
            ("control_character", characters.find_control_characters),
            ("mixed_scripts", characters.find_mixed_scripts),
        )
    ]
    tokens, of_tokens = _tokens(kept, train_settings, settings)
    found.append(of_tokens)
    languages: dict[str, float] = {}
    if settings.language_sample:
        language = check_language(
            kept,
            sample=settings.language_sample,
            probability=settings.language_probability,
            seed=settings.seed,
        )
        languages = language.shares
        reason = None if language.main or not len(kept) else "no language has half of the texts"
        found.append(RowFindings("other_language", language.found, language.checked, reason))
    if settings.label_sample:
        labels = check_labels(kept, sample=settings.label_sample, seed=settings.seed)
        found.append(RowFindings("label_error", labels.found, labels.checked, labels.skipped))
    progress("check", 3, 4, "tokens, languages and labels looked at")
    return found, languages, tokens


def _structure(kept: pl.DataFrame, settings: CheckSettings) -> list[RowFindings]:
    found = {
        "contradiction_across_splits": structure.find_contradictions_across_splits(kept),
        "in_two_splits": structure.find_in_two_splits(kept),
        "small_intent": structure.find_small_intents(kept, ratio=settings.imbalance_ratio),
    }
    return [RowFindings(rule, rows, len(kept)) for rule, rows in found.items()]


def _tokens(
    kept: pl.DataFrame, train_settings: TrainSettings, settings: CheckSettings
) -> tuple[Lengths | None, RowFindings]:
    try:
        tokens = check_tokens(
            kept,
            base_model=train_settings.base_model,
            limit=train_settings.max_tokens,
            sample=settings.token_sample,
            seed=settings.seed,
        )
    except BaseModelError as error:
        nothing = pl.DataFrame(schema=_NO_ROWS)
        return None, RowFindings("too_many_tokens", nothing, 0, error.message)
    return tokens.lengths, RowFindings("too_many_tokens", tokens.found, len(kept))


def _without_rows(
    table: Table, messages: dict[str, list[str]], settings: CheckSettings
) -> list[Finding]:
    return [
        Finding(
            rule=rule,
            level="refused" if rule in REFUSED else "warning",
            meaning=MEANINGS[rule],
            count=len(lines),
            checked=len(table.frame) + len(table.unreadable),
            skipped=None,
            examples=tuple(Example("", "", None, one) for one in lines[: settings.examples]),
        )
        for rule, lines in messages.items()
    ]


def _finding(one: RowFindings, table: Table, settings: CheckSettings) -> Finding:
    examples = (
        one.rows.head(settings.examples)
        .join(table.frame, on="row", how="left", maintain_order="left")
        .select(
            PLACE.alias("place"), pl.col("text").str.head(_SHOWN_CHARACTERS), "intent", "detail"
        )
    )
    return Finding(
        rule=one.rule,
        level="refused" if one.rule in REFUSED else "warning",
        meaning=MEANINGS[one.rule],
        count=len(one.rows),
        checked=one.checked,
        skipped=one.skipped,
        examples=tuple(Example(*row) for row in examples.iter_rows()),
    )


def _count_splits(kept: pl.DataFrame) -> dict[str, SplitCounts]:
    counts = kept.group_by("dataset_split").agg(
        pl.len().alias("utterances"),
        pl.col("intent").is_null().sum().alias("out_of_scope"),
        pl.col("intent").drop_nulls().n_unique().alias("intents"),
    )
    by_split = {str(row[0]): SplitCounts(*row[1:]) for row in counts.iter_rows()}
    return {name: by_split[name] for name in ("train", "validation", "test") if name in by_split}


def _count_intents(kept: pl.DataFrame) -> dict[str, int]:
    train = kept.filter((pl.col("split") == "train") & pl.col("intent").is_not_null())
    counts = train.group_by("intent").len().sort("len", "intent", descending=[True, False])
    return dict(counts.iter_rows())


def _marked_files(*sources: Source | None) -> list[str]:
    files = [file for source in sources if source is not None for file in source.files]
    return [file.name for file in files if file.content.startswith(_BYTE_ORDER_MARK)]
