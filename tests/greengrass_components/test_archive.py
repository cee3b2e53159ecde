from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import StorageError
from greengrass_components.archive import files_below, list_archive, pack, unpack
from greengrass_components.errors import ArchiveError

names = st.lists(st.sampled_from("abcdé"), min_size=1, max_size=4).map("".join)
contents = st.dictionaries(names, st.binary(max_size=200), min_size=1, max_size=6)


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@given(files=contents, order=st.randoms(), seconds=st.integers(0, 2_000_000_000))
@settings(max_examples=40, deadline=None)
def test_the_same_content_gives_the_same_bytes_whatever_the_order_dates_and_modes(
    files: dict[str, bytes], order: object, seconds: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("archive")
    first = write(root / "first", files)
    shuffled = list(files.items())
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    second = write(root / "second", dict(shuffled))
    for path in second.iterdir():
        os.utime(path, (seconds, seconds))
        path.chmod(0o600)

    pack(files_below(first), root / "first.zip")
    backwards = dict(reversed(files_below(second).items()))
    pack(backwards, root / "second.zip")

    assert (root / "first.zip").read_bytes() == (root / "second.zip").read_bytes()


@given(files=contents)
@settings(max_examples=25, deadline=None)
def test_what_is_packed_is_what_is_unpacked(
    files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("archive")
    pack(files_below(write(root / "in", files), prefix="deep/er/"), root / "a.zip")
    unpack(root / "a.zip", root / "out")

    found = {path.name: path.read_bytes() for path in (root / "out" / "deep" / "er").iterdir()}
    assert found == files


def test_other_content_gives_other_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        pack(files_below(write(tmp_path / name, {"f": name.encode()})), tmp_path / f"{name}.zip")

    assert (tmp_path / "one.zip").read_bytes() != (tmp_path / "two.zip").read_bytes()


def test_the_contents_are_listed_by_name(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"b/late": b"12", "a": b""})
    archive = pack(files_below(folder), tmp_path / "x" / "a.zip")

    assert [(member.name, member.bytes) for member in archive.contents] == [("a", 0), ("b/late", 2)]
    assert archive.contents == list_archive(archive.path)
    assert archive.bytes == archive.path.stat().st_size


def test_dates_and_modes_in_the_archive_are_fixed(tmp_path: Path) -> None:
    pack(files_below(write(tmp_path / "in", {"model.onnx": b"x", "a": b"y"})), tmp_path / "a.zip")

    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.external_attr >> 16 for info in file.infolist()} == {0o100644}
        assert {info.compress_type for info in file.infolist()} == {zipfile.ZIP_DEFLATED}


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a\\x", "", "a/"])
def test_a_name_that_leaves_the_folder_is_not_packed(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")

    with pytest.raises(ArchiveError, match="would leave the folder"):
        pack({name: tmp_path / "file"}, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_a_name_that_leaves_the_folder_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("../outside", b"x")

    with pytest.raises(ArchiveError, match=r"'\.\./outside' would leave"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "outside").exists()


def test_a_link_is_not_packed(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"real": b"x"})
    (folder / "link").symlink_to("real")

    with pytest.raises(ArchiveError, match="link is not a plain file"):
        files_below(folder)


def test_an_empty_folder_is_not_packed(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no file below"):
        files_below(tmp_path)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    pack(files_below(write(tmp_path / "in", {"f": os.urandom(300)})), path)
    content = bytearray(path.read_bytes())
    content[100] ^= 0xFF
    path.write_bytes(content)

    with pytest.raises(ArchiveError, match=r"a\.zip cannot be unpacked .*build the component"):
        unpack(path, tmp_path / "out")


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"hello")

    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        list_archive(tmp_path / "a.zip")


def test_a_failed_pack_leaves_the_old_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    folder = write(tmp_path / "in", {"f": b"old"})
    pack(files_below(folder), path)
    before = path.read_bytes()
    (tmp_path / "in" / "g").symlink_to(tmp_path / "nowhere")

    with pytest.raises(FileNotFoundError):
        pack({"f": folder / "f", "g": folder / "g"}, path)
    assert path.read_bytes() == before
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.zip", "in"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"f": b"x" * 100_000})
    # The partial file's name is known, so it can be made to stand on a full device.
    (tmp_path / f".a.zip.{os.getpid()}.partial").symlink_to("/dev/full")

    with pytest.raises(StorageError, match="the disk is full"):
        pack(files_below(folder), tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()
