"""QLoRA: an adapter beside weights in four bits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch

from trainer.adapters import add_adapter, merge_adapter
from trainer.base_model import find_base_model
from trainer.checkpoint import load_model, read_checkpoint
from trainer.config import TrainSettings
from trainer.errors import TrainingError
from trainer.model import IntentModel, load_encoder
from trainer.quantization import four_bit, prepare_four_bit
from trainer.train import train

CPU = torch.device("cpu")
IDS = torch.tensor([[2, 50, 60, 61, 3], [2, 52, 70, 71, 3]])


@pytest.fixture
def settings(tiny_train_settings: TrainSettings) -> TrainSettings:
    return msgspec.structs.replace(tiny_train_settings, method="qlora", precision="fp32")


def packed_model(folder: Path) -> IntentModel:
    base = find_base_model(str(folder))
    encoder = load_encoder(base, quantization=four_bit("fp32"), device=CPU)
    prepare_four_bit(encoder)
    return IntentModel(encoder, 3, normalized=True)


def logits_of(model: IntentModel) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = model.eval()(IDS, torch.ones_like(IDS)).logits
    return logits


def test_linear_layers_take_less_than_a_fifth(tiny_base_model: Path) -> None:
    plain = load_encoder(find_base_model(str(tiny_base_model)))
    packed = packed_model(tiny_base_model).encoder
    name = "encoder.layer.0.intermediate.dense.weight"
    before, after = plain.get_parameter(name), packed.get_parameter(name)
    assert after.nbytes * 8 == before.nbytes
    assert after.dtype == torch.uint8


def test_merging_gives_plain_weights_and_the_logits_of_the_training(
    tiny_base_model: Path, settings: TrainSettings
) -> None:
    model = packed_model(tiny_base_model)
    add_adapter(model, settings)
    with torch.no_grad():
        for name, one in model.named_parameters():
            if "lora_B" in name:
                one.normal_(std=0.05, generator=torch.Generator().manual_seed(1))
    before = logits_of(model)
    merge_adapter(model, packed=True)
    assert {one.dtype for one in model.parameters()} == {torch.float32}
    plain = load_encoder(find_base_model(str(tiny_base_model)))
    assert model.encoder.state_dict().keys() == plain.state_dict().keys()
    assert (before - logits_of(model)).abs().max() < 1e-4


def test_gradients_flow_after_an_evaluation(tiny_base_model: Path, settings: TrainSettings) -> None:
    model = packed_model(tiny_base_model)
    logits_of(model)
    add_adapter(model, settings)
    model.train()(IDS, torch.ones_like(IDS)).logits.sum().backward()
    slopes = [one.grad for name, one in model.named_parameters() if "lora_B" in name]
    assert len(slopes) == 12
    assert all(one is not None and one.abs().sum() > 0 for one in slopes)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_training_learns_and_its_checkpoint_is_a_plain_one(
    tiny_line, settings: TrainSettings, tmp_path: Path, precision: str
) -> None:
    wanted = msgspec.structs.replace(settings, precision=precision)
    result = train(tiny_line.dataset, tmp_path / "made", settings=wanted).document.result
    assert result["history"][-1]["validation_accuracy"] > 0.9
    checkpoint = read_checkpoint(tmp_path / "made")
    assert "quantization_config" not in checkpoint.configuration
    assert {one.dtype for one in load_model(checkpoint).parameters()} == {torch.float32}
    again = train(tiny_line.dataset, tmp_path / "again", settings=wanted)
    assert again.digest == checkpoint.artifact.digest


def test_without_bitsandbytes_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What an import of a package that is not there does.
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(TrainingError, match=r'run: pip install "edgewise\[qlora\]", or set'):
        four_bit("fp32")


def test_decoders_are_packed_too(tiny_family: Callable[[str], Path]) -> None:
    encoder = packed_model(tiny_family("qwen3")).encoder
    packed = [one for one in encoder.parameters() if one.dtype == torch.uint8]
    assert len(packed) == 2 * 7
