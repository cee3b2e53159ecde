"""Every family of base models that can be trained, exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from compiler.errors import ExportError
from compiler.gguf_export import export_gguf_q8_0
from compiler.onnx_export import export_onnx
from compiler.onnx_quantize import quantize_int8
from edge_runtime.session_onnx import OnnxSession
from trainer.base_model import find_base_model
from trainer.model import IntentModel, load_encoder
from trainer.pooling import choose_pooling

FAMILIES = ["bert", "distilbert", "roberta", "modernbert", "llama", "qwen2", "qwen3"]
# One token, few, and more than ModernBERT's local attention of 8 sees.
TEXTS = [[5], [5, 6, 7, 8], list(range(40, 90))]


def model_of(folder: Path) -> IntentModel:
    encoder = load_encoder(find_base_model(str(folder)))
    pooling = choose_pooling(encoder.config, name=folder.name)
    return IntentModel(encoder, 4, normalized=True, pooling=pooling).eval()


@pytest.mark.parametrize("family", FAMILIES)
def test_its_onnx_graph_gives_torch_s_embeddings_and_int8_is_close_to_them(
    tiny_family: Callable[[str], Path], tmp_path: Path, family: str
) -> None:
    model = model_of(tiny_family(family))
    export_onnx(model, tmp_path / "fp32.onnx", opset=17)
    quantize_int8(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", calibration=TEXTS, smoothing=0.8)
    exact = OnnxSession(tmp_path / "fp32.onnx", threads=1)
    small = OnnxSession(tmp_path / "int8.onnx", threads=1)
    for ids in TEXTS:
        with torch.inference_mode():
            expected = model.embed(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.int64))
        reference = expected[0].numpy()
        assert np.abs(exact.embedding(ids) - reference).max() < 1e-4
        found = small.embedding(ids)
        cosine = found @ reference / (np.linalg.norm(found) * np.linalg.norm(reference))
        assert cosine > 0.99
    sizes = [(tmp_path / name).stat().st_size for name in ("fp32.onnx", "int8.onnx")]
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize("family", ["distilbert", "roberta", "modernbert", "llama", "qwen3"])
def test_gguf_says_in_one_line_that_it_is_for_bert(
    tiny_family: Callable[[str], Path], tmp_path: Path, family: str
) -> None:
    folder = tiny_family(family)
    with pytest.raises(ExportError, match=rf"BERT encoders, this one is {family}; leave q8_0 out"):
        export_gguf_q8_0(
            model_of(folder), tmp_path / "x", tokenizer=folder / "tokenizer.json", name="x"
        )
    assert not (tmp_path / "x").exists()
