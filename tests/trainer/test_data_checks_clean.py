"""Cleaning utterances, with an account of every row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime.errors import SettingsError
from edge_runtime.text import normalize
from tests.trainer.wrong_labels import wrongly_labelled
from trainer.config import CheckSettings, DataSettings, TrainSettings
from trainer.data_checks.clean import CleanResult, clean_utterances
from trainer.dataset import build_dataset, read_dataset
from trainer.errors import SourceFormatError
from trainer.utterances import Utterance, read_utterances

SOURCE = """text,intent,split
lamp on,light,train
lamp  on,light,train
lamp on,light,test
play jazz,music,train
Play Jazz,light,train
play jazz,music,train
un cafÃ© noir,coffee,train
,coffee,train
what is pi,oos,test
"""


@pytest.fixture
def clean(
    data_settings: DataSettings,
    check_settings: CheckSettings,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
) -> Callable[..., tuple[CleanResult, list[dict[str, Any]]]]:
    """Clean the text of a CSV file into ``clean.csv``; the result and the account."""

    def run(
        content: str = SOURCE, *, output: str = "clean.csv", **how: Any
    ) -> tuple[CleanResult, list[dict[str, Any]]]:
        (tmp_path / "a.csv").write_bytes(content.encode())
        result = clean_utterances(
            str(tmp_path / "a.csv"),
            str(tmp_path / output),
            data_settings=data_settings,
            train_settings=tiny_train_settings,
            settings=check_settings,
            **how,
        )
        # Not splitlines: texts may hold other line separators.
        lines = Path(result.changes).read_text(encoding="utf-8").split("\n")
        return result, [json.loads(line) for line in lines if line]

    return run


def written(path: Path, settings: DataSettings) -> list[tuple[str, str | None, str | None]]:
    found: list[Utterance] = read_utterances(str(path), settings=settings)
    return [(one.text, one.intent, one.split) for one in found]


def test_texts_are_normalised_and_duplicates_dropped_and_nothing_else(
    clean, data_settings: DataSettings, tmp_path: Path
) -> None:
    result, account = clean(drop=("text_empty",))
    assert written(tmp_path / "clean.csv", data_settings) == [
        ("lamp on", "light", "train"),
        ("lamp on", "light", "test"),
        ("play jazz", "music", "train"),
        ("Play Jazz", "light", "train"),
        ("un cafÃ© noir", "coffee", "train"),
        ("what is pi", None, "test"),
    ]
    assert (result.read, result.written) == (9, 6)
    assert result.dropped == {"duplicate": 2, "text_empty": 1}
    # Of music and of coffee one training text is left each.
    assert result.left == {"contradiction": 2, "too_few_examples": 2}
    assert [(one["place"], one["action"], one["rule"]) for one in account] == [
        ("a.csv, line 3", "dropped", "duplicate"),
        ("a.csv, line 7", "dropped", "duplicate"),
        ("a.csv, line 9", "dropped", "text_empty"),
    ]
    assert account[0] == {
        "place": "a.csv, line 3",
        "action": "dropped",
        "rule": "duplicate",
        "detail": "as in a.csv, line 2",
        "intent": "light",
        "before": "lamp  on",
        "after": None,
    }


def test_a_changed_text_is_told_of_as_it_was_and_is(clean) -> None:
    result, account = clean("text,intent\nlamp   off ,light\n")
    assert result.changed == {"normalized": 1}
    assert (account[0]["before"], account[0]["after"]) == ("lamp   off ", "lamp off")


def test_mojibake_is_repaired_only_when_asked(
    clean, data_settings: DataSettings, tmp_path: Path
) -> None:
    result, account = clean(repair=True)
    assert result.changed == {"mojibake": 1}
    assert account[-1]["after"] == "un café noir"
    assert "un café noir" in [one[0] for one in written(tmp_path / "clean.csv", data_settings)]


def test_contradictions_are_dropped_when_asked(
    clean, data_settings: DataSettings, tmp_path: Path
) -> None:
    result, account = clean(contradictions="drop")
    assert result.dropped["contradiction"] == 3
    assert "contradiction" not in result.left
    left = [one[0].lower() for one in written(tmp_path / "clean.csv", data_settings)]
    assert "play jazz" not in left
    assert {one["detail"] for one in account if one["rule"] == "contradiction"} == {
        "light and music"
    }


def test_the_majority_keeps_the_intent_that_most_rows_give(
    clean, data_settings: DataSettings, tmp_path: Path
) -> None:
    result, _ = clean(contradictions="majority")
    assert result.dropped == {"contradiction": 1, "duplicate": 2}
    jazz = [one for one in written(tmp_path / "clean.csv", data_settings) if "azz" in one[0]]
    assert jazz == [("play jazz", "music", "train")]


def test_where_two_intents_are_level_all_rows_go(clean) -> None:
    result, _ = clean("text,intent\non,light\nON,music\nplay,music\n", contradictions="majority")
    assert (result.written, result.dropped) == (1, {"contradiction": 2})


def test_rows_are_dropped_by_named_rules(clean) -> None:
    content = SOURCE + "go\u200b on,light,train\n"
    result, _ = clean(content, drop=("in_two_splits", "invisible_character", "mojibake"))
    assert result.dropped == {
        "duplicate": 2,
        "in_two_splits": 1,
        "invisible_character": 1,
        "mojibake": 1,
    }
    assert result.left == {"contradiction": 2, "text_empty": 1, "too_few_examples": 1}


def test_rows_that_cannot_be_read_are_refused_unless_they_are_to_be_dropped(clean) -> None:
    content = "text,intent\nlamp on,light,more\nlamp off,light\n"
    with pytest.raises(SourceFormatError, match="line 2: 3 fields, .* the rule unreadable"):
        clean(content)
    result, account = clean(content, drop=("unreadable",))
    assert result.dropped == {"unreadable": 1}
    assert account[0]["detail"].startswith("a.csv, line 2: 3 fields")


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"drop": ("typos",)}, "rows cannot be dropped by 'typos'; choose among unreadable, "),
        ({"contradictions": "guess"}, "contradictions cannot be 'guess'; choose keep, drop,"),
        ({"output": "clean.xlsx"}, "give a name that ends in .csv, .jsonl or .parquet"),
        ({"output": "a.csv"}, "is the source itself"),
    ],
)
def test_what_cannot_be_done_is_refused(clean, how: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingsError) as caught:
        clean(**how)
    assert reason in caught.value.message


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_labels_splits_and_columns_are_accounted_for(
    data_settings: DataSettings,
    check_settings: CheckSettings,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
    suffix: str,
) -> None:
    rows = pl.DataFrame(
        [
            ("lamp on", "light  on", "train", "ann"),
            ("what is pi", "OUT_OF_SCOPE", "dev", "bob"),
            ("what is e", "oos", "test", "bob"),
        ],
        schema=["text", "label", "split", "speaker"],
        orient="row",
    )
    path = tmp_path / f"a{suffix}"
    {".csv": rows.write_csv, ".jsonl": rows.write_ndjson, ".parquet": rows.write_parquet}[suffix](
        path
    )
    result = clean_utterances(
        str(path),
        str(tmp_path / "clean.csv"),
        data_settings=data_settings,
        train_settings=tiny_train_settings,
        settings=check_settings,
    )
    assert result.changed == {"label": 2, "split": 1}
    assert result.dropped == {}
    assert result.columns_dropped == {f"a{suffix}": ("speaker",)}
    account = [json.loads(line) for line in Path(result.changes).read_text().splitlines()]
    assert account[0]["place"] == f"a{suffix}"
    assert (account[0]["rule"], account[0]["detail"]) == (
        "column",
        "the column 'speaker' is not read",
    )
    assert [(one["rule"], one["before"], one["after"]) for one in account[1:]] == [
        ("label", "light  on", "light on"),
        ("label", "OUT_OF_SCOPE", "oos"),
        ("split", "dev", "validation"),
    ]


@pytest.mark.parametrize(
    ("location", "output", "changes"),
    [
        ("set/train.csv", "clean.csv", "set/train.csv"),
        ("set", "set/train.csv", None),
        ("set", "clean.csv", "other/../set/test.jsonl"),
        ("set", "link.csv", None),
        ("set", "clean.csv", "clean.csv"),
    ],
)
def test_neither_the_source_nor_the_account_is_written_over(
    data_settings: DataSettings,
    check_settings: CheckSettings,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
    location: str,
    output: str,
    changes: str | None,
) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "set" / "train.csv").write_text(SOURCE)
    (tmp_path / "set" / "test.jsonl").write_text('{"text": "a", "intent": "light"}')
    (tmp_path / "link.csv").symlink_to(tmp_path / "set" / "train.csv")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(SettingsError, match="write somewhere else|give two names"):
        clean_utterances(
            str(tmp_path / location),
            str(tmp_path / output),
            data_settings=data_settings,
            train_settings=tiny_train_settings,
            settings=check_settings,
            changes=None if changes is None else str(tmp_path / changes),
        )
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_templates_are_not_cleaned(
    data_settings: DataSettings,
    check_settings: CheckSettings,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
) -> None:
    (tmp_path / "a.yaml").write_text("intents: {greet: {data: [{sentences: [hello]}]}}")
    with pytest.raises(SourceFormatError, match="mend the templates themselves"):
        clean_utterances(
            str(tmp_path / "a.yaml"),
            str(tmp_path / "b.csv"),
            data_settings=data_settings,
            train_settings=tiny_train_settings,
            settings=check_settings,
        )
    assert not (tmp_path / "b.csv").exists()


def test_a_text_does_not_go_as_the_duplicate_of_one_that_goes_too(
    clean, data_settings: DataSettings, tmp_path: Path
) -> None:
    content = "text,intent\nlamp\x07 on,light\nlamp on,light\nlamp on,light\n"
    result, _ = clean(content, drop=("control_character",))
    assert written(tmp_path / "clean.csv", data_settings) == [("lamp on", "light", None)]
    assert result.dropped == {"control_character": 1, "duplicate": 1}


@pytest.mark.parametrize("output", ["clean.csv", "clean.jsonl", "clean.parquet"])
def test_columns_are_written_by_the_names_that_the_settings_read(
    data_settings: DataSettings,
    check_settings: CheckSettings,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
    output: str,
) -> None:
    settings = msgspec.structs.replace(
        data_settings, text_column="phrase", intent_column="goal", split_column="fold"
    )
    (tmp_path / "a.csv").write_text("phrase,goal,fold\nlamp on,light,train\nlamp,light,test\n")
    clean_utterances(
        str(tmp_path / "a.csv"),
        str(tmp_path / output),
        data_settings=settings,
        train_settings=tiny_train_settings,
        settings=check_settings,
    )
    assert written(tmp_path / output, settings) == [
        ("lamp on", "light", "train"),
        ("lamp", "light", "test"),
    ]


def test_what_is_left_is_what_a_build_of_the_written_file_refuses(clean) -> None:
    content = "text,intent,split\na one,a,train\na two,a,train\nb one,b,train\nb two,b,train\n"
    result, _ = clean(content + "rare,rare,train\nodd,odd,test\n")
    assert result.left == {"too_few_examples": 1, "unknown_intent": 1}
    result, _ = clean(content + "rare,rare,train\nodd,rare,test\n", drop=("too_few_examples",))
    assert result.left == {"unknown_intent": 1}
    assert clean(content)[0].left == {}


def test_a_text_that_writing_mends_is_not_left(
    data_settings: DataSettings,
    check_settings: CheckSettings,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
) -> None:
    rows = [("lamp\0 on", "light"), ("light", "light"), ("jazz", "music"), ("song", "music")]
    lines = [json.dumps({"text": text, "intent": intent}) for text, intent in rows]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    result = clean_utterances(
        str(tmp_path / "a.jsonl"),
        str(tmp_path / "clean.csv"),
        data_settings=data_settings,
        train_settings=tiny_train_settings,
        settings=check_settings,
    )
    assert written(tmp_path / "clean.csv", data_settings)[0] == ("lamp on", "light", None)
    assert result.left == {}


@pytest.mark.parametrize("name", ["clean.csv", "clean.jsonl", "clean.parquet"])
def test_a_dataset_is_built_of_what_was_written(
    clean, data_settings: DataSettings, tiny_utterances: Path, tmp_path: Path, name: str
) -> None:
    clean(tiny_utterances.read_text(), output=name)
    folders = tmp_path / "first", tmp_path / "second"
    for location, folder in zip((tiny_utterances, tmp_path / name), folders, strict=True):
        build_dataset(str(location), folder, settings=data_settings)
    first, second = (read_dataset(folder) for folder in folders)
    assert (first.train, first.validation, first.test) == (
        second.train,
        second.validation,
        second.test,
    )


@pytest.mark.parametrize("name", ["clean.csv", "clean.jsonl", "clean.parquet"])
def test_cleaning_twice_gives_the_same_bytes(clean, tmp_path: Path, name: str) -> None:
    clean(output=name)
    before = (tmp_path / name).read_bytes()
    clean(output=name)
    assert (tmp_path / name).read_bytes() == before


characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
rows = st.lists(
    st.tuples(
        st.text(characters, max_size=20),
        st.sampled_from(["a", "b", "oos"]),
        st.sampled_from(["", "train", "test"]),
    ),
    min_size=1,
    max_size=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=rows, name=st.sampled_from(["clean.csv", "clean.jsonl", "clean.parquet"]))
def test_every_row_is_written_or_accounted_for(
    clean, data_settings: DataSettings, tmp_path: Path, rows: list[tuple[str, str, str]], name: str
) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows([("text", "intent", "split"), *rows])
    result, account = clean(file.getvalue(), output=name, drop=("text_empty",))
    dropped = [one for one in account if one["action"] == "dropped"]
    assert result.read == len(rows) == result.written + len(dropped)
    if not result.written:
        return
    found = written(tmp_path / name, data_settings)
    expected = dict.fromkeys(
        (normalize(text), None if intent == "oos" else intent, split or None)
        for text, intent, split in rows
        if normalize(text)
    )
    # Rows without a split stand in training.
    seen: dict[Any, None] = {}
    for text, intent, split in expected:
        seen.setdefault((text, intent, split or "train"))
    assert [(text, intent, split or "train") for text, intent, split in found] == list(seen)


def test_rows_are_not_dropped_by_splits_that_are_only_drawn(
    clean: Callable[..., tuple[CleanResult, list[dict[str, Any]]]],
) -> None:
    with pytest.raises(SettingsError, match="nearly_in_two_splits: the source gives no splits"):
        clean("text,intent\na,b\n", drop=("nearly_in_two_splits",))


def test_what_is_dropped_is_looked_for_in_all_rows_and_not_in_a_sample(
    data_settings: DataSettings,
    check_settings: CheckSettings,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
) -> None:
    frame, right = wrongly_labelled(200, wrong=6)
    frame.select("text", "intent", split=pl.lit("train")).write_csv(tmp_path / "a.csv")
    result = clean_utterances(
        str(tmp_path / "a.csv"),
        str(tmp_path / "clean.csv"),
        data_settings=data_settings,
        train_settings=tiny_train_settings,
        settings=msgspec.structs.replace(check_settings, label_sample=12, language_sample=0),
        drop=("label_error",),
    )
    assert result.dropped == {"label_error": len(right)}
