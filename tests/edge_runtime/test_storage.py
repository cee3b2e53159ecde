from __future__ import annotations

import errno
import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import StorageError
from edge_runtime.storage import (
    canonical_json,
    check_writable,
    file_entries,
    file_entry,
    own_folder,
    replace_folder,
    translating_storage_errors,
    write_atomically,
)

StartPython = Callable[..., "subprocess.Popen[str]"]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)

# Children that stop at one step of a write and say so; the step is the standard library's.
STOP_AT = """
    import os, pathlib, sys, time
    from edge_runtime.storage import replace_folder, write_atomically

    def stop(*_):
        print("here", flush=True)
        time.sleep(600)

    target = pathlib.Path(sys.argv[1])
"""
STOP_IN_WRITE = f"""{STOP_AT}
    os.fsync = stop
    write_atomically(target, b"new" * 1000)
"""
STOP_IN_BLOCK = f"""{STOP_AT}
    with replace_folder(target) as partial:
        (partial / "file").write_text("new")
        stop()
"""
STOP_BETWEEN_RENAMES = f"""{STOP_AT}
    rename = pathlib.Path.rename

    def rename_and_stop(self, other):
        rename(self, other)
        stop()

    pathlib.Path.rename = rename_and_stop
    with replace_folder(target) as partial:
        (partial / "file").write_text("new")
"""


