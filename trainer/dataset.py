"""Utterances -> dataset: the first stage, from a source to a folder that training reads."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edge_runtime.artifact import Artifact, produce_artifact, read_artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.storage import canonical_json, write_atomically
from trainer.config import DataSettings
from trainer.data_changes import Change, changes_path, encode_changes, tell_of_drop
from trainer.splitting import FEWEST_TO_VALIDATE, Splits, check_held_out, split_utterances
from trainer.utterances import Source, Utterance, open_source, parse_source
from trainer.validation import CheckedUtterances, ValidationReport, check_utterances

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "DOCUMENT",
    "FILES",
    "KIND",
    "Dataset",
    "DatasetResult",
    "Split",
    "build_dataset",
    "read_dataset",
    "write_dataset",
]

KIND = "dataset"
DOCUMENT = f"{KIND}.json"
"""The document that closes a dataset's folder."""
_REVISION = 1
_LABELS = "labels.json"
_REPORT = "validation.json"
FILES = ("train.parquet", "val.parquet", "test.parquet", _LABELS, _REPORT)
"""The other files of the folder."""
_STEPS = 3

_log = logging.getLogger(__name__)


class Split(msgspec.Struct, frozen=True):
    """One part of a dataset; two lists of the same length."""

    texts: list[str]
    """Normalised texts."""
    intents: list[str | None]
    """The label of each text; ``None`` is out of scope."""

    def truth(self, labels: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """What ``number_intents`` says of the rows: shape (rows,), and (rows in scope,)."""
        # Reading a dataset needs no numpy, whose import takes longer.
        from trainer.label_numbers import number_intents

        return number_intents(self.intents, labels)

    def in_scope(self) -> Split:
        """The rows that have an intent."""
        return self.rows([row for row, intent in enumerate(self.intents) if intent is not None])

    def rows(self, numbers: Sequence[int]) -> Split:
        """Some rows, in the order of their numbers."""
        return Split(
            texts=[self.texts[row] for row in numbers],
            intents=[self.intents[row] for row in numbers],
        )


class Dataset(msgspec.Struct, frozen=True):
    """A dataset that training reads."""

    labels: tuple[str, ...]
    """The intents, sorted; their order is the order of the model's outputs."""
    train: Split
    validation: Split
    test: Split
    digest: str
    """SHA-256 of the dataset's document."""


class DatasetResult(msgspec.Struct, frozen=True):
    """The counts that stand in the dataset's document."""

    intents: int
    """Number of intents."""
    train: int
    """Texts with an intent in ``train.parquet``."""
    validation: int
    """Texts with an intent in ``val.parquet``."""
    test: int
    """Texts with an intent in ``test.parquet``."""
    out_of_scope_train: int
    """Out-of-scope texts in ``train.parquet``."""
    out_of_scope_validation: int
    """Out-of-scope texts in ``val.parquet``."""
    out_of_scope_test: int
    """Out-of-scope texts in ``test.parquet``."""
    duplicates_dropped: int
    """Texts that stood twice in their split with the same intent."""
    replaced_test: int
    """Test texts of the source that gave way to those of the test location."""


def build_dataset(
    location: str,
    folder: Path,
    *,
    settings: DataSettings,
    test_location: str | None = None,
    progress: Progress = no_progress,
) -> Artifact:
    """Read, check and split utterances into a dataset's folder; skip it when it is up to date.

    The folder holds ``train``, ``val`` and ``test.parquet`` (columns ``text`` and ``intent``,
    null for out of scope), ``labels.json`` and ``validation.json``; equal inputs give equal
    bytes. Beside it, ``<folder>.changes.jsonl`` tells of each row that was changed or dropped, see
    ``trainer.data_changes``; it is no part of the dataset and of its digest.

    Args:
        location: a path or URI, see ``trainer.utterances.open_source``.
        folder: the dataset's folder; it is replaced as a whole.
        settings: how to read, check and split.
        test_location: utterances for the test, in place of the source's own. When they
            have a test split, that one is taken, else all of them.
        progress: called after each step.

    Raises:
        DataError: the source cannot be found, read or learnt from.
        StorageError: the folder cannot be written.
    """
    source = open_source(location)
    test = None if test_location is None else open_source(test_location)
    parents = {"source": source.digest} | ({} if test is None else {"test": test.digest})

    def read() -> tuple[CheckedUtterances, int]:
        utterances, left_out, replaced = _gather(source, test, settings)
        progress("dataset", 1, _STEPS, f"{len(utterances)} utterances read")
        checked = check_utterances(utterances, settings)
        changes = (*left_out, *checked.changes)
        return msgspec.structs.replace(checked, changes=changes), replaced

    def make(partial: Path) -> dict[str, Any]:
        checked, replaced = read()
        splits = split_utterances(checked.utterances, settings)
        progress("dataset", 2, _STEPS, "checked and split")
        parts = {"train": splits.train, "val": splits.validation, "test": splits.test}
        check_held_out(splits)
        _tell_of_held_out(splits)
        labels = sorted({one.intent for one in splits.train if one.intent is not None})
        write_dataset(
            Dataset(
                labels=tuple(labels),
                train=_split(splits.train),
                validation=_split(splits.validation),
                test=_split(splits.test),
                digest="",
            ),
            partial,
        )
        write_atomically(partial / _REPORT, canonical_json(checked.report))
        _warn_of(checked.report)
        in_scope = {name: sum(one.intent is not None for one in parts[name]) for name in parts}
        result = DatasetResult(
            intents=len(labels),
            train=in_scope["train"],
            validation=in_scope["val"],
            test=in_scope["test"],
            out_of_scope_train=len(splits.train) - in_scope["train"],
            out_of_scope_validation=len(splits.validation) - in_scope["val"],
            out_of_scope_test=len(splits.test) - in_scope["test"],
            duplicates_dropped=checked.report.duplicates_dropped.count,
            replaced_test=replaced,
        )
        # The account comes first: no row is gone that nothing tells of.
        write_atomically(changes_path(folder), encode_changes(checked.changes))
        progress("dataset", _STEPS, _STEPS, f"{len(labels)} intents")
        return msgspec.structs.asdict(result)

    artifact = produce_artifact(
        folder, kind=KIND, revision=_REVISION, settings=settings, parents=parents, make=make
    )
    if artifact.skipped and not changes_path(folder).is_file():
        write_atomically(changes_path(folder), encode_changes(read()[0].changes))
    return artifact


def read_dataset(folder: Path) -> Dataset:
    """Read a dataset's folder and check every byte in it.

    Raises:
        ArtifactError: the folder is missing, incomplete or damaged.
    """
    artifact = read_artifact(folder, KIND)
    labels = msgspec.json.decode((folder / _LABELS).read_bytes(), type=tuple[str, ...])
    return Dataset(
        labels=labels,
        train=_read_parquet(folder / "train.parquet"),
        validation=_read_parquet(folder / "val.parquet"),
        test=_read_parquet(folder / "test.parquet"),
        digest=artifact.digest,
    )


def write_dataset(dataset: Dataset, folder: Path) -> None:
    """Write the files of a dataset, without its document, into a folder that exists."""
    for name, split in (
        ("train", dataset.train),
        ("val", dataset.validation),
        ("test", dataset.test),
    ):
        _write_parquet(folder / f"{name}.parquet", split)
    write_atomically(folder / _LABELS, canonical_json(dataset.labels))


def _split(utterances: Iterable[Utterance]) -> Split:
    rows = list(utterances)
    return Split(texts=[one.text for one in rows], intents=[one.intent for one in rows])


def _gather(
    source: Source, test: Source | None, settings: DataSettings
) -> tuple[list[Utterance], list[Change], int]:
    """What is read, what of it is left out, and how many of the source's test texts that are."""
    utterances = parse_source(source, settings=settings)
    if test is None:
        return utterances, [], 0
    kept = [utterance for utterance in utterances if utterance.split != "test"]
    given = parse_source(test, settings=settings)
    chosen = [utterance for utterance in given if utterance.split == "test"] or given
    as_test = [msgspec.structs.replace(utterance, split="test") for utterance in chosen]
    left_out = [
        tell_of_drop(one, rule="replaced_test", detail="the test location stands in for it")
        for one in utterances
        if one.split == "test"
    ]
    if len(chosen) < len(given):
        left_out += [
            tell_of_drop(one, rule="not_in_test", detail="the test location has a test split")
            for one in given
            if one.split != "test"
        ]
    return kept + as_test, left_out, len(utterances) - len(kept)


def _warn_of(report: ValidationReport) -> None:
    for what, findings in (
        ("duplicates were dropped", report.duplicates_dropped),
        ("texts stand in training and in validation", report.in_train_and_validation),
        ("texts stand in training and in the test", report.in_train_and_test),
        ("texts have different intents in different splits", report.contradictions_across_splits),
    ):
        if findings.count:
            _log.warning("%d %s, see %s", findings.count, what, _REPORT)


def _tell_of_held_out(splits: Splits) -> None:
    if not splits.validation:
        _log.warning(
            "nothing is held out for validation: all is learnt from, and the model gets the "
            "default temperature and threshold (an intent gives some from %d training examples "
            "on, unless data.validation_share is 0)",
            FEWEST_TO_VALIDATE,
        )
    if not splits.test:
        _log.warning(
            "nothing is held out for the test: give one with --test, or more examples, or set "
            "data.test_share above 0, to learn how good the model is"
        )


def _write_parquet(path: Path, split: Split) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([pa.field("text", pa.string(), nullable=False), ("intent", pa.string())])
    columns = [pa.array(column, pa.string()) for column in (split.texts, split.intents)]
    table = pa.table(columns, schema=schema)
    # One row group and named settings: the bytes depend on the rows alone.
    pq.write_table(
        table,
        path,
        row_group_size=max(1, len(split.texts)),
        version="2.6",
        compression="zstd",
        compression_level=3,
        use_dictionary=["intent"],
    )


def _read_parquet(path: Path) -> Split:
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["text", "intent"], use_threads=False)
    return Split(texts=table["text"].to_pylist(), intents=table["intent"].to_pylist())
