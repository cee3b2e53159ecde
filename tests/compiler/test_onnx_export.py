"""torch -> ONNX fp32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import transformers
from transformers import AlbertConfig, DistilBertConfig, RobertaConfig

from compiler.errors import ExportError
from compiler.onnx_export import export_onnx
from edge_runtime.session_onnx import OnnxSession
from trainer.model import IntentModel

SIZES = {
    "vocab_size": 99,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 40,
}
OTHERS = {
    "distilbert": DistilBertConfig(
        vocab_size=99, dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=40
    ),
    "roberta": RobertaConfig(hidden_size=32, intermediate_size=64, **SIZES),
    "albert": AlbertConfig(hidden_size=32, embedding_size=16, intermediate_size=64, **SIZES),
}


@pytest.mark.parametrize(("batch", "tokens"), [(1, 3), (1, 64), (2, 16), (5, 7), (33, 2)])
def test_the_graph_gives_torch_s_embeddings_for_any_batch_and_length(
    trained: IntentModel, fp32: Path, batch: int, tokens: int
) -> None:
    generator = torch.Generator().manual_seed(tokens)
    ids = torch.randint(5, 190, (batch, tokens), generator=generator)
    mask = torch.ones_like(ids)
    # Every text but the first is shorter than the batch.
    mask[1:, tokens // 2 + 1 :] = 0
    with torch.inference_mode():
        expected = trained.embed(ids, mask).numpy()
    session = onnxruntime.InferenceSession(str(fp32), providers=["CPUExecutionProvider"])
    (found,) = session.run(
        ["embedding"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
    )
    assert found.shape == (batch, 64)
    assert np.abs(found - expected).max() <= 1e-4


def test_the_runtime_s_session_gives_torch_s_embeddings(
    fp32: Path, token_ids: list[list[int]], reference: np.ndarray
) -> None:
    session = OnnxSession(fp32, threads=1)
    found = np.stack([session.embedding(row) for row in token_ids])
    assert np.abs(found - reference).max() <= 1e-4


@pytest.mark.parametrize("opset", [14, 17, 20])
def test_the_operator_set_is_the_one_asked_for(
    trained: IntentModel, tmp_path: Path, opset: int
) -> None:
    export_onnx(trained, tmp_path / "model.onnx", opset=opset)
    model = onnx.load(str(tmp_path / "model.onnx"))
    assert [one.version for one in model.opset_import if not one.domain] == [opset]
    onnx.checker.check_model(model)


def test_the_same_model_gives_the_same_bytes_without_a_path_of_this_machine(
    trained: IntentModel, fp32: Path, tmp_path: Path
) -> None:
    export_onnx(trained, tmp_path / "again.onnx", opset=17)
    content = (tmp_path / "again.onnx").read_bytes()
    assert content == fp32.read_bytes()
    assert b".py" not in content
    assert str(Path(transformers.__file__).parent).encode() not in content


@pytest.mark.parametrize("family", sorted(OTHERS))
def test_other_encoders_are_exported_too(family: str, tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        encoder = transformers.AutoModel.from_config(OTHERS[family])
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None
        model = IntentModel(encoder, 4, normalized=True).eval()
    export_onnx(model, tmp_path / "model.onnx", opset=17)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.inference_mode():
        expected = model.embed(ids, torch.ones_like(ids))[0].numpy()
    found = OnnxSession(tmp_path / "model.onnx", threads=1).embedding([5, 6, 7, 8])
    assert np.abs(found - expected).max() <= 1e-4


def test_an_operator_set_that_torch_cannot_write_is_one_clear_error(
    trained: IntentModel, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ExportError, match=r"bert to ONNX opset 99: .*; try another compile\.opset"):
        export_onnx(trained, tmp_path / "model.onnx", opset=99)
    assert not (tmp_path / "model.onnx").exists()
    capfd.readouterr()  # torch shows its graph
