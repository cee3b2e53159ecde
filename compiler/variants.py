"""The forms that a model can take, and how each is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from compiler.config import CompileSettings
from compiler.gguf_export import export_gguf_q8_0
from compiler.onnx_export import export_onnx
from compiler.onnx_quantize import quantize_int8

__all__ = ["VARIANTS", "Export", "VariantKind"]


class Export(msgspec.Struct, frozen=True):
    """What every exporter is given."""

    model: Any
    """The merged torch model, in evaluation mode."""
    fp32: Path
    """The ONNX fp32 graph, already written."""
    tokenizer: Path
    """The model's tokenizer.json."""
    calibration: Sequence[Sequence[int]]
    """Token ids of training texts."""
    settings: CompileSettings


class VariantKind(msgspec.Struct, frozen=True):
    """One form of the model."""

    file: str
    """The file's name in the bundle."""
    format: Literal["onnx", "gguf"]
    """Which engine reads it."""
    precision: str
    """Numbers that the weights are stored in."""
    requires: tuple[str, ...]
    """What a processor must have; see ``edge_runtime.cpu.CAPABILITIES``."""
    write: Callable[[Export, Path], None]
    """Writes the file."""


def write_fp32(export: Export, path: Path) -> None:
    """Write the ONNX fp32 graph."""
    export_onnx(export.model, path, opset=export.settings.opset)


def _write_int8(export: Export, path: Path) -> None:
    quantize_int8(
        export.fp32, path, calibration=export.calibration, smoothing=export.settings.smoothing
    )


def _write_q8_0(export: Export, path: Path) -> None:
    export_gguf_q8_0(export.model, path, tokenizer=export.tokenizer, name="edgewise")


VARIANTS: dict[str, VariantKind] = {
    "fp32": VariantKind("model.fp32.onnx", "onnx", "fp32", (), write_fp32),
    "int8": VariantKind("model.int8.onnx", "onnx", "int8", ("int8-dot",), _write_int8),
    "q8_0": VariantKind("model.q8_0.gguf", "gguf", "q8_0", (), _write_q8_0),
}
"""Every variant by name."""
