"""Smoothing: the same function, with flatter numbers."""

from __future__ import annotations

import collections
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compiler.onnx_smooth import smooth_activations
from edge_runtime.session_onnx import OnnxSession

TEXTS = [[0, 1, 2], [3, 1], [2, 2, 0]]


def write_graph(path: Path, *, shared: bool) -> None:
    """Two products in a row over an embedding whose first channel is an outlier."""
    chance = np.random.default_rng(1)
    table = chance.normal(size=(4, 8)).astype(np.float32)
    table[:, 0] *= 100
    arrays = {
        "table": table,
        "first": chance.normal(size=(8, 8)).astype(np.float32),
        "second": chance.normal(size=(8, 8)).astype(np.float32),
        "axis": np.array([1], dtype=np.int64),
    }
    second = "first" if shared else "second"
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["x"], name="gather"),
        helper.make_node("MatMul", ["x", "first"], ["y"], name="one"),
        helper.make_node("Tanh", ["y"], ["z"], name="tanh"),
        helper.make_node("MatMul", ["z", second], ["w"], name="two"),
        helper.make_node("ReduceSum", ["w", "axis"], ["embedding"], name="sum", keepdims=0),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, [1, "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, 8])]
    constants = [numpy_helper.from_array(value, name) for name, value in arrays.items()]
    graph = helper.make_graph(nodes, "small", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))


def embeddings(path: Path, rows: list[list[int]]) -> np.ndarray:
    session = OnnxSession(path, threads=1)
    return np.stack([session.embedding(row) for row in rows])


@pytest.mark.parametrize("strength", [0.0, 0.5, 0.8, 1.0])
def test_the_tiny_model_stays_the_same_function(
    fp32: Path, token_ids: list[list[int]], reference: np.ndarray, tmp_path: Path, strength: float
) -> None:
    target = tmp_path / "smoothed.onnx"
    smoothed = smooth_activations(fp32, target, calibration=token_ids[:20], strength=strength)
    # In each of two layers: one input for query, key and value, and one for each other product.
    assert smoothed == 8
    assert np.abs(embeddings(target, token_ids) - reference).max() <= 1e-4


def test_an_outlying_channel_moves_into_the_weights(tmp_path: Path) -> None:
    write_graph(tmp_path / "a.onnx", shared=False)
    smooth_activations(tmp_path / "a.onnx", tmp_path / "b.onnx", calibration=TEXTS, strength=1.0)
    weights = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in onnx.load(str(tmp_path / "b.onnx")).graph.initializer
    }
    # At full strength every channel ends with the same peak.
    peaks = np.abs(weights["table"] * weights["x.smoothing"]).max(axis=0)
    np.testing.assert_allclose(peaks, peaks[0], rtol=1e-5)
    np.testing.assert_allclose(
        embeddings(tmp_path / "b.onnx", TEXTS),
        embeddings(tmp_path / "a.onnx", TEXTS),
        rtol=1e-4,
        atol=1e-4,
    )


def test_weights_that_layers_share_are_left_alone(tmp_path: Path) -> None:
    write_graph(tmp_path / "a.onnx", shared=True)
    smoothed = smooth_activations(
        tmp_path / "a.onnx", tmp_path / "b.onnx", calibration=TEXTS, strength=0.8
    )
    assert smoothed == 0
    assert np.array_equal(
        embeddings(tmp_path / "b.onnx", TEXTS), embeddings(tmp_path / "a.onnx", TEXTS)
    )


def test_the_source_is_not_changed(fp32: Path, token_ids: list[list[int]], tmp_path: Path) -> None:
    before = fp32.read_bytes()
    smooth_activations(fp32, tmp_path / "b.onnx", calibration=token_ids[:2], strength=0.5)
    assert fp32.read_bytes() == before


def test_each_product_reads_its_smoothed_input_once(
    fp32: Path, token_ids: list[list[int]], tmp_path: Path
) -> None:
    target = tmp_path / "b.onnx"
    smooth_activations(fp32, target, calibration=token_ids[:2], strength=0.5)
    nodes = onnx.load(str(target)).graph.node
    uses = collections.Counter(
        node.input[0] for node in nodes if node.op_type == "MatMul" and "smoothed" in node.input[0]
    )
    assert sorted(uses.values()) == [1, 1, 1, 1, 1, 1, 3, 3]
