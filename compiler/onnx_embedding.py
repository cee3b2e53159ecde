"""The token table in 8 bits, one scale a row, so that it shrinks to a quarter and loses little."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["quantize_token_table"]

_LEVELS = 127


def quantize_token_table(model: Any) -> None:
    """Replace the largest gathered table of a graph by int8 rows and their scales, in place.

    The graph gathers a row and its scale, and multiplies: one scale for the whole table
    (what onnxruntime's own quantiser does for Gather) would leave rare tokens few steps.

    Args:
        model: an ``onnx.ModelProto`` with a ``Gather`` on a float table of two dimensions.
    """
    from onnx import TensorProto, helper, numpy_helper

    tables = {tensor.name: tensor for tensor in model.graph.initializer}
    gathers = [
        node
        for node in model.graph.node
        if node.op_type == "Gather"
        and node.input[0] in tables
        and len(tables[node.input[0]].dims) == 2
        and tables[node.input[0]].data_type == TensorProto.FLOAT
    ]
    gather = max(gathers, key=lambda node: int(np.prod(tables[node.input[0]].dims)))
    table = tables[gather.input[0]]
    values = numpy_helper.to_array(table)
    scales = np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-12) / _LEVELS
    rows = np.clip(np.rint(values / scales), -_LEVELS, _LEVELS).astype(np.int8)
    name, ids, result = gather.input[0], gather.input[1], gather.output[0]
    table.CopyFrom(numpy_helper.from_array(rows, name))
    model.graph.initializer.append(
        numpy_helper.from_array(scales.astype(np.float32), f"{name}.scales")
    )
    gather.output[0] = f"{result}.int8"
    added = [
        helper.make_node(
            "Gather", [f"{name}.scales", ids], [f"{result}.scale"], name=f"{gather.name}/scale"
        ),
        helper.make_node(
            "Cast",
            [f"{result}.int8"],
            [f"{result}.float"],
            name=f"{gather.name}/cast",
            to=TensorProto.FLOAT,
        ),
        helper.make_node(
            "Mul", [f"{result}.float", f"{result}.scale"], [result], name=f"{gather.name}/scaled"
        ),
    ]
    position = list(model.graph.node).index(gather) + 1
    for offset, node in enumerate(added):
        model.graph.node.insert(position + offset, node)
