"""Where utterances come from: a file or a folder, on this machine or in a bucket."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

import msgspec

from edge_runtime.storage import canonical_json
from trainer.config import DataSettings
from trainer.errors import SourceFormatError, SourceNotFoundError
from trainer.locations import resolve, translating_read_errors
from trainer.utterances.clinc import CLINC_LISTS, read_clinc
from trainer.utterances.csv import list_unread_csv, read_csv
from trainer.utterances.jsonl import list_unread_jsonl, read_jsonl
from trainer.utterances.parquet import list_unread_parquet, read_parquet
from trainer.utterances.refusal import Refuse, raise_refusal
from trainer.utterances.source_file import SourceFile
from trainer.utterances.utterance import SPLIT_NAMES, SplitName, Utterance

__all__ = [
    "Source",
    "iterate_source",
    "list_unread_columns",
    "open_source",
    "parse_source",
    "read_utterances",
]

_TEMPLATE_SUFFIXES = (".yaml", ".yml")
_TEMPLATE_FOLDER = "sentences"
_Reader = Callable[..., Iterator[Utterance]]
_READERS: dict[str, _Reader] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".parquet": read_parquet,
}
_LISTERS: dict[_Reader, Callable[..., tuple[str, ...]]] = {
    read_csv: list_unread_csv,
    read_jsonl: list_unread_jsonl,
    read_parquet: list_unread_parquet,
}


class Source(msgspec.Struct, frozen=True):
    """All bytes of a location that utterances are read from."""

    location: str
    """The path or URI that was asked for."""
    files: tuple[SourceFile, ...]
    """The files that count, sorted by name."""
    digest: str
    """SHA-256 over the names and bytes of the files, whatever their order."""


def open_source(location: str) -> Source:
    """Fetch the files of a location and hash them, without parsing.

    Args:
        location: a file; or a folder with ``train``, ``validation`` and ``test`` files (CSV,
            JSONL or parquet), with sentence templates (YAML, at its top or in ``sentences/``),
            or with templates and a test file. A path, or a URI such as ``s3://bucket/key``.

    Raises:
        SourceNotFoundError: nothing is there, or it cannot be opened.
        SourceFormatError: a folder holds nothing that can be read.
    """
    with translating_read_errors(location):
        files = tuple(_read_files(resolve(location), location))
    hashes = {file.name: hashlib.sha256(file.content).hexdigest() for file in files}
    digest = hashlib.sha256(canonical_json(hashes)).hexdigest()
    return Source(location=location, files=files, digest=digest)


def parse_source(source: Source, *, settings: DataSettings) -> list[Utterance]:
    """Read the utterances of a source.

    Raises:
        SourceFormatError: a file does not follow its format.
    """
    return list(iterate_source(source, settings=settings))


def iterate_source(
    source: Source, *, settings: DataSettings, refuse: Refuse = raise_refusal
) -> Iterator[Utterance]:
    """Read the utterances of a source one after the other, so that few are held at a time.

    Args:
        source: the files.
        settings: how to read them.
        refuse: told of each row, or each file, that cannot be read. By default the first one
            is raised; when the call returns, reading goes on with the next row or file.

    Raises:
        SourceFormatError: a file does not follow its format, and ``refuse`` raised it.
    """
    templates = [file for file in source.files if _suffix(file) in _TEMPLATE_SUFFIXES]
    if templates:
        # hassil is only imported by those who have templates.
        from trainer.utterances.templates import read_templates

        try:
            yield from read_templates(templates, settings=settings)
        except SourceFormatError as error:
            refuse(error)
    for file in source.files:
        if _suffix(file) not in _TEMPLATE_SUFFIXES:
            try:
                yield from _reader(file)(file, settings=settings, refuse=refuse)
            except SourceFormatError as error:
                refuse(error)


def list_unread_columns(source: Source, *, settings: DataSettings) -> dict[str, tuple[str, ...]]:
    """File -> names of its columns or keys that nothing is read from; files with none left out.

    A file that cannot be read is left out too: ``iterate_source`` tells of it.
    """
    found: dict[str, tuple[str, ...]] = {}
    for file in source.files:
        lister = None if _suffix(file) in _TEMPLATE_SUFFIXES else _LISTERS.get(_reader(file))
        if lister is not None:
            with contextlib.suppress(SourceFormatError):
                found[file.name] = lister(file, settings=settings)
    return {name: columns for name, columns in found.items() if columns}


def read_utterances(location: str, *, settings: DataSettings) -> list[Utterance]:
    """Fetch and read the utterances of a path or URI, see ``open_source``.

    Raises:
        SourceNotFoundError: nothing is there, or it cannot be opened.
        SourceFormatError: a file does not follow its format.
    """
    return parse_source(open_source(location), settings=settings)


def _read_files(path: Any, location: str) -> Iterator[SourceFile]:
    if path.is_file():
        yield SourceFile(name=path.name, content=path.read_bytes())
        return
    if not path.is_dir():
        raise SourceNotFoundError(
            f"no utterances at {location}: there is no such file or folder; check the path",
            location=location,
        )
    templates = list(_list_templates(path))
    splits = dict(_list_splits(path, location))
    if not templates and "train" not in splits:
        raise SourceFormatError(
            f"{location} holds nothing to train on; expected train.csv (or .jsonl, .parquet) with "
            "validation and test files beside it, or sentence templates (*.yaml); for another "
            "file give its own path",
            location=location,
        )
    for name, file in templates:
        yield SourceFile(name=name, content=file.read_bytes())
    for split, file in sorted(splits.items()):
        yield SourceFile(name=file.name, content=file.read_bytes(), split=split)


def _list_templates(folder: Any) -> Iterator[tuple[str, Any]]:
    inner = folder / _TEMPLATE_FOLDER
    for prefix, place in (("", folder), (f"{_TEMPLATE_FOLDER}/", inner)):
        if place.is_dir():
            for file in sorted(place.iterdir(), key=lambda file: str(file.name)):
                if file.suffix.lower() in _TEMPLATE_SUFFIXES and file.is_file():
                    yield prefix + file.name, file


def _list_splits(folder: Any, location: str) -> Iterator[tuple[SplitName, Any]]:
    taken: dict[SplitName, str] = {}
    for file in sorted(folder.iterdir(), key=lambda file: str(file.name)):
        split = SPLIT_NAMES.get(file.stem.lower())
        if split is None or file.suffix.lower() not in _READERS or not file.is_file():
            continue
        if split in taken:
            raise SourceFormatError(
                f"{location} holds two {split} files, {taken[split]} and {file.name}; keep one",
                location=location,
            )
        taken[split] = file.name
        yield split, file


def _suffix(file: SourceFile) -> str:
    return PurePosixPath(file.name).suffix.lower()


def _reader(file: SourceFile) -> _Reader:
    """Choose a reader by the file's suffix; where that does not tell, by its content."""
    by_suffix = _READERS.get(_suffix(file))
    if by_suffix is not None:
        return by_suffix
    content = file.content.lstrip(b"\xef\xbb\xbf \t\r\n")
    if content.startswith(b"{"):
        try:
            first = json.loads(content.partition(b"\n")[0])
        except (ValueError, RecursionError):
            return read_clinc
        return read_clinc if first.keys() <= CLINC_LISTS else read_jsonl
    return read_clinc if _suffix(file) == ".json" else read_csv
