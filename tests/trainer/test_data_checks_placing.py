"""The splits of a dataset that would be built, for the checks between them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainer.config import CheckSettings, DataSettings, TrainSettings
from trainer.data_checks.check import CheckResult, check_data
from trainer.data_checks.placing import place_rows
from trainer.data_checks.table import read_table
from trainer.dataset import build_dataset, read_dataset
from trainer.errors import UtterancesInvalidError
from trainer.splitting import check_held_out, split_utterances
from trainer.utterances import open_source, read_utterances
from trainer.validation import check_utterances

CALM = {"language_sample": 0, "label_sample": 0}
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NOUNS = ("lamp in the hall", "song by the river", "weather of tomorrow", "alarm for the morning")


def write(folder: Path, rows: list[tuple[str, str, str]]) -> str:
    path = folder / "a.jsonl"
    keys = ("text", "intent", "split")
    path.write_text("\n".join(json.dumps(dict(zip(keys, row, strict=True))) for row in rows))
    return str(path)


def check(
    location: str, data: DataSettings, checks: CheckSettings, training: TrainSettings
) -> CheckResult:
    return check_data(
        location,
        data_settings=data,
        train_settings=training,
        settings=msgspec.structs.replace(checks, **CALM),
    )


def twins(mark: str) -> list[tuple[str, str, str]]:
    texts = [(f"please tell of the {noun} number {one}", noun) for one in NUMBERS for noun in NOUNS]
    return [(text + end, noun, "") for text, noun in texts for end in ("", mark)]


@pytest.mark.parametrize("mark", ["!", "s"])
def test_twins_on_both_sides_of_a_split_that_a_build_draws_are_found(
    data_settings: DataSettings,
    check_settings: CheckSettings,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
    mark: str,
) -> None:
    location = write(tmp_path, twins(mark))
    result = check(location, data_settings, check_settings, tiny_train_settings)
    found = {one.rule: one for one in result.check.findings}["nearly_in_two_splits"]
    build_dataset(location, tmp_path / "dataset", settings=data_settings)
    dataset = read_dataset(tmp_path / "dataset")
    train, validation = set(dataset.train.texts), set(dataset.validation.texts)

    def twin(text: str) -> str:
        return text.removesuffix(mark) if text.endswith(mark) else text + mark

    leaking = [text for text in dataset.validation.texts if twin(text) in train]
    leaking += [text for text in dataset.test.texts if twin(text) in train | validation]
    assert leaking
    reported = result.table.frame.join(
        next(one.rows for one in result.found if one.rule == "nearly_in_two_splits"), on="row"
    )
    assert set(leaking) <= set(reported["text"])
    assert found.count == len(reported)


def test_the_same_text_in_validation_and_in_the_test_is_found(
    data_settings: DataSettings,
    check_settings: CheckSettings,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
) -> None:
    held = [(f"tell of the {noun}", noun) for noun in NOUNS]
    rows = [(f"what about the {noun} {one}", noun, "train") for one in NUMBERS for noun in NOUNS]
    rows += [(*one, split) for split in ("validation", "test") for one in held]
    result = check(write(tmp_path, rows), data_settings, check_settings, tiny_train_settings)
    found = {one.rule: one for one in result.check.findings}["in_two_splits"]
    assert found.count == len(held)
    assert found.examples[0].place == "a.jsonl, line 45"
    assert found.examples[0].detail == "as in a.jsonl, line 41, in validation"


def test_a_large_source_with_a_validation_out_of_scope_alone_does_not_build(
    data_settings: DataSettings, tmp_path: Path
) -> None:
    rows = [(f"text {number}", f"intent {number % 50}", "train") for number in range(22_000)]
    rows += [(f"other {number}", "oos", "validation") for number in range(5)]
    location = write(tmp_path, rows)
    placed = place_rows(read_table(open_source(location), None, data_settings), data_settings)
    assert "no utterance of the validation has an intent" in str(placed.refusal)
    with pytest.raises(
        UtterancesInvalidError, match="no utterance of the validation has an intent"
    ):
        build_dataset(location, tmp_path / "dataset", settings=data_settings)


sources = st.lists(
    st.tuples(
        st.text("abcABC ", max_size=4),
        st.sampled_from(["a", "b", "oos"]),
        st.sampled_from(["", "train", "validation", "test"]),
    ),
    min_size=1,
    max_size=60,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=sources, fixed=st.booleans())
def test_rows_stand_where_a_build_would_put_them(
    data_settings: DataSettings, tmp_path: Path, rows: list[tuple[str, str, str]], *, fixed: bool
) -> None:
    rows = [
        row if fixed else (*row[:2], "")
        for row in [*rows, *((f"{intent} {n}", intent, "") for intent in "ab" for n in range(9))]
        if row[0].strip()
    ]
    location = write(tmp_path, rows)
    table = read_table(open_source(location), None, data_settings)
    try:
        utterances = read_utterances(location, settings=data_settings)
        kept = check_utterances(utterances, data_settings).utterances
    except UtterancesInvalidError:
        return  # a build stops before it draws
    splits = split_utterances(kept, data_settings)
    expected = {
        one.line: name for name in ("train", "validation", "test") for one in getattr(splits, name)
    }
    placed = place_rows(table, data_settings)
    found = placed.table.frame.filter(pl.col("line").is_in(list(expected)))
    assert dict(found.select("line", "dataset_split").iter_rows()) == expected
    if placed.refusal is None:
        check_held_out(splits)
    else:
        with pytest.raises(UtterancesInvalidError, match=placed.refusal):
            check_held_out(splits)
