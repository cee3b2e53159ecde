"""The training loop."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch

from tests.trainer.fitted_models import (
    NOTHING,
    TRAINING,
    VALIDATION,
    Told,
    equal_weights,
    fitted,
    fresh,
    settings_of,
    train_on,
)
from trainer.base_model import find_base_model
from trainer.config import TrainSettings
from trainer.errors import NotFiniteError, TrainingError
from trainer.examples import Examples
from trainer.fitting import FitResult
from trainer.model import IntentModel, load_encoder
from trainer.training_state import TrainingStateStore


@pytest.fixture
def settings(tiny_train_settings: TrainSettings) -> TrainSettings:
    return settings_of(tiny_train_settings)


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_loss_falls_and_the_model_learns(
    tiny_base_model: Path, settings: TrainSettings, method: str, precision: str
) -> None:
    wanted = msgspec.structs.replace(settings, method=method, precision=precision)
    model, result = fitted(tiny_base_model, wanted)
    assert result.epochs == 7
    assert result.history[-1].loss < result.history[0].loss / 2
    assert result.history[-1].validation_accuracy == 1.0
    ids = torch.tensor([[2, 50, 3], [2, 51, 3], [2, 52, 3]])
    assert model(ids, torch.ones_like(ids)).logits.argmax(dim=1).tolist() == [0, 1, 2]


def test_weights_stay_in_fp32_whatever_products_are_computed_in(
    tiny_base_model: Path, settings: TrainSettings
) -> None:
    model, _ = fitted(tiny_base_model, msgspec.structs.replace(settings, precision="bf16"))
    assert {one.dtype for one in model.parameters()} == {torch.float32}


def test_with_lora_only_the_adapter_and_the_head_change(
    tiny_base_model: Path, settings: TrainSettings
) -> None:
    model, _ = fitted(tiny_base_model, msgspec.structs.replace(settings, method="lora"))
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
    whole = msgspec.structs.replace(settings, epochs=1, batch_size=64, minimum_steps=steps)
    told = Told()
    fitted(tiny_base_model, whole, told=told)
    assert len(told.notes) == steps


@pytest.mark.parametrize("epochs", [1, 9])
def test_small_sets_get_more_epochs_and_never_fewer_than_asked_for(
    tiny_base_model: Path, settings: TrainSettings, epochs: int
) -> None:
    # Seven is the first number of passes of three steps to reach 20.
    wanted = msgspec.structs.replace(settings, epochs=epochs, minimum_steps=20)
    _, result = fitted(tiny_base_model, wanted)
    assert result.epochs == max(epochs, 7)


@pytest.mark.parametrize(
    ("epochs", "looks"),
    [(1, [10]), (2, [5, 10]), (4, [3, 6, 9, 10]), (10, [*range(1, 11)]), (12, [*range(1, 13)])],
)
def test_a_small_set_is_looked_at_as_often_as_a_large_one(
    tiny_base_model: Path, settings: TrainSettings, epochs: int, looks: list[int]
) -> None:
    wanted = msgspec.structs.replace(settings, epochs=epochs, minimum_steps=30)
    _, result = fitted(tiny_base_model, wanted)
    assert [one.epoch for one in result.history] == looks


def test_early_stopping_counts_looks_and_not_the_passes_of_a_small_set(
    tiny_base_model: Path, settings: TrainSettings
) -> None:
    # Nothing ever gets better: it stops two looks after the first, at five passes a look.
    still = msgspec.structs.replace(
        settings,
        learning_rate=1e-30,
        head_learning_rate=1e-30,
        weight_decay=0.0,
        epochs=6,
        minimum_steps=90,
        early_stopping_epochs=2,
    )
    _, result = fitted(tiny_base_model, still)
    assert (result.epochs, result.best_epoch) == (15, 5)


class TestNumbersThatAreNotFinite:
    def test_a_loss_that_is_no_number_ends_the_training_with_its_step(
        self, tiny_base_model: Path, settings: TrainSettings
    ) -> None:
        model = fresh(tiny_base_model, settings)
        with torch.no_grad():
            model.head.weight.fill_(float("nan"))
        with pytest.raises(
            NotFiniteError, match=r"^the loss became nan at step 1 of 21, in epoch 1$"
        ) as refused:
            train_on(model, settings)
        assert refused.value.fitted is None

    def test_a_gradient_that_is_not_finite_never_reaches_the_weights(
        self, tiny_base_model: Path, settings: TrainSettings
    ) -> None:
        model = fresh(tiny_base_model, settings)
        # A loss of some numbers can have a slope of none: here one that a hook makes.
        model.head.weight.register_hook(lambda gradient: gradient * float("inf"))
        before = {name: one.clone() for name, one in model.state_dict().items()}
        with pytest.raises(TrainingError, match=r"the gradient became (inf|nan) at step 1 of 21"):
            train_on(model, settings)
        assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())

    def test_the_model_ends_with_the_best_weights_from_before(
        self, tiny_base_model: Path, settings: TrainSettings
    ) -> None:
        model = fresh(tiny_base_model, settings)
        steps = 0

        def spoil(gradient: torch.Tensor) -> torch.Tensor:
            nonlocal steps
            steps += 1
            return gradient * float("nan") if steps == 11 else gradient

        model.head.weight.register_hook(spoil)
        with pytest.raises(NotFiniteError, match=r"step 11 of 21, in epoch 4$") as refused:
            train_on(model, settings)
        done = refused.value.fitted
        assert done is not None
        assert (done["epochs"], len(done["history"])) == (3, 3)
        assert all(bool(torch.isfinite(one).all()) for one in model.state_dict().values())
        ids = torch.tensor(VALIDATION.token_ids)
        with torch.inference_mode():
            logits = model(ids, torch.ones_like(ids)).logits
        found = float(torch.nn.functional.cross_entropy(logits, torch.tensor(VALIDATION.labels)))
        best = done["history"][done["best_epoch"] - 1]
        assert found == pytest.approx(best.validation_loss, abs=1e-5)


class SmallMemory(torch.nn.Module):
    """An encoder on a GPU whose memory holds the gradients of a few rows only."""

    def __init__(self, encoder: torch.nn.Module, *, rows: int) -> None:
        super().__init__()
        self.encoder, self.rows = encoder, rows
        self.config = encoder.config
        self.get_input_embeddings = encoder.get_input_embeddings
        self.refused = 0

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> object:
        if torch.is_grad_enabled() and len(input_ids) > self.rows:
            self.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask)


class TestMemory:
    def fitted(
        self,
        folder: Path,
        settings: TrainSettings,
        *,
        rows: int,
        store: TrainingStateStore | None = None,
        told: Told | None = None,
    ) -> tuple[IntentModel, FitResult, int]:
        model = fresh(folder, settings)
        model.encoder = memory = SmallMemory(model.encoder, rows=rows)
        result = train_on(model, settings, store=store, told=told)
        model.encoder = memory.encoder
        return model, result, memory.refused

    def test_half_batches_make_the_same_steps(
        self,
        still_base_model: Path,
        settings: TrainSettings,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        # 24 rows: batches of ten, ten and four; half of ten fits.
        wanted = msgspec.structs.replace(settings, batch_size=10)
        whole, expected, _ = self.fitted(still_base_model, wanted, rows=10)
        halved, result, refused = self.fitted(still_base_model, wanted, rows=5)
        assert (expected.batch_parts, result.batch_parts, refused) == (1, 2, 1)
        assert result.last_epoch_loss == pytest.approx(expected.last_epoch_loss, abs=1e-4)
        ids = torch.tensor(VALIDATION.token_ids)
        with torch.inference_mode():
            logits = [one(ids, torch.ones_like(ids)).logits for one in (whole, halved)]
        # Rounding alone: Adam makes it larger, above all where a slope is nearly none.
        assert (logits[0] - logits[1]).abs().max() < 1e-3
        (record,) = caplog.records
        assert "each batch of 10 is computed in two halves" in record.getMessage()

    def test_too_little_for_half_a_batch_is_one_clear_error(
        self, still_base_model: Path, settings: TrainSettings
    ) -> None:
        with pytest.raises(
            TrainingError,
            match=r"out of GPU memory at step 1, with half a batch of 8 too; set train\.batch_size",
        ):
            self.fitted(still_base_model, settings, rows=3)

    def test_too_little_for_one_row_is_not_tried_again(
        self, still_base_model: Path, settings: TrainSettings
    ) -> None:
        model = fresh(still_base_model, settings)
        model.encoder = memory = SmallMemory(model.encoder, rows=0)
        single = msgspec.structs.replace(settings, batch_size=1)
        with pytest.raises(TrainingError, match="out of GPU memory at step 1"):
            train_on(model, single)
        assert memory.refused == 1

    def test_a_halved_training_that_was_stopped_ends_as_one_that_was_not(
        self, tiny_base_model: Path, settings: TrainSettings, tmp_path: Path
    ) -> None:
        store = TrainingStateStore(tmp_path / "state", inputs={})
        whole, expected, _ = self.fitted(tiny_base_model, settings, rows=4)
        with pytest.raises(KeyboardInterrupt):
            self.fitted(tiny_base_model, settings, rows=4, store=store, told=Told(stop_after=11))
        resumed, result, refused = self.fitted(tiny_base_model, settings, rows=4, store=store)
        # The state knows that batches are halved: nothing runs out of memory again.
        assert refused == 0
        assert result == expected
        assert equal_weights(resumed, whole)


class TestValidation:
    def test_training_stops_when_nothing_gets_better(
        self, tiny_base_model: Path, settings: TrainSettings
    ) -> None:
        # Rates this small change no answer, and rounding keeps the loss where it is.
        still = msgspec.structs.replace(
            settings,
            learning_rate=1e-30,
            head_learning_rate=1e-30,
            weight_decay=0.0,
            epochs=9,
            early_stopping_epochs=2,
        )
        _, result = fitted(tiny_base_model, still)
        assert (result.epochs, result.best_epoch) == (3, 1)

    def test_the_best_pass_is_kept_and_not_the_last(
        self, tiny_base_model: Path, settings: TrainSettings
    ) -> None:
        # Validation that contradicts the training gets worse with each pass.
        wrong = Examples(token_ids=TRAINING.token_ids, labels=TRAINING.labels[::-1])
        model, result = fitted(tiny_base_model, settings, validation=wrong)
        assert result.best_epoch < result.epochs
        kept = next(one for one in result.history if one.epoch == result.best_epoch)
        assert kept.validation_accuracy == max(
            one.validation_accuracy or 0 for one in result.history
        )
        last, _ = fitted(tiny_base_model, settings, validation=NOTHING)
        assert not equal_weights(model, last)

    def test_without_validation_the_last_pass_is_kept(
        self, tiny_base_model: Path, settings: TrainSettings
    ) -> None:
        stopping = msgspec.structs.replace(settings, early_stopping_epochs=1)
        _, result = fitted(tiny_base_model, stopping, validation=NOTHING)
        assert (result.epochs, result.best_epoch) == (7, 7)
        assert result.history[0].validation_accuracy is None


class TestResuming:
    def store(self, folder: Path) -> TrainingStateStore:
        return TrainingStateStore(folder / "state", inputs={"settings": {"epochs": 7}})

    @pytest.mark.parametrize("method", ["full", "lora"])
    @pytest.mark.parametrize("steps", [3, 4, 11, 20])
    def test_a_training_that_was_stopped_ends_as_one_that_was_not(
        self,
        tiny_base_model: Path,
        settings: TrainSettings,
        tmp_path: Path,
        steps: int,
        method: str,
    ) -> None:
        wanted = msgspec.structs.replace(settings, method=method, lora_dropout=0.1)
        whole, expected = fitted(tiny_base_model, wanted)
        with pytest.raises(KeyboardInterrupt):
            fitted(
                tiny_base_model,
                wanted,
                store=self.store(tmp_path),
                told=Told(stop_after=steps),
            )
        told = Told()
        resumed, result = fitted(tiny_base_model, wanted, store=self.store(tmp_path), told=told)
        # Whole passes before the stop are not made again: three steps each.
        assert len(told.notes) == 21 - (steps - 1) // 3 * 3
        assert result == expected
        assert equal_weights(resumed, whole)
