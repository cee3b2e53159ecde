"""Which settings behind a record of a benchmark are not today's."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from compiler import config as compiler_config
from trainer import config as trainer_config
from trainer.benchmark_record import BenchmarkRecord

__all__ = ["Settings", "default_settings", "other_settings"]

Settings = Mapping[str, Mapping[str, Any]]
"""Section -> setting -> value."""
# Settings that the command in the record chooses, by its task.
_CHOSEN = {
    "bench.quality": {
        "compile": {"variants", "required"},
        "distillation": {"tier"},
        "soup": {"trainings"},
    },
    "bench.scaling": {"train": {"epochs", "seed"}},
    # Of the checkpoint that it names, one of several that differ in the seed alone.
    "bench.scores": {"train": {"seed"}},
}
# Settings of a student that those of other tiers alone read.
_OF_STATIC = {"static_learning_rate", "static_width"}
_OF_LAYERS = {"learning_rate"}


def default_settings() -> Settings:
    """Today's defaults of whatever a benchmark runs."""
    tables: dict[str, Any] = {}
    for defaults in (trainer_config.DEFAULTS, compiler_config.DEFAULTS):
        tables |= tomllib.loads(defaults.read_text(encoding="utf-8"))
    return tables


def other_settings(record: BenchmarkRecord, defaults: Settings) -> list[str]:
    """Name each setting of a record that is not the default now, of the sections that it tells.

    Args:
        record: of any benchmark.
        defaults: see ``default_settings``.
    """
    settings: Settings = record.result.get("settings", {})
    left_out = dict(_CHOSEN.get(record.task, {}))
    if tier := settings.get("distillation", {}).get("tier"):
        unread = _OF_LAYERS if tier == "static" else _OF_STATIC
        left_out["distillation"] = left_out.get("distillation", set()) | unread
    told = []
    for section, values in sorted(settings.items()):
        now = defaults.get(section, {})
        for name in sorted({*values, *now} - left_out.get(section, set())):
            before, after = values.get(name), now.get(name)
            if before != after:
                was = f"{before}" if name in values else "not yet a setting"
                is_now = f"now {after}" if name in now else "is no setting now"
                told.append(f"`{section}.{name}` {was} ({is_now})")
    return told
