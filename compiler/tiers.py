"""The size tiers of a model: a bundle of each small student of one teacher."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from compiler.bundle import check_model_name
from compiler.compile import Refused, read_compiled
from compiler.config import JudgingSettings, LineSettings
from compiler.latency import measure_latency
from compiler.line import Line, build_line
from edge_runtime.artifact import Artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import EdgeError, SettingsError
from edge_runtime.storage import file_entries
from trainer.checkpoint import read_checkpoint
from trainer.config import TIERS, DistillationSettings
from trainer.dataset import read_dataset
from trainer.teaching import Teaching

if TYPE_CHECKING:
    from trainer.tracking import Recorder

__all__ = ["BuiltTier", "FailedTier", "TiersResult", "build_tiers"]

_INT8 = "int8"


class BuiltTier(msgspec.Struct, frozen=True):
    """One tier's bundle. Measures and latency are those of the variant that a device tries first.

    The measures are of the test, and only reported: nothing is chosen by them.
    """

    tier: str
    folder: str
    """Holds its ``checkpoint``, ``evaluation``, ``evaluation-report``, ``compiled``, ``bundle`` and
    ``latency``."""
    skipped: bool
    """Whether everything was up to date."""
    parameters: int
    """Weights of the model, its head included."""
    bundle_bytes: int
    """Size of all files of the bundle."""
    int8_bytes: int | None
    """Size of the int8 variant's file; ``None`` when it is not in the bundle."""
    variant: str
    """The variant that a device tries first."""
    in_scope_accuracy: float | None
    """``None`` without a test."""
    oos_auroc: float | None
    """``None`` without a test that has out-of-scope texts."""
    p50_ms: float
    """Median time of one answer on this machine, one thread, in milliseconds."""
    refused: tuple[Refused, ...]
    """Variants that are not in the bundle, and why."""


class FailedTier(msgspec.Struct, frozen=True):
    """A tier that could not be built."""

    tier: str
    folder: str
    error: str
    """What is wrong, and what to do."""
    exit_code: int
    """3 when a quality gate refused it, else 1."""


class TiersResult(msgspec.Struct, frozen=True):
    """What ``compile.tiers`` prints."""

    tiers: tuple[BuiltTier, ...]
    """The largest first."""
    failed: tuple[FailedTier, ...]

    @property
    def exit_code(self) -> int:
        """0 when every tier was built; 3 when gates alone refused some, else 1."""
        return min((one.exit_code for one in self.failed), default=0)


def build_tiers(
    teacher: Path,
    dataset: Path,
    folder: Path,
    *,
    tiers: Sequence[str],
    name: str,
    settings: LineSettings,
    judging: JudgingSettings,
    distillation: DistillationSettings,
    recorder: Recorder | None = None,
    progress: Progress = no_progress,
) -> TiersResult:
    """Build a bundle of each small student: train, evaluate, report, compile, bundle, time.

    What is up to date is not made again. A tier that fails does not stop the others.

    Args:
        teacher: a checkpoint of this dataset's intents.
        dataset: made by ``build_dataset``.
        folder: gets a folder of each tier.
        tiers: names from ``trainer.config.TIERS``.
        name: the teacher's name; a tier's bundle is called ``<name>-<tier>``.
        settings: of every stage.
        judging: the report of each tier, whose gates can refuse it.
        distillation: how students learn; its tier is replaced.
        recorder: records the trainings and evaluations; sends no metrics to CloudWatch.
        progress: told each step.

    Raises:
        SettingsError: no tier is asked for, or an unknown one; or a model cannot have such a name.
        ArtifactError: the teacher or the dataset is missing or damaged.
        TrainingError: the teacher has not this dataset's intents.
    """
    unknown = [tier for tier in tiers if tier not in TIERS]
    if unknown or not tiers:
        raise SettingsError(
            f"there is no tier {unknown[0] if unknown else ''!r}; take some of {', '.join(TIERS)}"
        )
    asked = [tier for tier in TIERS if tier in tiers]
    for tier in asked:
        check_model_name(_name_of(name, tier))
    checkpoint = read_checkpoint(teacher)
    Teaching(checkpoint, distillation).check(read_dataset(dataset).labels)
    built: list[BuiltTier] = []
    failed: list[FailedTier] = []
    for number, tier in enumerate(asked, start=1):
        place = folder / tier
        teaching = Teaching(checkpoint, msgspec.structs.replace(distillation, tier=tier))
        try:
            line = build_line(
                dataset,
                place,
                name=_name_of(name, tier),
                settings=settings,
                judging=judging,
                teaching=teaching,
                recorder=recorder,
                progress=progress,
            )
            latency = measure_latency(line.bundled.bundle, place / "latency", progress=progress)
            built.append(_describe(tier, place, line, latency))
        except EdgeError as error:
            failed.append(FailedTier(tier, str(place), error.message, error.exit_code))
        progress("tiers", number, len(asked), tier)
    return TiersResult(tuple(built), tuple(failed))


def _name_of(name: str, tier: str) -> str:
    return f"{name}-{tier}"


def _describe(tier: str, place: Path, line: Line, latency: Artifact) -> BuiltTier:
    artifact, (first, *others) = read_compiled(place / "compiled")
    result: dict[str, Any] = artifact.document.result
    sizes = {variant.name: variant.bytes for variant in (first, *others)}
    return BuiltTier(
        tier=tier,
        folder=str(place),
        skipped=line.trained.skipped and line.bundled.skipped,
        parameters=line.trained.document.result["parameters"],
        bundle_bytes=sum(entry.bytes for entry in file_entries(line.bundled.bundle.path).values()),
        int8_bytes=sizes.get(_INT8),
        variant=first.name,
        in_scope_accuracy=first.measures.in_scope_accuracy if first.measures else None,
        oos_auroc=first.measures.oos_auroc if first.measures else None,
        p50_ms=latency.document.result[first.name]["p50_ms"],
        refused=msgspec.convert(result["refused"], tuple[Refused, ...]),
    )
