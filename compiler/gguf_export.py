"""torch -> GGUF q8_0 for llama.cpp: the encoder, and the mean of its token vectors.

Source of names and keys: the GGUF specification and llama.cpp's BERT graph, through the
tables of the ``gguf`` package.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.errors import ExportError

__all__ = ["export_gguf_q8_0"]

_ARCHITECTURE = "bert"
_BLOCK = 32
_WORD_START = "\u2581"

_EMBEDDINGS = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
}
_LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
# llama.cpp adds these tables to float activations without unpacking them.
_KEEP_FLOAT32 = frozenset({"position_embd.weight", "token_types.weight"})


def export_gguf_q8_0(model: Any, path: Path, *, tokenizer: Path, name: str) -> None:
    """Write a model's encoder as GGUF with 8-bit weights.

    Args:
        model: a ``trainer.model.IntentModel`` with a BERT encoder.
        path: the file to write.
        tokenizer: the model's ``tokenizer.json``, of type WordPiece.
        name: the model's name, for the file's metadata.

    Raises:
        ExportError: the encoder or the tokenizer is of another kind, or of sizes that q8_0
            cannot pack.
    """
    import gguf

    configuration = model.config
    if configuration.model_type != _ARCHITECTURE:
        raise ExportError(
            f"GGUF is written for BERT encoders, this one is {configuration.model_type}; "
            "leave q8_0 out of compile.variants and compile.required",
            model_type=configuration.model_type,
        )
    if not configuration.num_hidden_layers:
        # llama.cpp does not refuse such a file: it dies of it.
        raise ExportError(
            "llama.cpp cannot read an encoder without layers; leave q8_0 out of compile.variants "
            "and compile.required"
        )
    for field in ("hidden_size", "intermediate_size"):
        if getattr(configuration, field) % _BLOCK:
            raise ExportError(
                f"q8_0 packs {_BLOCK} numbers at a time, the encoder's {field} is "
                f"{getattr(configuration, field)}; leave q8_0 out of compile.variants and "
                "compile.required",
                field=field,
            )
    tokens = _vocabulary(tokenizer, rows=configuration.vocab_size)
    writer = gguf.GGUFWriter(path, _ARCHITECTURE)
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    # llama.cpp sizes the table of positions by it: not the shorter limit of our texts.
    writer.add_context_length(configuration.max_position_embeddings)
    writer.add_embedding_length(configuration.hidden_size)
    writer.add_feed_forward_length(configuration.intermediate_size)
    writer.add_block_count(configuration.num_hidden_layers)
    writer.add_head_count(configuration.num_attention_heads)
    writer.add_layer_norm_eps(configuration.layer_norm_eps)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_tokenizer_model(_ARCHITECTURE)
    writer.add_token_list([_for_llama(token) for token in tokens])
    writer.add_token_types([_token_type(token) for token in tokens])
    writer.add_token_type_count(configuration.type_vocab_size)
    for key, token in (("unknown", "[UNK]"), ("seperator", "[SEP]"), ("padding", "[PAD]"),
                       ("cls", "[CLS]"), ("mask", "[MASK]")):  # fmt: skip
        if token in tokens:
            writer.add_uint32(f"tokenizer.ggml.{key}_token_id", tokens.index(token))
    for tensor_name, array in _tensors(model):
        if array.ndim == 2 and tensor_name not in _KEEP_FLOAT32:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(tensor_name, gguf.quantize(array, kind), raw_dtype=kind)
        else:
            writer.add_tensor(tensor_name, array)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _tensors(model: Any) -> Iterator[tuple[str, NDArray[np.float32]]]:
    state = model.encoder.state_dict()
    for name, target in _EMBEDDINGS.items():
        yield target, _array(state[name])
    for layer in range(model.config.num_hidden_layers):
        for name, target in _LAYER.items():
            for part in ("weight", "bias"):
                tensor = state[f"encoder.layer.{layer}.{name}.{part}"]
                yield f"blk.{layer}.{target}.{part}", _array(tensor)


def _array(tensor: Any) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().cpu().numpy().astype(np.float32)
    return np.ascontiguousarray(array)


def _vocabulary(tokenizer: Path, *, rows: int) -> list[str]:
    document = json.loads(tokenizer.read_text(encoding="utf-8"))
    if document.get("model", {}).get("type") != "WordPiece":
        raise ExportError(
            f"GGUF is written for WordPiece tokenizers, {tokenizer.name} is of another kind; "
            "leave q8_0 out of compile.variants and compile.required"
        )
    numbers: dict[str, int] = document["model"]["vocab"]
    tokens = {number: token for token, number in numbers.items()}
    tokens |= {added["id"]: added["content"] for added in document.get("added_tokens", ())}
    # llama.cpp wants a name for every row of the table; some models have more rows than tokens.
    return [tokens.get(number, f"[unused row {number}]") for number in range(rows)]


def _for_llama(token: str) -> bytes:
    # llama.cpp marks the start of a word, WordPiece marks its continuation.
    if token.startswith("[") and token.endswith("]"):
        text = token
    elif token.startswith("##"):
        text = token.removeprefix("##")
    else:
        text = _WORD_START + token
    return text.encode()


def _token_type(token: str) -> int:
    import gguf

    if token == "[UNK]":  # noqa: S105 - a token of a vocabulary
        return int(gguf.TokenType.UNKNOWN)
    if token.startswith("[") and token.endswith("]"):
        return int(gguf.TokenType.CONTROL)
    return int(gguf.TokenType.NORMAL)
