"""Quality gates: is a model good enough to go on?"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence

import msgspec

from edge_runtime.errors import QualityGateError
from trainer.config import GateSettings

__all__ = ["Gate", "any_is_set", "judge", "refuse_missed"]

_MINIMUM = "minimum_"
_MAXIMUM = "maximum_"
_NO_OUTSIDE = "the split has no out-of-scope utterances"


class Gate(msgspec.Struct, frozen=True):
    """One gate, and what became of it."""

    name: str
    """The setting, such as ``minimum_macro_f1``."""
    limit: float
    """What was asked for, 0 to 1."""
    found: float | None
    """What was measured; ``None`` when the split cannot tell, which is a miss."""
    passed: bool
    missed_by: float | None
    """Distance to the limit of a gate that was missed."""
    missing: str | None
    """Why it cannot be judged, when it cannot."""


def any_is_set(settings: GateSettings) -> bool:
    """Tell whether any gate is to be judged."""
    return any(
        limit is not None
        for name, limit in msgspec.structs.asdict(settings).items()
        if name.startswith((_MINIMUM, _MAXIMUM))
    )


def judge(
    measures: Mapping[str, float | None],
    settings: GateSettings,
    *,
    missing: Mapping[str, str] | None = None,
) -> tuple[Gate, ...]:
    """Judge every gate that is set.

    Args:
        measures: by the name of their gate without ``minimum_`` or ``maximum_``.
        settings: the limits.
        missing: by the same names, why a measure that is ``None`` could not be taken; by default
            the split lacks out-of-scope utterances.

    Returns:
        In the order of the settings; empty when none is set.
    """
    gates = []
    for name, limit in msgspec.structs.asdict(settings).items():
        if limit is None or not name.startswith((_MINIMUM, _MAXIMUM)):
            continue
        measure = name.removeprefix(_MINIMUM).removeprefix(_MAXIMUM)
        found = measures[measure]
        within = operator.ge if name.startswith(_MINIMUM) else operator.le
        passed = found is not None and within(found, limit)
        gates.append(
            Gate(
                name=name,
                limit=limit,
                found=found,
                passed=passed,
                missed_by=None if passed or found is None else round(abs(found - limit), 6),
                missing=None if found is not None else (missing or {}).get(measure, _NO_OUTSIDE),
            )
        )
    return tuple(gates)


def refuse_missed(gates: Sequence[Gate], *, report: str) -> None:
    """Refuse a model that missed a gate.

    Args:
        gates: what ``judge`` said.
        report: where to read more.

    Raises:
        QualityGateError: names every gate that was missed, and by how much.
    """
    missed = [gate for gate in gates if not gate.passed]
    if not missed:
        return
    reasons = [_reason(gate) for gate in missed]
    raise QualityGateError(
        f"{len(missed)} of {len(gates)} quality gates missed: {'; '.join(reasons)}; "
        f"see {report}, improve the model, or change [gates]",
        missed=[gate.name for gate in missed],
        reasons=reasons,
    )


def _reason(gate: Gate) -> str:
    if gate.found is None:
        return f"{gate.name} cannot be judged: {gate.missing}"
    return f"{gate.name} {gate.limit:g}, found {gate.found:.4f} ({gate.missed_by:.4f} off)"
