"""Every family of base models that is promised, from a folder to a trained checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch

from edge_runtime.errors import SettingsError
from edge_runtime.tokenization import Tokenizer
from trainer.adapters import add_adapter
from trainer.base_model import find_base_model
from trainer.checkpoint import load_model, read_checkpoint
from trainer.config import TrainSettings
from trainer.dataset import read_dataset
from trainer.head import describe_head
from trainer.inference import embeddings_of
from trainer.model import IntentModel, load_encoder
from trainer.train import train

FAMILIES = ["bert", "distilbert", "roberta", "modernbert", "llama", "qwen2", "qwen3"]
DECODERS = {"llama", "qwen2", "qwen3"}
CPU = torch.device("cpu")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", ["full", "lora", pytest.param("qlora", marks=pytest.mark.slow)])
def test_it_learns_and_its_checkpoint_answers_as_the_training_left_it(
    tiny_line,
    tiny_family: Callable[[str], Path],
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
    family: str,
    method: str,
) -> None:
    settings = msgspec.structs.replace(
        tiny_train_settings, base_model=str(tiny_family(family)), method=method, precision="fp32"
    )
    result = train(tiny_line.dataset, tmp_path / "made", settings=settings).document.result
    assert result["history"][-1]["validation_accuracy"] > 0.9

    checkpoint = read_checkpoint(tmp_path / "made")
    assert checkpoint.pooling == ("last-token" if family in DECODERS else "mean")
    model = load_model(checkpoint)
    assert {one.dtype for one in model.parameters()} == {torch.float32}
    # The head keeps embeddings that the training itself made: the loaded model makes them again.
    tokenizer = Tokenizer(checkpoint.tokenizer, max_tokens=checkpoint.text.max_tokens)
    split = read_dataset(tiny_line.dataset).train.in_scope()
    found = embeddings_of(
        model,
        tokenizer.encode_many(split.texts),
        padding_id=checkpoint.padding_id,
        device=CPU,
    ).numpy()
    labels = torch.tensor([checkpoint.labels.index(one) for one in split.intents]).numpy()
    again = describe_head(model.head, found, labels, normalized=True)
    kept = checkpoint.head()
    assert kept.directions is not None
    assert again.directions is not None
    assert abs(kept.directions - again.directions).max() < 1e-6


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_sits_on_every_linear_layer(
    tiny_family: Callable[[str], Path], tiny_train_settings: TrainSettings, family: str
) -> None:
    model = IntentModel(load_encoder(find_base_model(str(tiny_family(family)))), 3, normalized=True)
    linear = sum(isinstance(part, torch.nn.Linear) for part in model.encoder.modules())
    add_adapter(model, tiny_train_settings)
    trained = {name for name, one in model.encoder.named_parameters() if one.requires_grad}
    # Four in attention and two after it, with one more where there is a gate; ModernBERT, of
    # four layers, has its products fused.
    assert linear == {"llama": 14, "qwen2": 14, "qwen3": 14, "modernbert": 16}.get(family, 12)
    assert len(trained) == 2 * linear
    assert all("lora_A" in name or "lora_B" in name for name in trained)


@pytest.mark.parametrize("family", sorted(DECODERS))
def test_a_decoder_s_token_sees_nothing_that_comes_after_it(
    tiny_family: Callable[[str], Path], family: str
) -> None:
    encoder = load_encoder(find_base_model(str(tiny_family(family)))).eval()
    ids = torch.tensor([[5, 6, 7, 8], [5, 6, 9, 9]])
    with torch.inference_mode():
        hidden = encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    assert torch.equal(hidden[0, :2], hidden[1, :2])
    assert not torch.equal(hidden[0, 2], hidden[1, 2])


@pytest.mark.parametrize(("family", "most"), [("bert", 128), ("roberta", 128), ("qwen3", 128)])
def test_the_longest_text_is_what_the_table_of_positions_holds(
    tiny_line,
    tiny_family: Callable[[str], Path],
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
    family: str,
    most: int,
) -> None:
    # RoBERTa's table has 130 rows: it numbers positions from 2.
    settings = msgspec.structs.replace(
        tiny_train_settings, base_model=str(tiny_family(family)), max_tokens=most + 1
    )
    with pytest.raises(SettingsError, match=rf"tiny-{family} reads at most {most} tokens"):
        train(tiny_line.dataset, tmp_path / "made", settings=settings)
    longest = torch.full((1, most), 5)
    encoder = load_encoder(find_base_model(str(tiny_family(family))))
    assert encoder(input_ids=longest, attention_mask=torch.ones_like(longest)) is not None
