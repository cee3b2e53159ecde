"""What the trainer's tasks take by default, and how they describe utterances."""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "BUILD",
    "DATASETS",
    "DATASET_HELP",
    "DATA_HELP",
    "EXAMPLE",
    "PROJECT",
    "find_dataset",
]

PROJECT = Path(__file__).resolve().parents[2]
"""The folder with ``tasks.py``."""
EXAMPLE = Path(__file__).parents[1] / "examples" / "smart_home"
BUILD = Path("build")
DATASETS = BUILD / "cache" / "datasets"
"""Datasets of buckets, as they are on this machine."""
DATASET_HELP = "what data.build made: a path or s3:// URI"
DATA_HELP = (
    "CSV, JSONL, parquet, CLINC150 JSON, sentence templates or a folder of them; "
    "a path or s3:// URI"
)


def find_dataset(location: str) -> Path:
    """The folder of a dataset, which is fetched when it lies in a bucket.

    Raises:
        ArtifactError: there is no whole dataset at the URI.
        SourceNotFoundError: the bucket cannot be reached.
        StorageError: the copy cannot be written.
    """
    from trainer.dataset_location import fetch_dataset

    return fetch_dataset(location, cache=DATASETS)
