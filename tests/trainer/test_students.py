"""The encoders that students begin with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel
from transformers.models.gpt2 import GPT2Config, GPT2Model

from edge_runtime.tokenization import Tokenizer
from trainer.errors import TrainingError
from trainer.model import IntentModel
from trainer.students import make_student

CPU = torch.device("cpu")
WIDTH = 32


def bert(layers: int = 6) -> BertModel:
    torch.manual_seed(3)
    configuration = BertConfig(
        vocab_size=150,
        hidden_size=WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=WIDTH,
    )
    return BertModel(configuration, add_pooling_layer=False).eval()


def model(encoder) -> IntentModel:
    return IntentModel(encoder, 3, normalized=True).eval()


@pytest.fixture
def tokenizer(tiny_base_model: Path) -> Tokenizer:
    return Tokenizer(tiny_base_model / "tokenizer.json", max_tokens=16)


def student(encoder, tier: str, tokenizer: Tokenizer, *, static_width: int = WIDTH):
    return make_student(
        model(encoder), tier, tokenizer=tokenizer, static_width=static_width, device=CPU
    )


@pytest.mark.parametrize(
    ("tier", "kept"),
    [("layers-4", [0, 1, 2, 4]), ("layers-3", [0, 2, 3]), ("layers-2", [0, 2])],
)
def test_a_student_keeps_the_first_layer_and_others_at_even_distances_but_the_last(
    tokenizer: Tokenizer, tier: str, kept: list[int]
) -> None:
    teacher = bert()
    found = student(teacher, tier, tokenizer)
    assert found.config.num_hidden_layers == len(kept)
    for own, row in zip(found.encoder.layer, kept, strict=True):
        assert torch.equal(own.output.dense.weight, teacher.encoder.layer[row].output.dense.weight)


def test_the_teacher_stays_as_it_was(tokenizer: Tokenizer) -> None:
    teacher = bert()
    found = student(teacher, "layers-2", tokenizer)
    with torch.no_grad():
        found.encoder.layer[0].output.dense.weight.zero_()
    assert len(teacher.encoder.layer) == teacher.config.num_hidden_layers == 6
    assert teacher.encoder.layer[0].output.dense.weight.any()


def test_other_families_keep_their_layers_elsewhere(tokenizer: Tokenizer) -> None:
    encoder = DistilBertModel(
        DistilBertConfig(vocab_size=150, dim=WIDTH, n_layers=3, n_heads=2, hidden_dim=WIDTH)
    ).eval()
    found = student(encoder, "layers-2", tokenizer)
    ids = torch.tensor([[2, 50, 3]])
    assert found(ids, attention_mask=torch.ones_like(ids)).last_hidden_state.shape == (1, 3, WIDTH)
    assert len(found.transformer.layer) == found.config.num_hidden_layers == 2


def test_a_student_has_fewer_layers_than_its_teacher(tokenizer: Tokenizer) -> None:
    with pytest.raises(TrainingError, match=r"needs .* more layers; .* has 4; take a smaller"):
        student(bert(layers=4), "layers-4", tokenizer)


@pytest.mark.parametrize("tier", ["layers-2", "static"])
def test_a_family_without_students_is_named(tokenizer: Tokenizer, tier: str) -> None:
    encoder = GPT2Model(GPT2Config(vocab_size=150, n_embd=WIDTH, n_layer=3, n_head=2))
    with pytest.raises(TrainingError, match=rf"there is no {tier} student of a gpt2 model"):
        student(encoder, tier, tokenizer)


class TestStatic:
    def test_the_order_of_words_says_nothing_at_first(self, tokenizer: Tokenizer) -> None:
        found = model(student(bert(), "static", tokenizer, static_width=16))
        ids = torch.tensor([[2, 50, 60, 3], [2, 60, 50, 3]])
        one, other = found.embed(ids, torch.ones_like(ids))
        assert one.shape == (16,)
        torch.testing.assert_close(one, other)

    def test_tokens_are_as_near_to_each_other_as_the_teacher_finds_them(
        self, tokenizer: Tokenizer
    ) -> None:
        teacher = model(bert())
        found = model(student(teacher.encoder, "static", tokenizer))
        ids = torch.tensor([[2, token, 3] for token in range(20, 80)])
        with torch.inference_mode():
            wanted = teacher.embed(ids, torch.ones_like(ids))
            got = found.encoder.embeddings.word_embeddings(ids[:, 1])
        wanted, got = wanted - wanted.mean(dim=0), got - got.mean(dim=0)
        # cdist finds the distance of equal rows to a thousandth.
        torch.testing.assert_close(
            torch.cdist(got, got), torch.cdist(wanted, wanted), atol=2e-3, rtol=1e-4
        )
