"""Moves activation outliers into the weights, so that int8 loses less.

A few channels of a transformer's activations are many times larger than the others, and
one scale for the whole tensor then leaves few steps for the rest. Each such channel is
divided by a factor before the matrix product, and the weight's row multiplied by it: the
same function, with flatter numbers to quantise.

Source: Xiao et al. 2022, "SmoothQuant" (arXiv 2211.10438), equation 4.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["smooth_activations"]

_SMALLEST = 1e-5


def smooth_activations(
    source: Path, target: Path, *, calibration: Iterable[Sequence[int]], strength: float
) -> int:
    """Write the same graph with flatter inputs to its matrix products.

    Args:
        source: an fp32 graph.
        target: the file to write.
        calibration: token ids of training texts; the largest value of each channel is
            read off them.
        strength: 0 leaves all the work to the activations, 1 to the weights.

    Returns:
        How many inputs were smoothed.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(str(source))
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    uses = collections.Counter(name for node in model.graph.node for name in node.input)
    products: dict[str, list[Any]] = collections.defaultdict(list)
    for node in model.graph.node:
        # A weight that layers share cannot suit the inputs of each of them.
        if node.op_type == "MatMul" and node.input[1] in weights and uses[node.input[1]] == 1:
            products[node.input[0]].append(node)
    largest = _largest_per_channel(model, list(products), calibration)
    first_use = {name: _position(model.graph, nodes) for name, nodes in products.items()}
    for name in sorted(products, key=lambda key: first_use[key], reverse=True):
        nodes = products[name]
        arrays = [numpy_helper.to_array(weights[node.input[1]]) for node in nodes]
        rows = np.max([np.abs(array).max(axis=1) for array in arrays], axis=0)
        factor = _factor(largest[name], rows, strength)
        factor_name, smoothed = f"{name}.smoothing", f"{name}.smoothed"
        inverse = numpy_helper.from_array((1.0 / factor).astype(np.float32), factor_name)
        model.graph.initializer.append(inverse)
        for node, array in zip(nodes, arrays, strict=True):
            scaled = (array * factor[:, None]).astype(np.float32)
            weights[node.input[1]].CopyFrom(numpy_helper.from_array(scaled, node.input[1]))
            node.input[0] = smoothed
        divide = helper.make_node(
            "Mul", [name, factor_name], [smoothed], name=f"{name}.smoothing/Mul"
        )
        model.graph.node.insert(first_use[name], divide)
    onnx.save(model, str(target))
    return len(products)


def _factor(
    activations: NDArray[np.float32], rows: NDArray[np.float32], strength: float
) -> NDArray[np.float64]:
    wide = np.maximum(activations.astype(np.float64), _SMALLEST) ** strength
    factor = wide / np.maximum(rows.astype(np.float64), _SMALLEST) ** (1.0 - strength)
    # Only the ratio between channels matters; a mean of one keeps the numbers near where they were.
    result: NDArray[np.float64] = factor / np.exp(np.log(factor).mean())
    return result


def _position(graph: Any, nodes: Sequence[Any]) -> int:
    names = {node.name for node in nodes}
    return next(index for index, node in enumerate(graph.node) if node.name in names)


def _largest_per_channel(
    model: Any, names: list[str], calibration: Iterable[Sequence[int]]
) -> dict[str, NDArray[np.float32]]:
    import onnx
    import onnxruntime

    if not names:
        return {}
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    largest: dict[str, NDArray[np.float32]] = {}
    for token_ids in calibration:
        ids = np.asarray([token_ids], dtype=np.int64)
        values = session.run(names, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        for name, value in zip(names, values, strict=True):
            peak = np.abs(value).reshape(-1, value.shape[-1]).max(axis=0)
            largest[name] = np.maximum(largest[name], peak) if name in largest else peak
    return largest
