"""What a user can do wrong: one line, what to do, exit code 1, nothing half-written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

HEADER = "text,intent\n"
GOOD = "".join(
    f"{verb} the {thing} number {n},{verb}_{thing}\n"
    for verb in ("open", "close")
    for thing in ("door", "blind")
    for n in range(5)
)

BAD_FILES = {
    "an empty file": (b"", "empty"),
    "no text column": (b"words,intent\nhello,greet\n", "words"),
    "no intent column": (b"text,topic\nhello,greet\n", "topic"),
    "a single intent": ((HEADER + "hello,greet\nhi,greet\nhey,greet\n").encode(), "greet"),
    "an intent with one example": ((HEADER + GOOD + "bye,leave\n").encode(), "leave"),
    "not UTF-8": ((HEADER + GOOD).encode() + b"caf\xe9,greet\n", "22"),
    "NUL characters": ((HEADER + GOOD).encode() + b"he\x00llo,greet\nhi,greet\n", "22"),
    "one text under two intents": (
        (HEADER + GOOD + "same thing,open_door\nSame  thing,close_door\n").encode(),
        "same thing",
    ),
    "an utterance of 10,000 characters": (
        (HEADER + GOOD + "a" * 10_000 + ",open_door\n").encode(),
        "10000",
    ),
    "a label of 300 characters": (
        (HEADER + GOOD + f"hello,{'x' * 300}\nhi,{'x' * 300}\n").encode(),
        "300",
    ),
    "a label with a control character": (
        (HEADER + GOOD + 'hello,"gr\x07eet"\nhi,"gr\x07eet"\n').encode(),
        "control",
    ),
}


def assert_refused(done, said: str) -> None:
    """One error line with what is wanted, exit code 1, no traceback."""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 1, done.stderr
    assert len(errors) == 1, done.stderr
    assert said in errors[0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("content", "said"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_file_of_utterances_is_refused(
    workspace, tmp_path: Path, content: bytes, said: str
) -> None:
    data = tmp_path / "bad.csv"
    data.write_bytes(content)

    done = workspace.inv("data.build", "--data", str(data), "--folder", "dataset")

    assert_refused(done, said)
    assert sorted(path.name for path in workspace.folder.iterdir()) == ["build"]


def test_a_missing_file_of_utterances_is_refused(workspace) -> None:
    done = workspace.inv("pipeline", "--data", "nowhere.csv", "--name", "small")

    assert_refused(done, "nowhere.csv")
    assert not (workspace.folder / "build" / "small" / "dataset").exists()


def test_a_base_model_without_a_tokenizer_is_refused(
    workspace, tiny_base_model: Path, tiny_utterances: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "base"
    shutil.copytree(tiny_base_model, copy)
    (copy / "tokenizer.json").unlink()
    assert (
        workspace.inv("data.build", "--data", str(tiny_utterances), "--folder", "d").returncode == 0
    )

    done = workspace.inv("train", "--dataset", "d", "--folder", "c", "--base-model", str(copy))

    assert_refused(done, "tokenizer.json")
    assert not (workspace.folder / "c").exists()


def test_a_damaged_bundle_is_refused(workspace, tiny_bundle: Path) -> None:
    model = tiny_bundle / "tokenizer.json"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)

    done = workspace.inv("device.classify", "--bundle", str(tiny_bundle), "hello")

    assert_refused(done, "tokenizer.json is damaged")


def test_a_manifest_of_a_later_schema_is_refused(workspace, tiny_bundle: Path) -> None:
    path = tiny_bundle / "manifest.json"
    document = json.loads(path.read_text())
    document["schema_version"] = 3
    path.write_text(json.dumps(document))

    done = workspace.inv("device.classify", "--bundle", str(tiny_bundle), "hello")

    assert_refused(done, "schema version 3")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("EDGEWISE_TRAIN_EPOCHS", "many", "train.epochs"),
        ("EDGEWISE_TRAIN_EPOCH", "3", "did you mean train.epochs?"),
        ("EDGEWISE_TRAIN_BATCH_SIZE", "0", "train.batch_size"),
    ],
)
def test_a_wrong_setting_is_named_by_its_path(
    workspace, tiny_utterances: Path, variable: str, value: str, said: str
) -> None:
    workspace.environment[variable] = value

    done = workspace.inv("pipeline", "--data", str(tiny_utterances), "--name", "small")

    assert_refused(done, said)


def test_a_name_that_cannot_be_a_component_is_refused(workspace, tiny_utterances: Path) -> None:
    done = workspace.inv("pipeline", "--data", str(tiny_utterances), "--name", "../up")

    assert_refused(done, "../up")
    assert not (workspace.folder.parent / "up").exists()
