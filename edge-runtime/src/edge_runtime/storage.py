"""Atomic writing and hashing: a reader sees the old bytes or the new ones, never half."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.errors import EdgeError, StorageError

__all__ = [
    "JSON_ERRORS",
    "FileEntry",
    "absolute",
    "canonical_json",
    "check_writable",
    "file_entries",
    "file_entry",
    "own_folder",
    "refuse_uri",
    "replace_folder",
    "sweep_leftovers",
    "translating_storage_errors",
    "write_atomically",
]

JSON_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding foreign bytes as JSON can raise: wrong, not UTF-8, or nested without end."""

_CHUNK_BYTES = 1 << 20
_OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Libraries in C++ and Rust report a full disk in words, not as an OSError.
_OUT_OF_SPACE_WORDS = ("no space left on device", "file too large", "disk quota exceeded")


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of one file."""

    sha256: str
    """SHA-256 of the content, 64 lower-case hexadecimal digits."""
    bytes: int
    """Size in bytes."""


def canonical_json(value: Any) -> bytes:
    """Encode a value as JSON with a two-space indent and a final newline.

    Keys of mappings are sorted, fields of structs keep their declared order: equal values
    give equal bytes, so the result can be hashed and compared.
    """
    plain = msgspec.json.encode(value, order="deterministic")
    return msgspec.json.format(plain, indent=2) + b"\n"


def refuse_uri(path: Path) -> None:
    """Refuse a URI where a path is needed: taken for one it would make a folder named ``s3:``.

    Raises:
        StorageError: the path begins as a URI does.
    """
    scheme = path.parts[0] if len(path.parts) > 1 else ""
    # A drive of Windows has one letter.
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]+:", scheme):
        uri = f"{scheme}//{'/'.join(path.parts[1:])}"
        raise StorageError(
            f"{uri} is a URI, and what is kept here needs a path on this machine: give a folder "
            "or a file, and copy it from or to the bucket",
            path=uri,
        )


def file_entry(path: Path) -> FileEntry:
    """Hash and measure one file.

    Raises:
        StorageError: the file cannot be read.
    """
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}", path=path) from error
    return FileEntry(sha256=digest.hexdigest(), bytes=size)


def file_entries(folder: Path, *, leave_out: frozenset[str] = frozenset()) -> dict[str, FileEntry]:
    """Hash every file below a folder; keys are relative POSIX paths, sorted."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = ((path.relative_to(folder).as_posix(), path) for path in paths)
    return {name: file_entry(path) for name, path in names if name not in leave_out}


@contextlib.contextmanager
def translating_storage_errors(target: Path) -> Iterator[None]:
    """Turn a full disk or a refused write below ``target`` into one clear error.

    Raises:
        StorageError: instead of the engine's or the system's own error.
    """
    try:
        yield
    except EdgeError:
        raise
    except Exception as error:
        words = str(error).lower()
        number = error.errno if isinstance(error, OSError) else None
        if number in _OUT_OF_SPACE or any(word in words for word in _OUT_OF_SPACE_WORDS):
            raise StorageError(
                f"the disk is full: cannot write {target}; free some space and run again",
                path=target,
            ) from error
        if isinstance(error, PermissionError) or number == errno.EROFS:
            raise StorageError(
                f"cannot write {target}: permission denied; "
                "choose another folder or mend its rights",
                path=target,
            ) from error
        if isinstance(error, NotADirectoryError | FileExistsError | IsADirectoryError):
            raise StorageError(
                f"cannot write {target}: a file stands where a folder is needed, or the reverse; "
                "choose another folder",
                path=target,
            ) from error
        raise


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a kill leaves the old content or the new, never a part.

    Raises:
        StorageError: the disk is full, the file cannot be written, or the path is a URI.
    """
    with _writing_beside(path) as partial:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)


def check_writable(path: Path) -> None:
    """Check that ``write_atomically`` can write a file, before the work whose result it takes.

    Makes the folders above it, and nothing else.

    Raises:
        StorageError: the file cannot be written.
    """
    with _writing_beside(path) as partial:
        partial.touch()
        partial.unlink()


@contextlib.contextmanager
def _writing_beside(path: Path) -> Iterator[Path]:
    refuse_uri(path)
    try:
        with translating_storage_errors(path):
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            # One name, and none with the process in it: the next writer clears what a kill left.
            partial = path.with_name(f".{path.name}.partial")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                yield partial
            except BaseException:
                with contextlib.suppress(OSError):
                    partial.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}; choose another place", path=path
        ) from error


@contextlib.contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """Give a new empty folder to fill; put it in the place of ``folder`` at the end.

    When the block fails, the new folder is removed and the old one stays as it was.
    After a kill the leftovers are removed by the next call for the same folder, and an old
    folder that was already on its way out is put back.

    Raises:
        StorageError: the disk is full or the parent folder cannot be written.
    """
    partial, outgoing = _beside(folder)
    with translating_storage_errors(folder):
        try:
            sweep_leftovers(folder)
            partial.mkdir(parents=True)
            yield partial
            if folder.exists():
                folder.rename(outgoing)
            partial.rename(folder)
        except BaseException:
            _put_back(outgoing, folder)
            shutil.rmtree(partial, ignore_errors=True)
            raise
    shutil.rmtree(outgoing, ignore_errors=True)


@contextlib.contextmanager
def own_folder(folder: Path, *, closing: str) -> Iterator[Path]:
    """Guard a folder that a stage is about to read or replace; give its absolute path.

    Only one process at a time is let in; a second one waits. What a killed run left beside
    the folder is cleared.

    Args:
        folder: the stage's folder; it need not exist.
        closing: the document that such a folder ends with.

    Raises:
        StorageError: something else stands there, and replacing it would delete it; the folder
            may not be entered or is a URI.
    """
    folder = absolute(folder)
    with _one_process(folder):
        # A folder above that may not be entered refuses even the question what is there.
        with translating_storage_errors(folder):
            sweep_leftovers(folder)
            is_foreign = (
                any(folder.iterdir()) and not (folder / closing).is_file()
                if folder.is_dir()
                else os.path.lexists(folder)
            )
        if is_foreign:
            raise StorageError(
                f"{folder} holds something else: it has no {closing}, and writing here would "
                "delete it; choose another folder or clear this one",
                path=folder,
            )
        yield folder


def absolute(folder: Path) -> Path:
    """A folder's absolute path, whose last part is its own name: ``.`` has none.

    Raises:
        StorageError: the folder is a URI.
    """
    refuse_uri(folder)
    return Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow a link at its end


def sweep_leftovers(folder: Path) -> None:
    """Clear what a killed run left beside a folder, and put back an old one on its way out."""
    partial, outgoing = _beside(folder)
    _put_back(outgoing, folder)
    for leftover in (partial, outgoing):
        shutil.rmtree(leftover, ignore_errors=True)


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(f".{folder.name}.partial"), folder.with_name(f".{folder.name}.outgoing")


@contextlib.contextmanager
def _one_process(folder: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        yield
        return
    # The lock lies in the system's folder for temporary files: beside the results it would
    # be one more thing to explain. The kernel frees it however this process ends.
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:24]
    path = Path(tempfile.gettempdir()) / f"edgewise-{os.getuid()}-{name}.lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _put_back(outgoing: Path, folder: Path) -> None:
    # Two renames are needed to replace a folder; this mends what ended between them.
    if outgoing.exists() and not folder.exists():
        outgoing.rename(folder)
