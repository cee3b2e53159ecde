"""What may be asked for when an intent is added."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.errors import IntentAdditionError
from compiler.intent_request import beside, check_label, next_version, read_examples
from edge_runtime.settings import load_settings
from trainer.config import DEFAULTS, DataSettings


@pytest.fixture
def settings() -> DataSettings:
    return load_settings(DataSettings, "data", defaults=DEFAULTS, environment={})


@pytest.mark.parametrize("label", ["window_open", "Fenster auf", "窓を開ける", "a/b"])
def test_a_label_that_training_takes_is_taken(label: str, settings: DataSettings) -> None:
    check_label(label, settings)


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("", "it is empty"),
        (" night", "has spaces around it"),
        ("night\u200b", "characters that cannot be seen"),
        ("x" * 101, "has 101 characters, at most 100 may be"),
        ("oos", "texts that no intent serves"),
        ("Out_Of_Scope", "texts that no intent serves"),
    ],
)
def test_any_other_label_is_refused(label: str, reason: str, settings: DataSettings) -> None:
    with pytest.raises(IntentAdditionError, match=f"is no name for an intent: .*{reason}"):
        check_label(label, settings)


def test_the_new_folder_stands_beside_the_old_one() -> None:
    assert beside(Path("build/bundle"), "window_open") == Path("build/bundle-with-window_open")


@pytest.mark.parametrize("intent", ["a/b", "../x", "..", ".hidden", "two words", "窓" * 90])
def test_a_name_that_is_no_folder_s_is_refused(intent: str) -> None:
    with pytest.raises(IntentAdditionError, match="name another with --folder"):
        beside(Path("bundle"), intent)


@pytest.mark.parametrize(
    ("old", "wanted", "found"),
    [
        ("1.2.3", None, "1.3.0"),
        ("1.2.3-rc.1", None, "1.3.0"),
        ("1.2.3", "1.2.4", "1.2.4"),
        ("1.9.0", "1.10.0", "1.10.0"),
        ("1.2.3-rc.1", "1.2.3", "1.2.3"),
        ("1.2.3-rc.2", "1.2.3-rc.10", "1.2.3-rc.10"),
        ("1.2.3-1", "1.2.3-rc", "1.2.3-rc"),
    ],
)
def test_a_higher_version_is_taken(old: str, wanted: str | None, found: str) -> None:
    assert next_version(old, wanted) == found


@pytest.mark.parametrize("wanted", ["1.2.3", "1.2.2", "0.9.9", "1.2.3-rc.1"])
def test_a_version_that_is_not_higher_is_refused(wanted: str) -> None:
    with pytest.raises(IntentAdditionError, match=f"version {wanted} is not above 1.2.3"):
        next_version("1.2.3", wanted)


@pytest.mark.parametrize(
    "wanted", ["abc", "1.2", "1.2.3.4", "", "1.2.3-", "1.2.x", "01.20.0", "2.0.0-.", "2.0.0-01"]
)
def test_what_is_no_version_is_refused_in_words(wanted: str) -> None:
    with pytest.raises(IntentAdditionError, match="is no semantic version; write three numbers"):
        next_version("1.0.0", wanted)


def test_examples_are_read_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "examples.txt"
    path.write_text("\ufeffdim the lamp\n\n  dim  the lamp \nless light\r\n", encoding="utf-8")
    assert read_examples(path) == ["dim the lamp", "less light"]


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe\x00"])
def test_a_file_without_examples_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "examples.txt").write_bytes(content)
    with pytest.raises(IntentAdditionError, match="one example a line|write one a line"):
        read_examples(tmp_path / "examples.txt")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntentAdditionError, match="cannot read examples"):
        read_examples(tmp_path / "nothing.txt")
