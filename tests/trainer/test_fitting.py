"""The training loop and the adapter."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch

from trainer.base_model import find_base_model
from trainer.config import TrainSettings
from trainer.errors import TrainingError
from trainer.fitting import add_adapter, choose_device, fit, make_deterministic, merge_adapter
from trainer.model import IntentModel, load_encoder

CPU = torch.device("cpu")
# Three intents that differ in one token.
ROWS = [[2, 50 + intent, *range(60, 60 + length), 3] for intent in range(3) for length in range(8)]
LABELS = [intent for intent in range(3) for _ in range(8)]


@pytest.fixture
def settings(tiny_train_settings: TrainSettings) -> TrainSettings:
    return msgspec.structs.replace(
        tiny_train_settings, epochs=1, minimum_steps=20, batch_size=8, lora_dropout=0.1
    )


def fitted(folder: Path, settings: TrainSettings) -> tuple[IntentModel, list[str]]:
    make_deterministic(settings.seed, settings.threads)
    # Lengths help a head that starts from random numbers.
    model = IntentModel(load_encoder(find_base_model(str(folder))), 3, normalized=False)
    add_adapter(model, settings)
    notes: list[str] = []

    def note(_what: str, _done: int, _total: int, said: str = "") -> None:
        notes.append(said)

    fit(model, ROWS, LABELS, padding_id=0, settings=settings, device=CPU, progress=note)
    return model, notes


def equal_weights(one: IntentModel, other: IntentModel) -> bool:
    left, right = one.state_dict(), other.state_dict()
    assert left.keys() == right.keys()
    return all(torch.equal(left[name], right[name]) for name in left)


def test_the_loss_falls_and_the_model_learns(
    tiny_base_model: Path, settings: TrainSettings
) -> None:
    model, notes = fitted(tiny_base_model, settings)
    losses = [float(note.rpartition(" ")[2]) for note in notes]
    assert len(losses) == 21  # seven epochs of three batches are the first to reach 20
    assert losses[-1] < losses[0] / 2
    ids = torch.tensor([[2, 50, 3], [2, 51, 3], [2, 52, 3]])
    assert model(ids, torch.ones_like(ids)).logits.argmax(dim=1).tolist() == [0, 1, 2]


def test_only_the_adapter_and_the_head_change(
    tiny_base_model: Path, settings: TrainSettings
) -> None:
    model, _ = fitted(tiny_base_model, settings)
    before = load_encoder(find_base_model(str(tiny_base_model))).state_dict()
    after = model.encoder.get_base_model().state_dict()
    for name, tensor in before.items():
        kept = name if name in after else name.replace(".weight", ".base_layer.weight")
        kept = kept if kept in after else name.replace(".bias", ".base_layer.bias")
        assert torch.equal(after[kept], tensor), name


def test_the_same_seed_gives_the_same_bits(tiny_base_model: Path, settings: TrainSettings) -> None:
    first, _ = fitted(tiny_base_model, settings)
    second, _ = fitted(tiny_base_model, settings)
    assert equal_weights(first, second)


def test_another_seed_gives_other_weights(tiny_base_model: Path, settings: TrainSettings) -> None:
    first, _ = fitted(tiny_base_model, settings)
    other = msgspec.structs.replace(settings, seed=settings.seed + 1)
    assert not equal_weights(first, fitted(tiny_base_model, other)[0])


@pytest.mark.parametrize("steps", [1, 2, 3, 9, 10, 11, 20])
def test_a_schedule_of_any_length_ends(
    tiny_base_model: Path, settings: TrainSettings, steps: int
) -> None:
    whole = msgspec.structs.replace(settings, batch_size=64, minimum_steps=steps)
    _, notes = fitted(tiny_base_model, whole)
    assert len(notes) == steps


def test_a_loss_that_is_no_number_ends_the_training_with_its_step(
    tiny_base_model: Path, settings: TrainSettings
) -> None:
    model = IntentModel(load_encoder(find_base_model(str(tiny_base_model))), 3, normalized=True)
    add_adapter(model, settings)
    with torch.no_grad():
        model.head.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"at step 1 of 21; set train\.learning_rate lower"):
        fit(model, ROWS, LABELS, padding_id=0, settings=settings, device=CPU)


def test_merging_the_adapter_keeps_the_logits(
    tiny_base_model: Path, settings: TrainSettings
) -> None:
    model, _ = fitted(tiny_base_model, settings)
    ids = torch.tensor([[2, 50, 60, 61, 3], [2, 52, 70, 71, 3]])
    with torch.inference_mode():
        before = model(ids, torch.ones_like(ids)).logits
        merge_adapter(model)
        after = model(ids, torch.ones_like(ids)).logits
    assert (before - after).abs().max() < 1e-4
    assert not any("lora" in name for name in model.state_dict())


def test_the_adapter_sits_on_every_linear_layer_of_the_encoder(
    tiny_base_model: Path, settings: TrainSettings
) -> None:
    model = IntentModel(load_encoder(find_base_model(str(tiny_base_model))), 3, normalized=True)
    linear = sum(isinstance(part, torch.nn.Linear) for part in model.encoder.modules())
    add_adapter(model, settings)
    trained = {name for name, one in model.encoder.named_parameters() if one.requires_grad}
    assert linear == 12  # two layers of query, key, value, output, and two feed-forward
    assert len(trained) == 2 * linear
    assert all("lora_A" in name or "lora_B" in name for name in trained)


def test_cuda_without_a_gpu_is_refused_and_auto_is_not() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has an NVIDIA GPU")
    assert choose_device("auto") == choose_device("cpu") == CPU
    with pytest.raises(TrainingError, match=r"set train\.device to auto"):
        choose_device("cuda")


@pytest.mark.parametrize("epochs", [1, 9])
def test_small_sets_get_more_epochs_and_never_fewer_than_asked_for(
    tiny_base_model: Path, settings: TrainSettings, epochs: int
) -> None:
    _, notes = fitted(tiny_base_model, msgspec.structs.replace(settings, epochs=epochs))
    assert len(notes) == 3 * max(epochs, 7)
