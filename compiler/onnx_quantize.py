"""ONNX fp32 -> ONNX int8: smoothed, with dynamic activations and per-channel weights."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from compiler.onnx_embedding import quantize_token_table
from compiler.onnx_smooth import smooth_activations
from compiler.onnx_split import split_long_products

__all__ = ["quantize_int8"]


def quantize_int8(
    source: Path, target: Path, *, calibration: Iterable[Sequence[int]], smoothing: float
) -> None:
    """Write the int8 form of an fp32 graph.

    Matrix products run on 8-bit integers: weights with one scale a column, activations
    with one scale found at each call. Outliers are first moved into the weights, long
    products split, and the token table is stored in 8 bits with one scale a row.

    Args:
        source: the fp32 graph.
        target: the file to write.
        calibration: token ids of training texts, for the smoothing.
        smoothing: strength of the smoothing, 0 to 1.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    smoothed = target.with_suffix(".smoothed")
    root_logger = logging.getLogger()
    # onnxruntime advises to run its shape inference first; a traced encoder needs none.
    root_logger.addFilter(_is_not_advice)
    try:
        smooth_activations(source, smoothed, calibration=calibration, strength=smoothing)
        prepared = onnx.load(str(smoothed))
        split_long_products(prepared)
        quantize_dynamic(
            prepared,
            target,
            op_types_to_quantize=["MatMul"],
            weight_type=QuantType.QInt8,
            per_channel=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    finally:
        root_logger.removeFilter(_is_not_advice)
        smoothed.unlink(missing_ok=True)
    model = onnx.load(str(target))
    quantize_token_table(model)
    onnx.save(model, str(target))


def _is_not_advice(record: logging.LogRecord) -> bool:
    return "pre-processing before quantization" not in record.getMessage()
