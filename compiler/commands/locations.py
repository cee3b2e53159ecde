"""Where the compiler's tasks look by default, and how they describe it."""

from __future__ import annotations

from pathlib import Path

from trainer.commands.locations import DATASET_HELP

__all__ = ["CHECKPOINT", "COMPILED", "DATASET", "EVALUATION", "INPUTS_HELP", "LINE"]

LINE = Path("build") / "smart-home"
CHECKPOINT = str(LINE / "checkpoint")
DATASET = str(LINE / "dataset")
EVALUATION = str(LINE / "evaluation")
COMPILED = str(LINE / "compiled")
INPUTS_HELP = {
    "checkpoint": "what train.run made",
    "dataset": DATASET_HELP,
    "evaluation": "what eval.run made",
    "json": "print one JSON object",
}
