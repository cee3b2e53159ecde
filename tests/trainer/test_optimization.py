"""Learning rates for encoders of different widths."""

from __future__ import annotations

import msgspec
import pytest
import transformers

from trainer.config import TrainSettings
from trainer.model import IntentModel
from trainer.optimization import make_optimization, rate_for


def configuration(width: int, *, layers: int = 1) -> transformers.BertConfig:
    return transformers.BertConfig(
        vocab_size=10,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=8,
    )


@pytest.fixture
def settings(tiny_train_settings: TrainSettings) -> TrainSettings:
    """The rates that are the defaults."""
    return tiny_train_settings


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
@pytest.mark.parametrize("width", [16, 312, 384])
def test_up_to_the_usual_width_the_rate_is_the_setting(
    settings: TrainSettings, method: str, width: int
) -> None:
    wanted = msgspec.structs.replace(settings, method=method)
    name = "learning_rate" if method == "full" else "lora_learning_rate"
    assert rate_for(wanted, configuration(width)) == getattr(settings, name)


@pytest.mark.parametrize(
    ("method", "width", "rate"),
    [
        ("full", 768, 5e-5),
        ("full", 1024, 2.8125e-5),
        ("lora", 768, 1e-3),
        ("qlora", 1024, 7.5e-4),
    ],
)
def test_a_wider_encoder_gets_a_lower_rate(
    settings: TrainSettings, method: str, width: int, rate: float
) -> None:
    wanted = msgspec.structs.replace(settings, method=method)
    assert rate_for(wanted, configuration(width)) == pytest.approx(rate)


def test_a_student_without_layers_keeps_its_rate(settings: TrainSettings) -> None:
    assert rate_for(settings, configuration(768, layers=0)) == settings.learning_rate


@pytest.mark.parametrize(
    "made",
    [
        transformers.DistilBertConfig(dim=768, n_layers=1),
        transformers.ModernBertConfig(hidden_size=768),
        transformers.Qwen2Config(hidden_size=768, num_hidden_layers=1),
    ],
    ids=["distilbert", "modernbert", "qwen2"],
)
def test_every_family_says_how_wide_it_is(
    settings: TrainSettings, made: transformers.PretrainedConfig
) -> None:
    assert rate_for(settings, made) == pytest.approx(5e-5)


@pytest.mark.parametrize(("width", "rate"), [(16, 2e-4), (768, 5e-5)])
def test_the_optimiser_s_cycle_has_that_rate_at_its_top(
    settings: TrainSettings, width: int, rate: float
) -> None:
    encoder = transformers.BertModel(configuration(width))
    optimizer, _ = make_optimization(IntentModel(encoder, 2, normalized=True), settings, steps=20)
    of_encoder, of_head = (group["max_lr"] for group in optimizer.param_groups)
    assert of_encoder == pytest.approx(rate)
    assert of_head == settings.head_learning_rate
