"""From token vectors to one embedding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers

from trainer.base_model import find_base_model
from trainer.errors import BaseModelError
from trainer.model import IntentModel, load_encoder
from trainer.pooling import choose_pooling, pool

HIDDEN = torch.arange(24.0).reshape(2, 4, 3)
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])


def test_the_mean_is_over_tokens_and_not_over_padding() -> None:
    assert torch.equal(
        pool(HIDDEN, MASK, pooling="mean"),
        torch.stack([HIDDEN[0].mean(dim=0), HIDDEN[1, :2].mean(dim=0)]),
    )


def test_the_last_token_is_the_last_before_the_padding() -> None:
    assert torch.equal(
        pool(HIDDEN, MASK, pooling="last-token"), torch.stack([HIDDEN[0, 3], HIDDEN[1, 1]])
    )


@pytest.mark.parametrize(
    ("kind", "pooling"),
    [
        ("bert", "mean"),
        ("distilbert", "mean"),
        ("roberta", "mean"),
        ("xlm-roberta", "mean"),
        ("mpnet", "mean"),
        ("modernbert", "mean"),
        ("llama", "last-token"),
        ("qwen2", "last-token"),
        ("qwen3", "last-token"),
        ("smollm3", "last-token"),
        ("gemma2", "last-token"),
    ],
)
def test_encoders_are_pooled_by_the_mean_and_decoders_by_the_last_token(
    kind: str, pooling: str
) -> None:
    configuration = transformers.AutoConfig.for_model(kind)
    assert choose_pooling(configuration, name="x") == pooling


@pytest.mark.parametrize("kind", ["t5", "bart", "whisper", "vit", "clip"])
def test_what_is_no_encoder_or_decoder_of_text_is_refused(kind: str) -> None:
    configuration = transformers.AutoConfig.for_model(kind)
    with pytest.raises(BaseModelError, match=rf"base model mine is of type {kind}, which is nei"):
        choose_pooling(configuration, name="mine")


@pytest.mark.parametrize("family", ["bert", "roberta", "modernbert", "llama", "qwen2", "qwen3"])
def test_a_text_has_the_same_embedding_alone_and_in_a_padded_batch(
    tiny_family: Callable[[str], Path], family: str
) -> None:
    base = find_base_model(str(tiny_family(family)))
    encoder = load_encoder(base)
    pooling = choose_pooling(encoder.config, name=family)
    model = IntentModel(encoder, 2, normalized=True, pooling=pooling).eval()
    short, padding = [5, 6, 7], [model.padding_id] * 4
    batch = torch.tensor([[8, 9, 10, 11, 12, 13, 14], short + padding])
    mask = torch.tensor([[1] * 7, [1] * 3 + [0] * 4])
    with torch.inference_mode():
        together = model.embed(batch, mask)[1]
        alone = model.embed(torch.tensor([short]), torch.ones(1, 3, dtype=torch.int64))[0]
    assert (together - alone).abs().max() < 1e-5
