"""The training loop."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch

from trainer.adapters import add_adapter
from trainer.base_model import find_base_model
from trainer.config import TrainSettings
from trainer.devices import make_deterministic
from trainer.errors import TrainingError
from trainer.examples import Examples
from trainer.fitting import FitResult, Form, Lesson, fit
from trainer.model import IntentModel, load_encoder
from trainer.training_state import TrainingStateStore

CPU = torch.device("cpu")
# Three intents that differ in one token.
TRAINING = Examples(
    token_ids=[[2, 50 + i, *range(60, 60 + length), 3] for i in range(3) for length in range(8)],
    labels=[intent for intent in range(3) for _ in range(8)],
)
VALIDATION = Examples(token_ids=[[2, 50, 70, 3], [2, 51, 71, 3], [2, 52, 72, 3]], labels=[0, 1, 2])
NOTHING = Examples(token_ids=[], labels=[])


@pytest.fixture
def settings(tiny_train_settings: TrainSettings) -> TrainSettings:
    """Seven passes of three steps, at rates that a random encoder learns with."""
    return msgspec.structs.replace(
        tiny_train_settings,
        epochs=7,
        minimum_steps=0,
        batch_size=8,
        learning_rate=2e-3,
        early_stopping_epochs=1000,
        average_decay=0.5,
        precision="fp32",
    )


class Told:
    """Remembers what a training says, and stops it when asked to."""

    def __init__(self, *, stop_after: int | None = None) -> None:
        self.notes: list[str] = []
        self._stop_after = stop_after

    def __call__(self, _what: str, _done: int, _total: int, note: str = "") -> None:
        self.notes.append(note)
        if len(self.notes) == self._stop_after:
            raise KeyboardInterrupt


def fresh(folder: Path, settings: TrainSettings) -> IntentModel:
    make_deterministic(settings.seed, settings.threads)
    # Lengths help a head that starts from random numbers.
    model = IntentModel(load_encoder(find_base_model(str(folder))), 3, normalized=False)
    if settings.method == "lora":
        add_adapter(model, settings)
    return model


def fitted(
    folder: Path,
    settings: TrainSettings,
    *,
    validation: Examples = VALIDATION,
    lesson: Lesson | None = None,
    store: TrainingStateStore | None = None,
    told: Told | None = None,
) -> tuple[IntentModel, FitResult]:
    model = fresh(folder, settings)
    return model, train_on(
        model, settings, validation=validation, lesson=lesson, store=store, told=told
    )


def train_on(
    model: IntentModel,
    settings: TrainSettings,
    *,
    training: Examples = TRAINING,
    validation: Examples = VALIDATION,
    lesson: Lesson | None = None,
    store: TrainingStateStore | None = None,
    told: Told | None = None,
) -> FitResult:
    return fit(
        model,
        training,
        validation,
        padding_id=0,
        settings=settings,
        device=CPU,
        precision="bf16" if settings.precision == "bf16" else "fp32",
        lesson=lesson,
        store=store,
        save_every_s=0,
        progress=told or Told(),
    )


def equal_weights(one: IntentModel, other: IntentModel) -> bool:
    left, right = one.state_dict(), other.state_dict()
    assert left.keys() == right.keys()
    return all(torch.equal(left[name], right[name]) for name in left)


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
            TrainingError,
            match=r"the loss became nan at step 1 of 21, in epoch 1; an earlier checkpoint is "
            r"untouched; set train\.learning_rate lower",
        ):
            train_on(model, settings)

    @pytest.mark.parametrize(
        ("method", "rate"), [("full", "learning_rate"), ("lora", "lora_learning_rate")]
    )
    def test_the_rate_to_lower_is_the_one_that_the_method_uses(
        self, tiny_base_model: Path, settings: TrainSettings, method: str, rate: str
    ) -> None:
        wanted = msgspec.structs.replace(settings, method=method)
        model = fresh(tiny_base_model, wanted)
        with torch.no_grad():
            model.head.bias.fill_(float("inf"))
        with pytest.raises(TrainingError, match=rf"set train\.{rate} lower"):
            train_on(model, wanted)

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

    def test_the_last_good_state_is_kept_and_said(
        self, tiny_base_model: Path, settings: TrainSettings, tmp_path: Path
    ) -> None:
        store = TrainingStateStore(tmp_path / "state", inputs={})
        model = fresh(tiny_base_model, settings)
        steps = 0

        def spoil(gradient: torch.Tensor) -> torch.Tensor:
            nonlocal steps
            steps += 1
            return gradient * float("nan") if steps == 8 else gradient

        model.head.weight.register_hook(spoil)
        with pytest.raises(
            TrainingError, match=r"step 8 of 21, in epoch 3; .*the state after epoch 2 lies in .*st"
        ):
            train_on(model, settings, store=store)
        found = store.load(CPU)
        assert found is not None
        assert found.epoch == 2
        assert all(bool(torch.isfinite(one).all()) for one in found.weights.values())


class SmallMemory(torch.nn.Module):
    """An encoder on a GPU whose memory holds the gradients of a few rows only."""

    def __init__(self, encoder: torch.nn.Module, *, rows: int) -> None:
        super().__init__()
        self.encoder, self.rows = encoder, rows
        self.config = encoder.config
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

    def test_a_teacher_without_weight_changes_nothing(
        self, tiny_base_model: Path, settings: TrainSettings
    ) -> None:
        alone, _ = fitted(tiny_base_model, settings)
        model, _ = fitted(
            tiny_base_model,
            settings,
            validation=VALIDATION,
            lesson=Lesson(logits=torch.ones(24, 3), weight=0.0, temperature=2.0),
        )
        assert equal_weights(alone, model)
