"""The settings of the compiler's stages; every default stands in ``defaults.toml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

__all__ = ["DEFAULTS", "BundleSettings", "CompileSettings"]

DEFAULTS = Path(__file__).with_name("defaults.toml")

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
    """Largest share of validation utterances whose answer may differ from torch's."""
    maximum_accuracy_drop: Share
    """Largest loss of validation accuracy against torch."""
    maximum_logit_difference_fp32: Annotated[float, msgspec.Meta(gt=0)]
    """Largest absolute difference of any logit between torch and ONNX fp32."""


class BundleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a bundle is called and how it tests itself: section ``[bundle]``."""

    version: Annotated[str, msgspec.Meta(pattern=r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$")]
    """Semantic version of the bundle and of its model component."""
    golden_samples: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    """How many validation utterances travel as a self-test."""
    golden_tolerance: Annotated[float, msgspec.Meta(gt=0, le=1)]
    """Largest allowed difference of a confidence on another processor."""
    golden_margin: Annotated[float, msgspec.Meta(ge=0, lt=1)]
    """A golden sample leads its second-best intent by at least this much probability."""
