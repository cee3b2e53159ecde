"""Building a dataset's folder and reading it back."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from edge_runtime.artifact import Artifact
from edge_runtime.errors import ArtifactError
from trainer.config import DataSettings
from trainer.dataset import build_dataset, read_dataset
from trainer.errors import DataError, SourceFormatError, SourceNotFoundError, UtterancesInvalidError

EXAMPLE = Path(__file__).parents[2] / "trainer" / "examples" / "smart_home"
ROWS = [(f"{verb} the {thing}", verb) for verb in ("open", "close", "find") for thing in "abcdefgh"]


def csv_text(rows: list[tuple[str, str]]) -> str:
    return "text,intent\n" + "".join(f"{text},{intent}\n" for text, intent in rows)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "talk.csv"
    path.write_text(csv_text(ROWS))
    return path


def build(source: Path, folder: Path, settings: DataSettings, **more: Any) -> Artifact:
    return build_dataset(str(source), folder, settings=settings, **more)


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_a_dataset_is_read_back(data_settings: DataSettings, source: Path, tmp_path: Path) -> None:
    artifact = build(source, tmp_path / "dataset", data_settings)
    dataset = read_dataset(tmp_path / "dataset")
    assert dataset.digest == artifact.digest
    assert dataset.labels == ("close", "find", "open")
    parts = (dataset.train, dataset.validation, dataset.test)
    pairs = [pair for part in parts for pair in zip(part.texts, part.intents, strict=True)]
    assert sorted(pairs, key=str) == sorted(ROWS, key=str)
    # Of 8 texts of an intent 1 is 15 %; the other 7 are too few to give any to validation.
    assert [len(part.texts) for part in parts] == [21, 0, 3]


def test_the_folder_holds_what_its_document_says(
    data_settings: DataSettings, source: Path, tmp_path: Path
) -> None:
    artifact = build(source, tmp_path / "dataset", data_settings)
    assert sorted(artifact.document.files) == [
        "labels.json",
        "test.parquet",
        "train.parquet",
        "val.parquet",
        "validation.json",
    ]
    assert artifact.document.result == {
        "intents": 3,
        "train": 21,
        "validation": 0,
        "test": 3,
        "out_of_scope_train": 0,
        "out_of_scope_validation": 0,
        "out_of_scope_test": 0,
        "duplicates_dropped": 0,
        "replaced_test": 0,
    }
    assert json.loads((artifact.folder / "labels.json").read_text()) == ["close", "find", "open"]
    assert json.loads((artifact.folder / "validation.json").read_text())["read"] == len(ROWS)
    assert pq.read_schema(artifact.folder / "val.parquet").names == ["text", "intent"]


def test_the_same_source_gives_the_same_bytes(
    data_settings: DataSettings, source: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere" / "talk.csv"
    elsewhere.parent.mkdir()
    shutil.copy(source, elsewhere)
    build(source, tmp_path / "a", data_settings)
    build(elsewhere, tmp_path / "b", data_settings)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


def test_an_unchanged_source_is_skipped(
    data_settings: DataSettings, source: Path, tmp_path: Path
) -> None:
    first = build(source, tmp_path / "dataset", data_settings)
    second = build(source, tmp_path / "dataset", data_settings)
    assert (first.skipped, second.skipped) == (False, True)
    assert first.digest == second.digest


def test_one_changed_utterance_builds_anew(
    data_settings: DataSettings, source: Path, tmp_path: Path
) -> None:
    first = build(source, tmp_path / "dataset", data_settings)
    source.write_text(csv_text([*ROWS[1:], ("open the door", "open")]))
    second = build(source, tmp_path / "dataset", data_settings)
    assert not second.skipped
    assert second.digest != first.digest


def test_a_changed_setting_builds_anew(
    data_settings: DataSettings, source: Path, tmp_path: Path
) -> None:
    build(source, tmp_path / "dataset", data_settings)
    other = msgspec.structs.replace(data_settings, seed=2)
    assert not build(source, tmp_path / "dataset", other).skipped


def test_out_of_scope_rows_are_kept_without_an_intent(
    data_settings: DataSettings, source: Path, tmp_path: Path
) -> None:
    source.write_text(csv_text([*ROWS, *((f"fact {number}", "oos") for number in range(8))]))
    result = build(source, tmp_path / "dataset", data_settings).document.result
    dataset = read_dataset(tmp_path / "dataset")
    assert None not in dataset.labels
    assert "oos" not in dataset.labels
    assert (result["train"], result["out_of_scope_train"]) == (21, 7)
    assert dataset.train.intents.count(None) == 7
    assert result["out_of_scope_test"] == dataset.test.intents.count(None) == 1


def test_a_test_location_takes_the_place_of_the_test(
    data_settings: DataSettings, source: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "both"
    folder.mkdir()
    shutil.copy(source, folder / "train.csv")
    (folder / "test.csv").write_text("text,intent\nan old one,open\n")
    fresh = tmp_path / "fresh.csv"
    fresh.write_text("text,intent\nplease open up,open\nwhat is pi,oos\n")
    artifact = build(folder, tmp_path / "dataset", data_settings, test_location=str(fresh))
    dataset = read_dataset(tmp_path / "dataset")
    assert dataset.test.texts == ["please open up", "what is pi"]
    assert dataset.test.intents == ["open", None]
    assert artifact.document.result["replaced_test"] == 1
    assert set(artifact.document.parents) == {"source", "test"}
    fresh.write_text("text,intent\nplease close,close\n")
    assert not build(folder, tmp_path / "dataset", data_settings, test_location=str(fresh)).skipped


def test_a_test_location_with_a_test_split_gives_that_alone(
    data_settings: DataSettings, source: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"train": [["not this", "open"]], "test": [["but this", "open"]]}')
    build(source, tmp_path / "dataset", data_settings, test_location=str(other))
    assert read_dataset(tmp_path / "dataset").test.texts == ["but this"]


def changes(folder: Path) -> list[dict[str, Any]]:
    path = folder.with_name(f"{folder.name}.changes.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_half_of_a_surrogate_pair_is_told_of_by_its_number(
    data_settings: DataSettings, source: Path, tmp_path: Path
) -> None:
    talk = source.with_suffix(".jsonl")
    rows = [*ROWS, ("\ud83d lamp on", "open")]
    talk.write_text("\n".join(json.dumps({"text": text, "intent": one}) for text, one in rows))
    build(talk, tmp_path / "dataset", data_settings)
    assert [(one["before"], one["after"]) for one in changes(tmp_path / "dataset")] == [
        ("\\ud83d lamp on", "lamp on")
    ]


def test_a_label_of_clinc_s_form_is_told_of_where_it_was_changed(
    data_settings: DataSettings, tmp_path: Path
) -> None:
    talk = tmp_path / "talk.json"
    train = [*(list(row) for row in ROWS), ["lamp on", " open "]]
    talk.write_text(json.dumps({"train": train, "oos_train": [["pi", "oos"]]}))
    build(talk, tmp_path / "dataset", data_settings)
    found = changes(tmp_path / "dataset")
    assert [(one["rule"], one["before"], one["after"]) for one in found] == [
        ("label", " open ", "open")
    ]


def test_every_change_and_every_loss_is_told_of_beside_the_folder(
    data_settings: DataSettings, source: Path, tmp_path: Path
) -> None:
    more = "text,intent,split\n" + "".join(f"{text},{intent},train\n" for text, intent in ROWS)
    more += "open  the door,open,train\nopen the a,open,train\nshut it, close,training\n"
    more += "what is pi,OUT_OF_SCOPE,train\nopen the gate,open,dev\nfind it,find,test\n"
    source.write_text(more)
    (tmp_path / "test.csv").write_text(
        "text,intent,split\nfind me,find,test\nclose me,close,train\n"
    )
    build(source, tmp_path / "dataset", data_settings, test_location=str(tmp_path / "test.csv"))
    keys = ("place", "action", "rule", "detail", "intent", "before", "after")
    found = [tuple(one[key] for key in keys) for one in changes(tmp_path / "dataset")]
    assert found == [
        ("talk.csv, line 31", "dropped", "replaced_test", found[0][3], "find", "find it", None),
        ("test.csv, line 3", "dropped", "not_in_test", found[1][3], "close", "close me", None),
        (
            *("talk.csv, line 26", "changed", "normalized", "", "open"),
            *("open  the door", "open the door"),
        ),
        (
            *("talk.csv, line 27", "dropped", "duplicate", "as in talk.csv, line 2", "open"),
            *("open the a", None),
        ),
        ("talk.csv, line 28", "changed", "label", "", "close", " close", "close"),
        ("talk.csv, line 28", "changed", "split", "", "close", "training", "train"),
        ("talk.csv, line 30", "changed", "split", "", "open", "dev", "validation"),
    ]


def test_the_account_is_no_part_of_the_dataset_and_comes_back_when_it_is_lost(
    data_settings: DataSettings, source: Path, tmp_path: Path
) -> None:
    source.write_text(csv_text([*ROWS, ROWS[0]]))
    first = build(source, tmp_path / "dataset", data_settings)
    before = changes(tmp_path / "dataset")
    assert [one["rule"] for one in before] == ["duplicate"]
    (tmp_path / "dataset.changes.jsonl").unlink()
    again = build(source, tmp_path / "dataset", data_settings)
    assert (again.skipped, again.digest) == (True, first.digest)
    assert changes(tmp_path / "dataset") == before


def test_progress_is_reported_to_its_end(
    data_settings: DataSettings, source: Path, tmp_path: Path
) -> None:
    calls: list[tuple[str, int, int]] = []
    build(
        source,
        tmp_path / "dataset",
        data_settings,
        progress=lambda what, done, total, note: calls.append((what, done, total)),
    )
    assert calls == [("dataset", 1, 3), ("dataset", 2, 3), ("dataset", 3, 3)]


def test_a_changed_byte_is_noticed(
    data_settings: DataSettings, source: Path, tmp_path: Path
) -> None:
    folder = build(source, tmp_path / "dataset", data_settings).folder
    content = bytearray((folder / "train.parquet").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "train.parquet").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"train\.parquet is missing or changed"):
        read_dataset(folder)
    assert not build(source, folder, data_settings).skipped
    read_dataset(folder)


def row(text: str, intent: str) -> bytes:
    return (csv_text(ROWS) + f"{text},{intent}\n").encode()


BAD: list[tuple[str, bytes | None, type[DataError], str]] = [
    ("gone.csv", None, SourceNotFoundError, "there is no such file or folder; check the path"),
    ("a.csv", b"", SourceFormatError, "a.csv is empty; give a file with a text and an intent"),
    ("a.csv", b"text,intent\n", SourceFormatError, "a.csv has a header but no rows"),
    ("a.csv", b"body,intent\na,b\n", SourceFormatError, "no text column (text, utterance, sen"),
    ("a.csv", b"text,topic\na,b\n", SourceFormatError, "no intent column (intent, label, cat"),
    ("a.jsonl", b'{"text": "a", "topic": "b"}', SourceFormatError, "it has: text, topic; rename"),
    (
        "a.csv",
        b"text,intent\na,x\nb,x\n",
        UtterancesInvalidError,
        "only the intent 'x' to train on",
    ),
    ("a.csv", row("hum a tune", "hum"), UtterancesInvalidError, "training texts: 'hum' has 1;"),
    ("a.csv", row("caf\xe9", "open").decode().encode("latin-1"), SourceFormatError, "byte 0xe9 at"),
    ("a.csv", row("a\0b", "open"), SourceFormatError, "a.csv, line 26: there is a NUL character"),
    (
        "a.csv",
        row("Open the A", "find"),
        UtterancesInvalidError,
        "'open the a' is open in a.csv, l",
    ),
    (
        "a.csv",
        row("a" * 10_000, "open"),
        UtterancesInvalidError,
        "line 26: the text has 10000 char",
    ),
    ("a.csv", row("hi", "x" * 300), UtterancesInvalidError, "line 26: the label 'xxxxxxxx"),
    (
        "a.csv",
        row("hi", "x\x07y"),
        UtterancesInvalidError,
        "line 26: the label 'x\\x07y' holds the",
    ),
    ("a.csv", row('"hi', "open"), SourceFormatError, "a.csv, line 26: malformed CSV (unexpected"),
    ("a.jsonl", b'{"text": "a"', SourceFormatError, "a.jsonl, line 1: malformed JSON ("),
    ("a.json", b'{"train": [', SourceFormatError, "a.json, line 1: malformed JSON ("),
    ("a.yaml", b"intents: {", SourceFormatError, "a.yaml, line 1: malformed YAML ("),
]


@pytest.mark.parametrize("case", BAD, ids=lambda case: case[3][:40])
def test_bad_input_is_one_line_and_leaves_nothing(
    data_settings: DataSettings,
    tmp_path: Path,
    case: tuple[str, bytes | None, type[DataError], str],
) -> None:
    name, content, kind, reason = case
    path = tmp_path / "in" / name
    path.parent.mkdir()
    if content is not None:
        path.write_bytes(content)
    target = tmp_path / "out" / "dataset"
    target.parent.mkdir()
    with pytest.raises(kind) as caught:
        build(path, target, data_settings)
    assert reason in caught.value.message
    assert "\n" not in caught.value.message
    assert list(target.parent.iterdir()) == []


def test_an_intent_of_the_test_that_training_lacks_leaves_nothing(
    data_settings: DataSettings, source: Path, tmp_path: Path
) -> None:
    test = tmp_path / "test.csv"
    test.write_text("text,intent\nhum a tune,hum\n")
    target = tmp_path / "out" / "dataset"
    with pytest.raises(UtterancesInvalidError, match=r"^training lacks an intent .*'hum' \(test\."):
        build(source, target, data_settings, test_location=str(test))
    assert list(target.parent.iterdir()) == []


def test_a_failed_build_leaves_the_dataset_of_before(
    data_settings: DataSettings, source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out" / "dataset"
    before = build(source, target, data_settings)
    source.write_text("text,intent\n")
    with pytest.raises(SourceFormatError):
        build(source, target, data_settings)
    assert read_dataset(target).digest == before.digest
    account = target.with_name("dataset.changes.jsonl")
    assert sorted(target.parent.iterdir()) == [target, account]


def test_the_example_gives_enough_to_train_on(data_settings: DataSettings, tmp_path: Path) -> None:
    result = build(EXAMPLE, tmp_path / "dataset", data_settings).document.result
    assert result["intents"] >= 24
    assert result["train"] >= 2_400
    assert result["validation"] >= 10 * result["intents"]
    assert result["test"] >= 240
    assert result["out_of_scope_test"] >= 200
    assert (result["out_of_scope_train"], result["out_of_scope_validation"]) == (0, 0)


def test_clinc150_gives_its_published_counts(
    data_settings: DataSettings, public_data: Path, tmp_path: Path
) -> None:
    artifact = build(public_data / "clinc150/data_full.json", tmp_path / "d", data_settings)
    assert artifact.document.result == {
        "intents": 150,
        "train": 15_000,
        "validation": 3_000,
        "test": 4_500,
        "out_of_scope_train": 100,
        "out_of_scope_validation": 100,
        "out_of_scope_test": 1_000,
        "duplicates_dropped": 0,
        "replaced_test": 0,
    }
    report = json.loads((artifact.folder / "validation.json").read_text())
    assert report["in_train_and_test"]["count"] == 2
    assert report["contradictions_across_splits"]["count"] == 4


def test_banking77_gives_its_published_counts_less_its_duplicates(
    data_settings: DataSettings, public_data: Path, tmp_path: Path
) -> None:
    result = build(public_data / "banking77", tmp_path / "d", data_settings).document.result
    assert result["intents"] == 77
    assert result["duplicates_dropped"] == 5
    assert result["train"] + result["validation"] == 10_003 - 4
    assert result["test"] == 3_080 - 1
