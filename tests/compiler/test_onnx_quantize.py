"""fp32 -> int8."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from transformers import AlbertConfig, AlbertModel

from compiler.onnx_export import export_onnx
from compiler.onnx_quantize import quantize_int8
from edge_runtime.head import Head
from edge_runtime.session_onnx import OnnxSession
from trainer.model import IntentModel


@pytest.fixture
def int8(fp32: Path, token_ids: list[list[int]], tmp_path: Path) -> Path:
    target = tmp_path / "model.int8.onnx"
    quantize_int8(fp32, target, calibration=token_ids[:30], smoothing=0.8)
    return target


def test_int8_gives_nearly_the_same_embeddings_and_the_same_answers(
    int8: Path, token_ids: list[list[int]], reference: np.ndarray, head: Head
) -> None:
    session = OnnxSession(int8, threads=1)
    found = np.stack([session.embedding(row) for row in token_ids])
    spread = reference.max() - reference.min()
    assert np.abs(found - reference).max() < 0.03 * spread
    answers, expected = head.logits(found).argmax(axis=1), head.logits(reference).argmax(axis=1)
    assert (answers == expected).mean() > 0.95


def test_every_product_runs_on_integers(int8: Path) -> None:
    model = onnx.load(str(int8))
    kinds = [node.op_type for node in model.graph.node]
    tables = [one for one in model.graph.initializer if one.data_type == TensorProto.INT8]
    small = [one for one in tables if len(one.dims) == 2]
    # Six a layer; of the tables also that of the tokens.
    assert (kinds.count("MatMulInteger"), len(small)) == (12, 13)


def test_the_file_is_much_smaller_and_no_other_file_is_left(fp32: Path, int8: Path) -> None:
    assert int8.stat().st_size < 0.55 * fp32.stat().st_size
    assert [path.name for path in int8.parent.iterdir()] == [int8.name]


def test_the_same_model_gives_the_same_bytes(
    fp32: Path, int8: Path, token_ids: list[list[int]], tmp_path: Path
) -> None:
    quantize_int8(fp32, tmp_path / "again.onnx", calibration=token_ids[:30], smoothing=0.8)
    assert (tmp_path / "again.onnx").read_bytes() == int8.read_bytes()


def test_the_quantiser_s_advice_is_kept_from_the_user(
    fp32: Path, token_ids: list[list[int]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = list(logging.getLogger().filters)
    quantize_int8(fp32, tmp_path / "model.onnx", calibration=token_ids[:3], smoothing=0.5)
    assert caplog.messages == []
    assert logging.getLogger().filters == before


def test_an_encoder_whose_layers_share_long_weights_is_quantised(tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        encoder = AlbertModel(
            AlbertConfig(
                vocab_size=99,
                embedding_size=16,
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=1024,
                max_position_embeddings=40,
            ),
            add_pooling_layer=False,
        )
        model = IntentModel(encoder, 4, normalized=True).eval()
    export_onnx(model, tmp_path / "fp32.onnx", opset=17)
    rows = [[5, 6, 7], [8, 9, 10, 11]]
    quantize_int8(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", calibration=rows, smoothing=0.8)
    exact = OnnxSession(tmp_path / "fp32.onnx", threads=1)
    small = OnnxSession(tmp_path / "int8.onnx", threads=1)
    for row in rows:
        np.testing.assert_allclose(small.embedding(row), exact.embedding(row), atol=0.05)


def test_products_of_8_bits_do_not_saturate_on_any_processor(tmp_path: Path) -> None:
    """The largest activations times the largest weights: two such products exceed 16 bits."""
    tokens, hidden = 64, 32
    weights = np.full((tokens, hidden), 127, dtype=np.int8)
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["given"], to=TensorProto.FLOAT),
        helper.make_node("DynamicQuantizeLinear", ["given"], ["small", "scale", "zero"]),
        helper.make_node("MatMulInteger", ["small", "weights", "zero"], ["product"]),
        helper.make_node("Cast", ["product"], ["large"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["large", "scale"], ["embedding"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, [1, tokens])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, hidden])
    graph = helper.make_graph(
        nodes, "products", inputs, [output], [numpy_helper.from_array(weights, "weights")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(tmp_path / "products.onnx"))

    session = OnnxSession(tmp_path / "products.onnx", threads=1)
    found = session.embedding([1000] * tokens)
    session.close()

    np.testing.assert_allclose(found, 1000 * 127 * tokens, rtol=1e-5)
