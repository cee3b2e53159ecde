"""What stands in a run, and under which name."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.storage import canonical_json
from trainer.soup import TRAININGS
from trainer.tracking.energy import Cost
from trainer.tracking.provenance import code_version, library_versions
from trainer.tracking.tracker import Measurement, Run

__all__ = [
    "CHECKPOINT",
    "INPUTS",
    "LAST_EPOCH",
    "PLACE",
    "cost_measurements",
    "cost_of",
    "cost_tags",
    "epoch_measurements",
    "flat_settings",
    "inputs_digest",
    "name_of_run",
    "numbered_passes",
    "place_of",
    "result_metrics",
    "training_tags",
]

CHECKPOINT = "edgewise.checkpoint"
"""Tag: SHA-256 of the checkpoint's document."""
INPUTS = "edgewise.inputs"
"""Tag: digest of everything that the checkpoint depends on."""
PLACE = "edgewise.place"
"""Tag: digest of the machine and folder that the checkpoint is written to."""
LAST_EPOCH = "epoch/number"
"""Metric: the last pass whose metrics the run has."""

_METHOD = "edgewise.energy"
_COUNTRY = "edgewise.country"


def name_of_run(folder: Path) -> str:
    """A run's name: ``smart-home`` for ``build/smart-home/checkpoint``.

    The second of several trainings of it is ``smart-home-2``.
    """
    folder = folder.absolute()
    if folder.parent.suffix == TRAININGS:
        return f"{name_of_run(folder.parent.with_suffix(''))}-{folder.name}"
    return (folder.parent if folder.name == "checkpoint" else folder).name


def place_of(folder: Path) -> str:
    """Digest of where a checkpoint is written: there is one training at a time."""
    return hashlib.sha256(f"{platform.node()}\0{folder.absolute()}".encode()).hexdigest()


def inputs_digest(inputs: Mapping[str, Any]) -> str:
    """Digest of settings and parents: equal ones give the same checkpoint."""
    return hashlib.sha256(canonical_json(msgspec.to_builtins(dict(inputs)))).hexdigest()


def flat_settings(section: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Dotted name -> value as text, lists with commas, as in the environment.

    A section within the section, such as a student's ``distillation``, goes by its own name.
    """
    found: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat_settings(name, value)
        elif value is not None:
            as_list = isinstance(value, list | tuple)
            found[f"{section}.{name}"] = ",".join(map(str, value)) if as_list else str(value)
    return found


def training_tags(folder: Path, inputs: Mapping[str, Any]) -> dict[str, str]:
    """Where a training is, what it depends on, and what it is made by."""
    code = code_version()
    tags = {
        PLACE: place_of(folder),
        INPUTS: inputs_digest(inputs),
        "edgewise.folder": f"{platform.node()}:{folder.absolute()}",
        **{f"edgewise.{name}": value for name, value in inputs.items() if isinstance(value, str)},
        "edgewise.code.sha256": code.sha256,
        **{f"edgewise.version.{name}": one for name, one in library_versions().items()},
        "mlflow.source.name": "edgewise",
    }
    if code.commit is not None:
        # MLflow's own pages show the second.
        tags |= {"edgewise.code.commit": code.commit, "mlflow.source.git.commit": code.commit}
        tags["edgewise.code.dirty"] = str(code.dirty).lower()
    return tags


def epoch_measurements(passes: Iterable[tuple[int, Any]]) -> list[Measurement]:
    """What each pass gave: its number, from 1, and its record."""
    found: list[Measurement] = []
    for number, record in passes:
        values = _numbers(msgspec.to_builtins(record))
        values.pop("epoch", None)
        found += [Measurement(f"epoch/{name}", value, number) for name, value in values.items()]
        found.append(Measurement(LAST_EPOCH, number, number))
    return found


def numbered_passes(result: Mapping[str, Any]) -> list[tuple[int, Any]]:
    """The passes in a checkpoint's result, each with its number, from 1."""
    return [(one["epoch"], one) for one in result.get("history", [])]


def cost_measurements(cost: Cost, *, step: int) -> list[Measurement]:
    """Seconds, energy and carbon until the end of a pass."""
    values = _numbers(msgspec.structs.asdict(cost))
    return [Measurement(f"cost/{name}", value, step) for name, value in values.items()]


def cost_tags(cost: Cost) -> dict[str, str]:
    """How the energy is known, and whose electricity it is."""
    named = {_METHOD: cost.method, _COUNTRY: cost.country}
    return {name: value for name, value in named.items() if value is not None}


def cost_of(run: Run) -> Cost | None:
    """What a run says of its cost; ``None`` for one that has no training of its own."""
    if "cost/seconds" not in run.metrics:
        return None
    method = run.tags.get(_METHOD)
    return Cost(
        seconds=run.metrics["cost/seconds"],
        energy_wh=run.metrics.get("cost/energy_wh"),
        co2eq_g=run.metrics.get("cost/co2eq_g"),
        method=method if method in {"measured", "estimated"} else None,  # type: ignore[arg-type]
        country=run.tags.get(_COUNTRY),
    )


def result_metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of an evaluation's splits: ``test/ece`` and so on."""
    return {
        f"{split}/{name}": value
        for split, measures in result.items()
        if isinstance(measures, dict)
        for name, value in _numbers(measures).items()
    }


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
