"""Texts to token ids, with tokenizers of every kind that base models bring."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.errors import BundleDamagedError
from edge_runtime.tokenization import Tokenizer

FAMILIES = ["bert", "roberta", "modernbert", "llama", "qwen3"]


@pytest.fixture(params=FAMILIES)
def path(request: pytest.FixtureRequest, tiny_family: Callable[[str], Path]) -> Path:
    return tiny_family(request.param) / "tokenizer.json"


def test_texts_of_any_script_become_tokens_of_the_vocabulary(path: Path) -> None:
    tokenizer = Tokenizer(path, max_tokens=64)
    size = len(json.loads(path.read_text())["model"]["vocab"])
    for text in ("turn on the lamp", "Größe", "Ελλάδα", "灯をつけて", "👍🏽", "\u200b", "a\x00b"):
        ids = tokenizer.encode(text)
        assert ids
        assert all(0 <= one < size for one in ids)


def test_many_texts_get_the_tokens_of_each_alone_and_no_padding(path: Path) -> None:
    tokenizer = Tokenizer(path, max_tokens=64)
    texts = ["play jazz", "will it rain tomorrow or on sunday", "x"]
    assert tokenizer.encode_many(texts) == [tokenizer.encode(text) for text in texts]
    assert tokenizer.encode_many([]) == []


@pytest.mark.parametrize("most", [4, 8])
def test_a_long_text_is_cut_and_keeps_its_special_tokens(path: Path, most: int) -> None:
    long = Tokenizer(path, max_tokens=1000).encode("shuffle the classical music on repeat" * 3)
    cut = Tokenizer(path, max_tokens=most).encode("shuffle the classical music on repeat" * 3)
    assert len(cut) == most
    assert cut[:3] == long[:3]
    short = Tokenizer(path, max_tokens=1000).encode("x")
    ends_with_special = len(short) == 3
    assert (cut[-1] == long[-1]) == ends_with_special


def test_padding_and_truncation_that_the_file_asks_for_are_not_obeyed(
    tiny_family: Callable[[str], Path], tmp_path: Path
) -> None:
    document = json.loads((tiny_family("bert") / "tokenizer.json").read_text())
    document["padding"] = {
        "strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": None,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]",
    }  # fmt: skip
    document["truncation"] = {
        "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0
    }  # fmt: skip
    changed = tmp_path / "tokenizer.json"
    changed.write_text(json.dumps(document))
    assert len(Tokenizer(changed, max_tokens=64).encode("play jazz loudly on repeat")) == 7


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff"])
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path, content: bytes | None) -> None:
    damaged = tmp_path / "tokenizer.json"
    if content is not None:
        damaged.write_bytes(content)
    with pytest.raises(BundleDamagedError, match="cannot read the tokenizer"):
        Tokenizer(damaged, max_tokens=64)