def kill_when_it_stops(child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    assert child.stdout.readline() == "here\n"
    child.kill()
    child.wait()


def fill(folder: Path, content: str) -> None:
    with replace_folder(folder) as partial:
        (partial / "file").write_text(content, encoding="utf-8")


@pytest.fixture
def small_disk(mount_disk: Callable[[str], Path]) -> Path:
    return mount_disk("64k")


@given(value=st.dictionaries(st.text(), json_values))
def test_equal_values_give_equal_bytes(value: dict[str, object]) -> None:
    backwards = dict(reversed(list(value.items())))
    assert canonical_json(value) == canonical_json(backwards)
    assert canonical_json(value).endswith(b"\n")


@given(content=st.binary(max_size=5000))
def test_an_entry_holds_hash_and_size(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "entry"
    path.write_bytes(content)
    entry = file_entry(path)
    assert entry.sha256 == hashlib.sha256(content).hexdigest()
    assert entry.bytes == len(content)


def test_a_missing_file_has_no_entry(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot read .*nowhere"):
        file_entry(tmp_path / "nowhere")


def test_entries_name_files_by_relative_path_in_order(tmp_path: Path) -> None:
    for name in ("b", "a/c", "skip"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    assert list(file_entries(tmp_path, leave_out=frozenset({"skip"}))) == ["a/c", "b"]


def test_writing_makes_the_folder_and_leaves_only_the_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "deep" / "file", b"content")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["file"]
    assert (tmp_path / "deep" / "file").read_bytes() == b"content"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("file/below", "a file stands where a folder is needed"),
        ("folder", "a file stands where a folder is needed"),
        ("x" * 300, "File name too long"),
        ("loop/file", "Too many levels of symbolic links|a file stands where"),
    ],
)
@pytest.mark.parametrize("write", [check_writable, lambda path: write_atomically(path, b"new")])
def test_what_cannot_be_written_is_one_clear_error(
    tmp_path: Path, write: Callable[[Path], None], name: str, why: str
) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(StorageError, match=why):
        write(tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_that_the_system_refuses_to_make_is_one_clear_error() -> None:
    with pytest.raises(StorageError, match="cannot write /proc/none/file: No such file"):
        write_atomically(Path("/proc/none/file"), b"new")


def test_a_check_leaves_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    check_writable(tmp_path / "file")
    check_writable(tmp_path / "deep" / "other")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_kill_while_writing_leaves_the_old_content(
    tmp_path: Path, start_python: StartPython
) -> None:
    target = tmp_path / "file"
    write_atomically(target, b"old")
    kill_when_it_stops(start_python(STOP_IN_WRITE, target))
    assert target.read_bytes() == b"old"
    write_atomically(target, b"next")
    assert target.read_bytes() == b"next"


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "stale").touch()
    fill(folder, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_a_failing_block_leaves_the_old_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    fill(folder, "old")
    with pytest.raises(ZeroDivisionError), replace_folder(folder) as partial:
        (partial / "file").write_text("half", encoding="utf-8")
        raise ZeroDivisionError
    assert (folder / "file").read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_failing_block_without_an_old_folder_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replace_folder(tmp_path / "folder"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_kill_while_filling_leaves_the_old_folder_and_the_next_run_cleans_up(
    tmp_path: Path, start_python: StartPython
) -> None:
    folder = tmp_path / "folder"
    fill(folder, "old")
    kill_when_it_stops(start_python(STOP_IN_BLOCK, folder))
    assert (folder / "file").read_text(encoding="utf-8") == "old"
    fill(folder, "next")
    assert (folder / "file").read_text(encoding="utf-8") == "next"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_kill_between_the_renames_loses_nothing(
    tmp_path: Path, start_python: StartPython
) -> None:
    folder = tmp_path / "folder"
    fill(folder, "old")
    kill_when_it_stops(start_python(STOP_BETWEEN_RENAMES, folder))
    with pytest.raises(ZeroDivisionError), replace_folder(folder):
        raise ZeroDivisionError
    assert (folder / "file").read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_kill_at_any_moment_leaves_old_or_new(tmp_path: Path, start_python: StartPython) -> None:
    code = """
        import pathlib, sys
        from edge_runtime.storage import write_atomically
        target = pathlib.Path(sys.argv[1])
        for number in range(10_000_000):
            write_atomically(target, str(number % 10).encode() * 50_000)
            print(number, flush=True)
    """
    target = tmp_path / "file"
    for writes in (1, 2, 3, 5, 8):
        child = start_python(code, target)
        assert child.stdout is not None
        for _ in range(writes):
            child.stdout.readline()
        child.kill()
        child.wait()
        content = target.read_bytes()
        assert len(content) == 50_000
        assert len(set(content)) == 1


def test_a_full_disk_keeps_the_old_file_and_says_so(small_disk: Path) -> None:
    target = small_disk / "file"
    write_atomically(target, b"old")
    with pytest.raises(StorageError, match="the disk is full: cannot write .*free some space"):
        write_atomically(target, b"x" * 100_000)
    assert target.read_bytes() == b"old"
    assert [path.name for path in small_disk.iterdir()] == ["file"]


def test_a_full_disk_keeps_the_old_folder(small_disk: Path) -> None:
    folder = small_disk / "folder"
    fill(folder, "old")
    with pytest.raises(StorageError, match="the disk is full"):
        fill(folder, "x" * 100_000)
    assert (folder / "file").read_text(encoding="utf-8") == "old"
    assert [path.name for path in small_disk.iterdir()] == ["folder"]


def test_a_file_beyond_the_allowed_size_keeps_the_old_one(
    tmp_path: Path, start_python: StartPython
) -> None:
    code = """
        import pathlib, resource, sys
        from edge_runtime.errors import StorageError
        from edge_runtime.storage import write_atomically
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        target = pathlib.Path(sys.argv[1])
        write_atomically(target, b"old")
        try:
            write_atomically(target, b"x" * 5000)
        except StorageError as error:
            print(error)
    """
    output, _ = start_python(code, tmp_path / "file").communicate(timeout=60)
    assert output.startswith("the disk is full: cannot write")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("Error: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_known_in_any_engine_words(error: Exception) -> None:
    with (
        pytest.raises(StorageError, match="the disk is full") as info,
        translating_storage_errors(Path("model.onnx")),
    ):
        raise error
    assert info.value.__cause__ is error


def test_a_refused_write_names_the_target() -> None:
    with (
        pytest.raises(StorageError, match=r"cannot write model\.onnx: permission denied"),
        translating_storage_errors(Path("model.onnx")),
    ):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_other_errors_are_left_as_they_are() -> None:
    with pytest.raises(KeyError), translating_storage_errors(Path("model.onnx")):
        raise KeyError("bug")


def test_a_folder_of_somebody_else_is_never_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "keep"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with (
        pytest.raises(StorageError, match="holds something else: it has no dataset.json"),
        own_folder(folder, closing="dataset.json"),
    ):
        pytest.fail("it was let in")
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_a_folder_that_may_not_be_entered_is_one_error(locked_folder: Path) -> None:
    with (
        pytest.raises(StorageError, match="permission denied; choose another folder"),
        own_folder(locked_folder / "set", closing="dataset.json"),
    ):
        pytest.fail("it was let in")


def test_a_file_in_the_place_of_a_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "keep").write_text("mine")
    with (
        pytest.raises(StorageError, match="holds something else"),
        own_folder(tmp_path / "keep", closing="dataset.json"),
    ):
        pytest.fail("it was let in")
    assert (tmp_path / "keep").read_text() == "mine"


@pytest.mark.parametrize("content", [{}, {"dataset.json": "{}", "other": ""}])
def test_an_empty_folder_and_an_older_result_are_ours(
    tmp_path: Path, content: dict[str, str]
) -> None:
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    with own_folder(tmp_path, closing="dataset.json") as own:
        assert own == tmp_path


def test_what_a_kill_left_is_cleared_even_when_nothing_is_made(tmp_path: Path) -> None:
    for leftover in (".set.partial", ".set.outgoing"):
        (tmp_path / leftover).mkdir()
    (tmp_path / "set").mkdir()
    with own_folder(tmp_path / "set", closing="dataset.json"):
        assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_second_process_waits_for_the_first(tmp_path: Path, start_python: StartPython) -> None:
    with own_folder(tmp_path / "set", closing="dataset.json"):
        second = start_python(
            """
            import pathlib, sys
            from edge_runtime.storage import own_folder
            with own_folder(pathlib.Path(sys.argv[1]), closing="dataset.json"):
                print("in", flush=True)
            """,
            str(tmp_path / "set"),
        )
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(1)
    out, _ = second.communicate(timeout=20)
    assert out == "in\n"
