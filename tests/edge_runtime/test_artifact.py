from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge_runtime.artifact import Artifact, check_parents, produce_artifact, read_artifact
from edge_runtime.errors import ArtifactError


def write_words(folder: Path) -> Mapping[str, Any]:
    (folder / "words.txt").write_text("lights on\n", encoding="utf-8")
    (folder / "deep").mkdir()
    (folder / "deep" / "more.txt").write_text("music\n", encoding="utf-8")
    return {"words": 2}


def fail(folder: Path) -> Mapping[str, Any]:
    (folder / "words.txt").write_text("half", encoding="utf-8")
    raise ZeroDivisionError


def produce(
    folder: Path,
    *,
    revision: int = 1,
    settings: Mapping[str, Any] | None = None,
    parents: Mapping[str, str] | None = None,
    make: Callable[[Path], Mapping[str, Any]] = write_words,
) -> Artifact:
    return produce_artifact(
        folder,
        kind="dataset",
        revision=revision,
        settings=settings or {"seed": 1},
        parents=parents or {"utterances": "0" * 64},
        make=make,
    )


def test_a_folder_is_filled_and_accounts_for_its_files(tmp_path: Path) -> None:
    made = produce(tmp_path / "dataset")
    assert not made.skipped
    assert made.document.result == {"words": 2}
    assert list(made.document.files) == ["deep/more.txt", "words.txt"]
    assert read_artifact(tmp_path / "dataset", "dataset") == made


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    assert produce(tmp_path / "one").digest == produce(tmp_path / "two").digest


def test_what_is_up_to_date_is_skipped(tmp_path: Path) -> None:
    first = produce(tmp_path / "dataset")
    again = produce(tmp_path / "dataset", make=fail)
    assert again.skipped
    assert again.digest == first.digest


@pytest.mark.parametrize(
    "change",
    [
        {"revision": 2},
        {"settings": {"seed": 2}},
        {"parents": {"utterances": "1" * 64}},
        {"parents": {"templates": "0" * 64}},
    ],
)
def test_any_other_input_makes_it_again(tmp_path: Path, change: dict[str, Any]) -> None:
    produce(tmp_path / "dataset")
    assert not produce(tmp_path / "dataset", **change).skipped


def test_a_changed_file_makes_it_again(tmp_path: Path) -> None:
    first = produce(tmp_path / "dataset")
    (tmp_path / "dataset" / "words.txt").write_text("other", encoding="utf-8")
    again = produce(tmp_path / "dataset")
    assert not again.skipped
    assert again.digest == first.digest


def test_a_failure_leaves_the_old_folder(tmp_path: Path) -> None:
    first = produce(tmp_path / "dataset")
    with pytest.raises(ZeroDivisionError):
        produce(tmp_path / "dataset", revision=2, make=fail)
    assert read_artifact(tmp_path / "dataset", "dataset") == first


def test_a_failure_without_an_old_folder_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        produce(tmp_path / "dataset", make=fail)
    assert list(tmp_path.iterdir()) == []


def test_a_kill_in_the_middle_is_repaired_by_the_next_run(
    tmp_path: Path, start_python: Callable[..., subprocess.Popen[str]]
) -> None:
    code = """
        import pathlib, sys, time
        from edge_runtime.artifact import produce_artifact

        def make(folder):
            (folder / "words.txt").write_text("half")
            print("here", flush=True)
            time.sleep(600)

        produce_artifact(pathlib.Path(sys.argv[1]), kind="dataset", revision=2,
                         settings={"seed": 1}, parents={"utterances": "0" * 64}, make=make)
    """
    undisturbed = produce(tmp_path / "undisturbed", revision=2)
    old = produce(tmp_path / "dataset")
    child = start_python(code, tmp_path / "dataset")
    assert child.stdout is not None
    assert child.stdout.readline() == "here\n"
    child.kill()
    child.wait()
    assert read_artifact(tmp_path / "dataset", "dataset") == old
    repaired = produce(tmp_path / "dataset", revision=2)
    assert repaired.digest == undisturbed.digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "undisturbed"]


def test_a_missing_folder_names_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"dataset\.json is missing; run the stage"):
        read_artifact(tmp_path / "dataset", "dataset")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"kind": "\xff"}', b"[" * 100_000])
def test_a_document_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    produce(tmp_path / "dataset")
    (tmp_path / "dataset" / "dataset.json").write_bytes(content)
    with pytest.raises(ArtifactError, match="is damaged"):
        read_artifact(tmp_path / "dataset", "dataset")


def test_a_later_schema_is_refused(tmp_path: Path) -> None:
    produce(tmp_path / "dataset")
    path = tmp_path / "dataset" / "dataset.json"
    document = json.loads(path.read_bytes()) | {"schema_version": 2}
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ArtifactError, match="schema 2, expected 'dataset' of schema 1"):
        read_artifact(tmp_path / "dataset", "dataset")


@pytest.mark.parametrize("name", ["words.txt", "deep/more.txt"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    produce(tmp_path / "dataset")
    (tmp_path / "dataset" / name).unlink()
    with pytest.raises(ArtifactError, match=name):
        read_artifact(tmp_path / "dataset", "dataset")


def test_a_file_too_many_is_named(tmp_path: Path) -> None:
    produce(tmp_path / "dataset")
    (tmp_path / "dataset" / "notes.txt").touch()
    with pytest.raises(ArtifactError, match=r"notes\.txt"):
        read_artifact(tmp_path / "dataset", "dataset")


@given(place=st.integers(min_value=0, max_value=9), change=st.integers(min_value=1, max_value=255))
@hypothesis_settings(deadline=None)
def test_any_changed_byte_of_a_file_is_found(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    produce(folder)
    path = folder / "words.txt"
    content = bytearray(path.read_bytes())
    content[place] ^= change
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"words\.txt"):
        read_artifact(folder, "dataset")


def test_a_folder_that_was_made_of_another_input_is_refused(tmp_path: Path) -> None:
    made = produce(tmp_path / "dataset", parents={"utterances": "1" * 64})
    check_parents(made, {"utterances": "1" * 64}, task="data.build")
    for wrong in ({"utterances": "2" * 64}, {"words": "1" * 64}):
        with pytest.raises(ArtifactError, match=r"belongs to another .* run data\.build again"):
            check_parents(made, wrong, task="data.build")
