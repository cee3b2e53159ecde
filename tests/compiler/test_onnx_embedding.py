"""The token table in 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy
from onnx import TensorProto, checker, helper, numpy_helper

from compiler.onnx_embedding import quantize_token_table

TABLES = of_numpy.arrays(
    np.float32,
    st.tuples(st.integers(4, 12), st.integers(1, 9)),
    elements=st.floats(-1e3, 1e3, width=32),
)


def graph(table: np.ndarray) -> Any:
    """Two tables, of which ``table`` is the larger one, looked up by the same numbers."""
    small = np.ones((3, table.shape[1]), dtype=np.float32)
    nodes = [
        helper.make_node("Gather", ["small", "zero"], ["position"], name="positions"),
        helper.make_node("Gather", ["table", "ids"], ["row"], name="tokens"),
        helper.make_node("Add", ["row", "position"], ["out"], name="add"),
    ]
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(small, "small"),
        numpy_helper.from_array(np.array(0, dtype=np.int64), "zero"),
    ]
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["tokens"])]
    outputs = [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["tokens", table.shape[1]])]
    made = helper.make_graph(nodes, "tables", inputs, outputs, constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def rows(model: Any, count: int) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    found: np.ndarray = session.run(["out"], {"ids": np.arange(count)})[0]
    return found - 1


@settings(deadline=None, max_examples=40)
@given(TABLES)
def test_no_number_is_further_off_than_half_a_step_of_its_row(table: np.ndarray) -> None:
    model = graph(table)
    quantize_token_table(model)
    checker.check_model(model)
    step = np.abs(table).max(axis=1, keepdims=True) / 127
    # Half a step, and what float32 loses when one is added and taken away again.
    bound = step / 2 + np.abs(table).max(axis=1, keepdims=True) * 1e-6 + 1e-6
    assert np.all(np.abs(rows(model, len(table)) - table) <= bound)


def test_the_largest_table_alone_is_stored_in_8_bits() -> None:
    model = graph(np.random.default_rng(1).normal(size=(100, 8)).astype(np.float32))
    quantize_token_table(model)
    kinds = {one.name: one.data_type for one in model.graph.initializer}
    assert kinds["table"] == TensorProto.INT8
    assert (kinds["small"], kinds["table.scales"]) == (TensorProto.FLOAT, TensorProto.FLOAT)


def test_a_row_of_zeros_stays_zero() -> None:
    table = np.ones((5, 4), dtype=np.float32)
    table[2] = 0
    model = graph(table)
    quantize_token_table(model)
    assert np.array_equal(rows(model, 5), table)
