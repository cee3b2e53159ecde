"""LoRA matrices beside frozen weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from trainer.adapters import add_adapter, merge_adapter
from trainer.base_model import find_base_model
from trainer.config import TrainSettings
from trainer.model import IntentModel, load_encoder


@pytest.fixture
def model(tiny_base_model: Path) -> IntentModel:
    return IntentModel(load_encoder(find_base_model(str(tiny_base_model))), 3, normalized=True)


def test_merging_the_adapter_keeps_the_logits(
    model: IntentModel, tiny_train_settings: TrainSettings
) -> None:
    add_adapter(model, tiny_train_settings)
    with torch.no_grad():
        for name, one in model.named_parameters():
            if "lora_B" in name:
                one.normal_(std=0.05, generator=torch.Generator().manual_seed(1))
    model.eval()
    ids = torch.tensor([[2, 50, 60, 61, 3], [2, 52, 70, 71, 3]])
    with torch.inference_mode():
        before = model(ids, torch.ones_like(ids)).logits
        merge_adapter(model)
        after = model(ids, torch.ones_like(ids)).logits
    assert (before - after).abs().max() < 1e-4
    assert not any("lora" in name for name in model.state_dict())


def test_the_adapter_sits_on_every_linear_layer_of_the_encoder(
    model: IntentModel, tiny_train_settings: TrainSettings
) -> None:
    linear = sum(isinstance(part, torch.nn.Linear) for part in model.encoder.modules())
    add_adapter(model, tiny_train_settings)
    trained = {name for name, one in model.encoder.named_parameters() if one.requires_grad}
    assert linear == 12  # two layers of query, key, value, output, and two feed-forward
    assert len(trained) == 2 * linear
    assert all("lora_A" in name or "lora_B" in name for name in trained)
