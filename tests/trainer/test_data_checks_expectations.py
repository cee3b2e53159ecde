"""The committed expectations, run by Great Expectations."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest

from trainer.config import CheckSettings, DataSettings
from trainer.data_checks.expectations import SUITES, Validation, validate
from trainer.data_checks.table import SCHEMA
from trainer.errors import SourceFormatError

UNKNOWN_BOUND = """{"utterances": [], "intents": [{
    "type": "expect_column_max_to_be_between",
    "kwargs": {"column": "imbalance", "max_value": {"$PARAMETER": "no_such_bound"}}
}]}"""


def table(rows: list[tuple[str, str | None, str]]) -> pl.DataFrame:
    schema = {**SCHEMA, "split": pl.String}
    values = [
        {"text": text, "key": text.casefold(), "intent": intent, "split": split}
        for text, intent, split in rows
    ]
    return pl.DataFrame(values, schema=schema)


@pytest.fixture
def good() -> list[tuple[str, str | None, str]]:
    rows: list[tuple[str, str | None, str]] = [
        (f"text {n} of {intent}", intent, "train") for n in range(20) for intent in ("a", "b")
    ]
    return [*rows, ("who knows", None, "test")]


def run(
    rows: list[tuple[str, str | None, str]],
    data_settings: DataSettings,
    check_settings: CheckSettings,
    suites: Path = SUITES,
) -> Validation:
    return validate(
        table(rows), data_settings=data_settings, settings=check_settings, suites=suites
    )


def missed(validation: Validation) -> dict[str, int | None]:
    return {one.meaning: one.unexpected for one in validation.expectations if not one.met}


def test_good_rows_meet_all_expectations(
    data_settings: DataSettings, check_settings: CheckSettings, good
) -> None:
    found = run(good, data_settings, check_settings)
    assert missed(found) == {}
    assert len(found.expectations) == sum(map(len, json.loads(SUITES.read_text()).values()))
    assert all(one.meaning for one in found.expectations)


@pytest.mark.parametrize(
    ("rows", "meaning"),
    [
        ([("", "a", "train")], "neither empty nor longer than data.max_characters"),
        ([("x" * 2001, "a", "train")], "neither empty nor longer than data.max_characters"),
        ([("x", "", "train")], "neither empty nor longer than data.max_label_characters"),
        ([("x", "a" * 101, "train")], "neither empty nor longer than data.max_label_characters"),
        ([("x", "a\u200b", "train")], "control or invisible"),
        ([("x", "a  b", "train")] * 2, "one space between"),
        ([("x", "a", "holdout")], "belongs to a split"),
        ([("text 1 of a", "a", "train")] * 9, "one row in twenty"),
        ([("x", "c", "train")], "data.min_examples_per_intent"),
        (
            [("x", "c", "train"), ("y", "c", "train"), *[(f"{n}", "a", "train") for n in range(9)]],
            "check.imbalance_ratio",
        ),
    ],
)
def test_a_row_that_differs_is_counted(
    data_settings: DataSettings, check_settings: CheckSettings, good, rows, meaning: str
) -> None:
    found = missed(run([*good, *rows], data_settings, check_settings))
    assert any(meaning in one for one in found), found


def test_pages_show_the_outcome_and_load_nothing_from_elsewhere(
    data_settings: DataSettings, check_settings: CheckSettings, good
) -> None:
    found = run([*good, ("x", "a", "holdout")], data_settings, check_settings)
    assert set(found.pages) == {"utterances", "intents"}
    for page in found.pages.values():
        assert page.lstrip().startswith("<!DOCTYPE html>")
        assert re.findall(r"(?:src|href)\s*=\s*[\"']https?:", page) == []
        assert "<script" not in page
    assert "holdout" in found.pages["utterances"]


def test_own_expectations_take_the_place_of_the_committed_ones(
    data_settings: DataSettings, check_settings: CheckSettings, good, tmp_path: Path
) -> None:
    mine = {
        "utterances": [
            {
                "type": "expect_column_values_to_not_match_regex",
                "kwargs": {"column": "text", "regex": "knows"},
                "meta": {"notes": "Nobody knows."},
            },
            {"type": "expect_column_values_to_be_null", "kwargs": {"column": "no_such_column"}},
        ],
        "intents": [],
    }
    (tmp_path / "mine.json").write_text(json.dumps(mine))
    found = run(good, data_settings, check_settings, tmp_path / "mine.json").expectations
    by_type = {one.type: one for one in found}
    assert by_type["expect_column_values_to_not_match_regex"].unexpected == 1
    assert by_type["expect_column_values_to_not_match_regex"].observed == "who knows"
    assert not by_type["expect_column_values_to_be_null"].met
    assert "no_such_column" in by_type["expect_column_values_to_be_null"].observed


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "holds no expectations"),
        ('{"utterances": []}', "holds no expectations"),
        (
            '{"utterances": [{"type": "expect_miracles", "kwargs": {}}], "intents": []}',
            "the suite utterances cannot be read",
        ),
        (
            # A bound that is no setting.
            UNKNOWN_BOUND,
            "the suite intents cannot be read .*no_such_bound",
        ),
        (None, "cannot read the expectations"),
    ],
)
def test_a_file_without_expectations_is_refused(
    data_settings: DataSettings,
    check_settings: CheckSettings,
    good,
    tmp_path: Path,
    content: str | None,
    reason: str,
) -> None:
    path = tmp_path / "mine.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SourceFormatError, match=reason) as caught:
        run(good, data_settings, check_settings, path)
    assert "\n" not in caught.value.message
