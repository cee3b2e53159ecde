"""Long products in four parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, checker, helper, numpy_helper

from compiler.onnx_split import split_long_products


def graph(length: int, *, products: int = 1) -> Any:
    """``products`` products with one weight of ``length`` inputs, side by side."""
    weight = np.random.default_rng(1).normal(size=(length, 3)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", [f"x{number}", "weight"], [f"y{number}"], name=f"p{number}")
        for number in range(products)
    ]
    inputs = [
        helper.make_tensor_value_info(f"x{number}", TensorProto.FLOAT, [1, "tokens", length])
        for number in range(products)
    ]
    outputs = [
        helper.make_tensor_value_info(f"y{number}", TensorProto.FLOAT, [1, "tokens", 3])
        for number in range(products)
    ]
    constants = [numpy_helper.from_array(weight, "weight")]
    made = helper.make_graph(nodes, "product", inputs, outputs, constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: Any, values: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    result: np.ndarray = session.run(["y0"], {"x0": values})[0]
    return result


@pytest.mark.parametrize("length", [1024, 1536, 2048])
def test_a_long_product_is_the_sum_of_four(length: int) -> None:
    values = np.random.default_rng(2).normal(size=(1, 5, length)).astype(np.float32)
    model = graph(length)
    expected = run(model, values)
    assert split_long_products(model) == 1
    checker.check_model(model)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds == ["Split", "MatMul", "MatMul", "MatMul", "MatMul", "Sum"]
    np.testing.assert_allclose(run(model, values), expected, rtol=1e-4, atol=1e-4)
    shapes = {one.name: tuple(one.dims) for one in model.graph.initializer}
    assert shapes["weight.0"] == (length // 4, 3)
    assert "weight" not in shapes


@pytest.mark.parametrize("length", [128, 1023, 1025])
def test_a_short_or_odd_product_stays_whole(length: int) -> None:
    model = graph(length)
    before = model.SerializeToString()
    assert split_long_products(model) == 0
    assert model.SerializeToString() == before


def test_a_weight_that_layers_share_stays_whole() -> None:
    model = graph(1024, products=2)
    assert split_long_products(model) == 0
    assert [node.op_type for node in model.graph.node] == ["MatMul", "MatMul"]
