"""Make random base models of the families that can be trained, each of a few hundred kilobytes.

    python tests/models/make_tiny_families.py FAMILY FOLDER

Every one has the layout, the number format and the kind of tokenizer that models of its family
have on a hub: encoders in float32; decoders in bfloat16 under a language modelling head, with a
byte-level BPE that has no token for padding.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import tokenizers
import torch
import transformers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

_VOCABULARY = 400
_SIZES = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
          "intermediate_size": 128, "initializer_range": 0.1}  # fmt: skip
_DECODER = _SIZES | {"num_key_value_heads": 1, "max_position_embeddings": 128, "head_dim": 32,
                     "tie_word_embeddings": True, "pad_token_id": None,
                     "bos_token_id": 0, "eos_token_id": 1}  # fmt: skip


class Family(NamedTuple):
    """How a base model of one family is made."""

    configuration: str
    """Name of the configuration's class in transformers."""
    sizes: dict[str, Any]
    tokenizer: Callable[[], Any]
    decoder: bool


def word_piece() -> Any:
    """A tokenizer as BERT's: [CLS] ... [SEP]."""
    path = Path(__file__).with_name("make_tiny_base_model.py")
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    return script.make_tokenizer()


def _byte_level(special: tuple[str, ...], template: str | None) -> Any:
    # Sentences of the tests' utterances would do as well: any text gives merges.
    texts = [Path(__file__).with_name("make_tiny_base_model.py").read_text(encoding="utf-8")]
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=list(special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if template is not None:
        numbers = [(token, tokenizer.token_to_id(token)) for token in special]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=template, special_tokens=numbers
        )
    return tokenizer


def _roberta_like() -> Any:
    return _byte_level(("<s>", "<pad>", "</s>", "<unk>", "<mask>"), "<s> $A </s>")


def _modernbert_like() -> Any:
    return _byte_level(("[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"), "[CLS] $A [SEP]")


def _llama_like() -> Any:
    return _byte_level(("<|begin_of_text|>", "<|end_of_text|>"), "<|begin_of_text|> $A")


def _qwen_like() -> Any:
    return _byte_level(("<|endoftext|>", "<|im_end|>"), None)


FAMILIES = {
    "bert": Family("BertConfig", _SIZES | {"max_position_embeddings": 128}, word_piece, False),
    "distilbert": Family(
        "DistilBertConfig",
        {"dim": 64, "n_layers": 2, "n_heads": 2, "hidden_dim": 128, "initializer_range": 0.1,
         "max_position_embeddings": 128},
        word_piece,
        False,
    ),
    "roberta": Family(
        "RobertaConfig",
        _SIZES | {"max_position_embeddings": 130, "type_vocab_size": 1, "pad_token_id": 1,
                  "bos_token_id": 0, "eos_token_id": 2},
        _roberta_like,
        False,
    ),
    "modernbert": Family(
        "ModernBertConfig",
        _SIZES | {"max_position_embeddings": 128, "local_attention": 8, "num_hidden_layers": 4,
                  "global_attn_every_n_layers": 3, "pad_token_id": 1, "cls_token_id": 0,
                  "sep_token_id": 2, "bos_token_id": 0, "eos_token_id": 2},
        _modernbert_like,
        False,
    ),
    "llama": Family("LlamaConfig", _DECODER, _llama_like, True),
    "qwen2": Family("Qwen2Config", {k: v for k, v in _DECODER.items() if k != "head_dim"},
                    _qwen_like, True),
    "qwen3": Family("Qwen3Config", _DECODER, _qwen_like, True),
}  # fmt: skip
"""MiniLM is a BERT, SmolLM a Llama."""


def make_tiny_family(family: str, folder: Path, *, seed: int = 1) -> Path:
    """Make a model of a family at ``folder`` and return ``folder``."""
    made = FAMILIES[family]
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = made.tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    configuration = getattr(transformers, made.configuration)(
        vocab_size=tokenizer.get_vocab_size(), **made.sizes
    )
    auto = transformers.AutoModelForCausalLM if made.decoder else transformers.AutoModel
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = auto.from_config(configuration)
    if made.decoder:
        model = model.to(torch.bfloat16)
    model.save_pretrained(folder)
    return folder


if __name__ == "__main__":
    print(make_tiny_family(sys.argv[1], Path(sys.argv[2])))
