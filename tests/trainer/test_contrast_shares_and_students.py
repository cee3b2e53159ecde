"""What the training loop does besides the labels: contrast, first weights, a teacher."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch

from tests.trainer.fitted_models import (
    NOTHING,
    TRAINING,
    VALIDATION,
    equal_weights,
    fitted,
    fresh,
    settings_of,
    train_on,
)
from trainer.adapters import merge_adapter
from trainer.config import TrainSettings
from trainer.losses import Form, Lesson
from trainer.model import IntentModel

# What a teacher says that takes each text for any intent.
LESSON = Lesson(logits=torch.ones(24, 3), weight=0.5, temperature=2.0)


@pytest.fixture
def settings(tiny_train_settings: TrainSettings) -> TrainSettings:
    return settings_of(tiny_train_settings)


def weights_of(model: IntentModel) -> torch.Tensor:
    return torch.cat([one.detach().flatten() for one in model.parameters()])


def validation_loss(model: IntentModel) -> float:
    ids = torch.tensor(VALIDATION.token_ids)
    with torch.inference_mode():
        logits = model(ids, torch.ones_like(ids)).logits
    return float(torch.nn.functional.cross_entropy(logits, torch.tensor(VALIDATION.labels)))


class TestContrast:
    def test_contrast_draws_texts_of_one_intent_together(
        self, tiny_base_model: Path, settings: TrainSettings
    ) -> None:
        def likeness(contrast: float) -> float:
            wanted = msgspec.structs.replace(settings, contrast=contrast)
            model, _ = fitted(tiny_base_model, wanted, validation=NOTHING)
            rows = torch.nn.utils.rnn.pad_sequence(
                [torch.tensor(row) for row in TRAINING.token_ids], batch_first=True
            )
            with torch.inference_mode():
                found = torch.nn.functional.normalize(model.embed(rows, (rows > 0).long()), dim=1)
            own = torch.tensor(TRAINING.labels)
            same = own[:, None] == own[None]
            cosines = found @ found.T
            return float(cosines[same].mean() - cosines[~same].mean())

        assert likeness(3.0) > likeness(0.0) + 0.05

    def test_a_student_has_none(self, tiny_base_model: Path, settings: TrainSettings) -> None:
        one, other = (
            fitted(
                tiny_base_model, msgspec.structs.replace(settings, contrast=weight), lesson=LESSON
            )[0]
            for weight in (0.0, 9.0)
        )

        assert equal_weights(one, other)


def test_words_keep_their_vectors_but_for_a_student(
    tiny_base_model: Path, settings: TrainSettings
) -> None:
    before = fresh(tiny_base_model, settings).encoder.get_input_embeddings().weight
    model, student = (
        fitted(tiny_base_model, settings, lesson=lesson)[0] for lesson in (None, LESSON)
    )

    assert torch.equal(model.encoder.get_input_embeddings().weight, before)
    assert not torch.equal(student.encoder.get_input_embeddings().weight, before)


class TestInitialShare:
    @pytest.mark.parametrize("method", ["full", "lora"])
    def test_a_small_set_moves_a_model_only_part_of_the_way(
        self, tiny_base_model: Path, settings: TrainSettings, method: str
    ) -> None:
        small = msgspec.structs.replace(settings, minimum_steps=60, method=method)

        def trained(share: float) -> torch.Tensor:
            model, _ = fitted(
                tiny_base_model,
                msgspec.structs.replace(small, initial_share=share),
                validation=NOTHING,
            )
            if method == "lora":
                merge_adapter(model)
            return weights_of(model)

        # So little of the way that the first are nearly the weights that training starts from.
        start, whole, part = (trained(share) for share in (1 - 1e-12, 0.0, 0.25))

        assert not torch.allclose(start, whole, atol=1e-3)
        torch.testing.assert_close(part, 0.25 * start + 0.75 * whole, atol=1e-5, rtol=0)

    def test_what_is_kept_is_what_validation_saw(
        self, tiny_base_model: Path, settings: TrainSettings
    ) -> None:
        small = msgspec.structs.replace(settings, minimum_steps=60, initial_share=0.5)
        model, result = fitted(tiny_base_model, small)
        best = next(one for one in result.history if one.epoch == result.best_epoch)

        assert validation_loss(model) == pytest.approx(best.validation_loss, abs=1e-6)

    def test_a_set_that_is_not_small_keeps_what_it_learnt(
        self, tiny_base_model: Path, settings: TrainSettings
    ) -> None:
        one, other = (
            fitted(tiny_base_model, msgspec.structs.replace(settings, initial_share=share))[0]
            for share in (0.0, 0.9)
        )

        assert equal_weights(one, other)

    def test_a_student_keeps_what_it_learnt(
        self, tiny_base_model: Path, settings: TrainSettings
    ) -> None:
        one, other = (
            fitted(
                tiny_base_model,
                msgspec.structs.replace(settings, minimum_steps=60, initial_share=share),
                lesson=LESSON,
            )[0]
            for share in (0.0, 0.9)
        )

        assert equal_weights(one, other)


class TestLesson:
    def test_a_student_learns_what_its_teacher_says_and_not_the_labels(
        self, tiny_base_model: Path, settings: TrainSettings
    ) -> None:
        # The teacher takes each intent for the next one.
        wrong = torch.nn.functional.one_hot((torch.tensor(TRAINING.labels) + 1) % 3, 3) * 8.0
        model, _ = fitted(
            tiny_base_model,
            settings,
            validation=NOTHING,
            lesson=Lesson(logits=wrong, weight=1.0, temperature=2.0),
        )
        ids = torch.tensor([[2, 50, 3], [2, 51, 3], [2, 52, 3]])
        assert model(ids, torch.ones_like(ids)).logits.argmax(dim=1).tolist() == [1, 2, 0]

    def test_a_student_learns_texts_that_its_teacher_alone_labels(
        self, tiny_base_model: Path, settings: TrainSettings
    ) -> None:
        # No training text begins with these tokens.
        others = [[2, 80 + label, *row[2:]] for row, label in zip(*TRAINING[:2], strict=True)]
        answers = torch.nn.functional.one_hot(torch.tensor(TRAINING.labels), 3) * 8.0
        form = Form(token_ids=others, logits=answers.roll(1, dims=1))
        model, _ = fitted(
            tiny_base_model,
            settings,
            validation=NOTHING,
            lesson=Lesson(logits=answers, weight=0.5, temperature=2.0, forms=[form]),
        )
        ids = torch.tensor([[2, first, 3] for first in (50, 51, 52, 80, 81, 82)])
        logits = model(ids, torch.ones_like(ids)).logits
        assert logits.argmax(dim=1).tolist() == [0, 1, 2, 1, 2, 0]

    def test_a_teacher_without_weight_changes_nothing_but_what_a_student_does_without(
        self, tiny_base_model: Path, settings: TrainSettings
    ) -> None:
        plain = msgspec.structs.replace(settings, contrast=0.0)
        alone, _ = fitted(tiny_base_model, plain)
        student = fresh(tiny_base_model, settings)
        # As they are for a model that learns from labels alone.
        student.encoder.get_input_embeddings().requires_grad_(False)
        train_on(student, settings, lesson=LESSON._replace(weight=0.0))

        assert equal_weights(alone, student)
