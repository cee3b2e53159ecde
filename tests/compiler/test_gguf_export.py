"""torch -> GGUF, read back by llama.cpp itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel

from compiler.errors import ExportError
from compiler.gguf_export import export_gguf_q8_0
from edge_runtime.head import Head
from edge_runtime.session_llama import LlamaSession
from trainer.checkpoint import read_checkpoint
from trainer.model import IntentModel


@pytest.fixture(scope="module")
def tokenizer(tiny_line: Any) -> Path:
    return read_checkpoint(tiny_line.checkpoint).tokenizer


@pytest.fixture(scope="module")
def file(
    trained: IntentModel,
    tokenizer: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "model.q8_0.gguf"
    export_gguf_q8_0(trained, path, tokenizer=tokenizer, name="tiny")
    return path


def bert(**changes: Any) -> IntentModel:
    sizes = {
        "vocab_size": 196,
        "hidden_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 40,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        encoder = BertModel(BertConfig(**(sizes | changes)), add_pooling_layer=False)
        return IntentModel(encoder, 6, normalized=True).eval()


def embeddings(path: Path, rows: list[list[int]]) -> np.ndarray:
    session = LlamaSession(path, max_tokens=32, threads=1)
    try:
        return np.stack([session.embedding(row) for row in rows])
    finally:
        session.close()


def contents(path: Path) -> dict[str, Any]:
    reader = gguf.GGUFReader(path)
    return {name: field.contents() for name, field in reader.fields.items()}


def test_llama_cpp_gives_nearly_torch_s_embeddings_and_the_same_answers(
    file: Path, token_ids: list[list[int]], reference: np.ndarray, head: Head
) -> None:
    found = embeddings(file, token_ids)
    # 8 bits tell 254 steps apart; a hundredth of the spread is between two and three.
    assert np.abs(found - reference).max() < 0.01 * (reference.max() - reference.min())
    logits = head.logits(reference)
    ordered = np.sort(logits, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 1.0
    assert clear.sum() > 50
    answers = head.logits(found).argmax(axis=1)
    assert np.array_equal(answers[clear], logits.argmax(axis=1)[clear])


def test_the_vocabulary_is_the_tokenizer_s_in_llama_cpp_s_spelling(
    file: Path, tokenizer: Path
) -> None:
    vocabulary = json.loads(tokenizer.read_text())["model"]["vocab"]
    found = contents(file)
    tokens = found["tokenizer.ggml.tokens"]
    assert len(tokens) == len(vocabulary) == 196
    assert tokens[vocabulary["[CLS]"]] == "[CLS]"
    assert tokens[vocabulary["lamp"]] == "\u2581lamp"
    assert tokens[vocabulary["##ing"]] == "ing"
    special = {"cls": "[CLS]", "mask": "[MASK]", "padding": "[PAD]", "unknown": "[UNK]"}
    for key, token in special.items():
        assert found[f"tokenizer.ggml.{key}_token_id"] == vocabulary[token]


def test_matrices_have_8_bits_and_what_is_added_has_all_of_them(file: Path) -> None:
    kinds = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(file).tensors}
    assert kinds["token_embd.weight"] == kinds["blk.1.ffn_down.weight"] == "Q8_0"
    assert kinds["position_embd.weight"] == kinds["blk.0.attn_q.bias"] == "F32"


def test_the_same_model_gives_the_same_bytes(
    trained: IntentModel, file: Path, tokenizer: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.gguf"
    export_gguf_q8_0(trained, again, tokenizer=tokenizer, name="tiny")
    assert again.read_bytes() == file.read_bytes()


def test_a_table_with_more_rows_than_tokens_is_loaded(tokenizer: Path, tmp_path: Path) -> None:
    model = bert(vocab_size=256)
    path = tmp_path / "padded.gguf"
    export_gguf_q8_0(model, path, tokenizer=tokenizer, name="padded")
    assert len(contents(path)["tokenizer.ggml.tokens"]) == 256
    row = [2, 50, 60, 3]
    with torch.inference_mode():
        expected = model.embed(torch.tensor([row]), torch.ones(1, 4, dtype=torch.int64)).numpy()
    np.testing.assert_allclose(embeddings(path, [row]), expected, atol=0.02)


def test_an_encoder_of_another_kind_is_refused(tokenizer: Path, tmp_path: Path) -> None:
    encoder = DistilBertModel(DistilBertConfig(vocab_size=196, dim=64, n_layers=1, n_heads=2))
    with pytest.raises(ExportError, match="this one is distilbert; leave q8_0 out"):
        export_gguf_q8_0(
            IntentModel(encoder, 6, normalized=True), tmp_path / "x", tokenizer=tokenizer, name="x"
        )
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_without_layers_is_refused(tokenizer: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="cannot read an encoder without layers"):
        export_gguf_q8_0(bert(num_hidden_layers=0), tmp_path / "x", tokenizer=tokenizer, name="x")
    assert list(tmp_path.iterdir()) == []


def test_a_tokenizer_of_another_kind_is_refused(tmp_path: Path) -> None:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text('{"model": {"type": "BPE", "vocab": {}}}')
    with pytest.raises(ExportError, match=r"WordPiece.*tokenizer\.json is of another kind"):
        export_gguf_q8_0(bert(), tmp_path / "x", tokenizer=tokenizer, name="x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(("field", "size"), [("hidden_size", 48), ("intermediate_size", 100)])
def test_sizes_that_8_bit_blocks_cannot_hold_are_refused(
    tokenizer: Path, tmp_path: Path, field: str, size: int
) -> None:
    model = bert(**{field: size})
    with pytest.raises(ExportError, match=rf"the encoder's {field} is {size}; leave q8_0 out"):
        export_gguf_q8_0(model, tmp_path / "x", tokenizer=tokenizer, name="x")
    assert list(tmp_path.iterdir()) == []
