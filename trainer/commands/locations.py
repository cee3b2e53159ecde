"""What the trainer's tasks take by default, and how they describe utterances."""

from __future__ import annotations

from pathlib import Path

__all__ = ["BUILD", "DATA_HELP", "EXAMPLE", "PROJECT"]

PROJECT = Path(__file__).resolve().parents[2]
"""The folder with ``tasks.py``."""
EXAMPLE = Path(__file__).parents[1] / "examples" / "smart_home"
BUILD = Path("build")
DATA_HELP = (
    "CSV, JSONL, parquet, CLINC150 JSON, sentence templates or a folder of them; "
    "a path or s3:// URI"
)
