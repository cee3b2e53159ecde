"""The settings of the compiler's stages; every default stands in ``defaults.toml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar

import msgspec

from edge_runtime.manifest import SEMANTIC_VERSION
from edge_runtime.settings import load_settings
from trainer.config import DEFAULTS as TRAINER_DEFAULTS
from trainer.config import (
    CalibrationSettings,
    DataSettings,
    DistillationSettings,
    GateSettings,
    ReportSettings,
    SoupSettings,
    TrainSettings,
)

__all__ = [
    "DEFAULTS",
    "BundleSettings",
    "CompileSettings",
    "IntentSettings",
    "JudgingSettings",
    "LineSettings",
    "load_distillation_settings",
    "load_judging_settings",
    "load_line_settings",
]

DEFAULTS = Path(__file__).with_name("defaults.toml")

Section = TypeVar("Section", bound=msgspec.Struct)
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class CompileSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which variants are made and what they must pass: section ``[compile]``."""

    variants: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    """Names from ``compiler.compile.VARIANTS``, in the order a device tries them."""
    required: tuple[str, ...]
    """Variants that must pass the gate; another that fails is only left out."""
    opset: Annotated[int, msgspec.Meta(ge=14, le=20)]
    """ONNX operator set; 20 is the last that torch's tracing exporter writes."""
    smoothing: Annotated[float, msgspec.Meta(ge=0, le=1)]
    """How much of the activations' outliers int8 moves into the weights: 0 little, 1 all."""
    maximum_changed_answers: Share
    """Largest share of validation utterances whose answer may differ from torch's; without any,
    training ones stand in."""
    maximum_accuracy_drop: Share
    """Largest loss of accuracy against torch on the same utterances."""
    maximum_logit_difference_fp32: Annotated[float, msgspec.Meta(gt=0, le=1e6)]
    """Largest absolute difference of any logit between torch and ONNX fp32."""


class BundleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a bundle is called and how it tests itself: section ``[bundle]``."""

    version: Annotated[str, msgspec.Meta(pattern=f"^{SEMANTIC_VERSION}$")]
    """Semantic version of the bundle and of its model component."""
    golden_samples: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    """How many validation utterances travel as a self-test; without any, training ones."""
    golden_tolerance: Annotated[float, msgspec.Meta(gt=0, le=1)]
    """Largest allowed difference of a confidence on another processor."""
    golden_margin: Annotated[float, msgspec.Meta(ge=0, lt=1)]
    """A golden sample leads its second-best intent by at least this much probability."""


class IntentSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an intent is added without training: section ``[intent]``."""

    taken: Annotated[float, msgspec.Meta(gt=0, le=0.5)]
    """Share of the other intents' texts that it may take, by estimate: with more it answers more
    of its own."""


class LineSettings(NamedTuple):
    """The settings of every stage from utterances to a bundle."""

    data: DataSettings
    train: TrainSettings
    soup: SoupSettings
    calibration: CalibrationSettings
    compile: CompileSettings
    bundle: BundleSettings


class JudgingSettings(NamedTuple):
    """How a trained model is judged before anything is made of it."""

    report: ReportSettings
    gates: GateSettings


def load_line_settings(
    *, project_folder: Path, seed: int | None = None, trainings: int | None = None
) -> LineSettings:
    """Read the settings of a project.

    Args:
        project_folder: the folder with ``edgewise.toml``, if it has one.
        seed: of the training, in place of the project's.
        trainings: how many a model is the mean of, in place of the project's.

    Raises:
        SettingsError: a value is unknown, of a wrong type or out of range.
    """

    def load(kind: type[Section], name: str, defaults: Path, **flags: int | None) -> Section:
        return load_settings(
            kind, name, defaults=defaults, project_folder=project_folder, flags=flags
        )

    return LineSettings(
        data=load(DataSettings, "data", TRAINER_DEFAULTS),
        train=load(TrainSettings, "train", TRAINER_DEFAULTS, seed=seed),
        soup=load(SoupSettings, "soup", TRAINER_DEFAULTS, trainings=trainings),
        calibration=load(CalibrationSettings, "calibration", TRAINER_DEFAULTS),
        compile=load(CompileSettings, "compile", DEFAULTS),
        bundle=load(BundleSettings, "bundle", DEFAULTS),
    )


def load_judging_settings(*, project_folder: Path) -> JudgingSettings:
    """Read what a project's models must reach, and what their report describes.

    Args:
        project_folder: the folder with ``edgewise.toml``, if it has one.

    Raises:
        SettingsError: a value is unknown, of a wrong type or out of range.
    """

    def load(kind: type[Section], name: str) -> Section:
        return load_settings(kind, name, defaults=TRAINER_DEFAULTS, project_folder=project_folder)

    return JudgingSettings(load(ReportSettings, "report"), load(GateSettings, "gates"))


def load_distillation_settings(
    *, project_folder: Path, tier: str | None = None
) -> DistillationSettings:
    """Read how a project's students learn.

    Args:
        project_folder: the folder with ``edgewise.toml``, if it has one.
        tier: how much is left of the encoder, in place of the project's.

    Raises:
        SettingsError: a value is unknown, of a wrong type or out of range.
    """
    return load_settings(
        DistillationSettings,
        "distillation",
        defaults=TRAINER_DEFAULTS,
        project_folder=project_folder,
        flags={"tier": tier},
    )
