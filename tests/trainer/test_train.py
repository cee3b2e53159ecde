"""The training stage: what makes it run and what lets it skip."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load_file, save_file

from edge_runtime.artifact import read_artifact
from edge_runtime.errors import ArtifactError, SettingsError
from edge_runtime.settings import load_settings
from edge_runtime.tokenization import Tokenizer
from trainer.checkpoint import load_model, read_checkpoint
from trainer.config import (
    DEFAULTS,
    CalibrationSettings,
    DataSettings,
    DistillationSettings,
    TrainSettings,
)
from trainer.dataset import build_dataset, read_dataset
from trainer.errors import BaseModelError, TrainingError
from trainer.evaluate import evaluate
from trainer.gradients import BatchGradient
from trainer.inference import embeddings_of
from trainer.teaching import Teaching
from trainer.train import train


@pytest.fixture
def checkpoint(tiny_line, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint, which a test may train again."""
    copy = tmp_path / "checkpoint"
    shutil.copytree(tiny_line.checkpoint, copy)
    return copy


@pytest.fixture
def quick(tiny_train_settings: TrainSettings) -> TrainSettings:
    """Ten steps, for tests that never look at the model."""
    return msgspec.structs.replace(tiny_train_settings, epochs=1, minimum_steps=10)


def test_the_document_counts_what_was_trained(
    tiny_line, checkpoint: Path, tiny_train_settings: TrainSettings
) -> None:
    result = train(tiny_line.dataset, checkpoint, settings=tiny_train_settings).document.result
    assert (result["intents"], result["utterances"]) == (6, 120)
    # Of chance it would be 3.2: log 6, and the contrast of 119 others.
    assert 0 < result["last_epoch_loss"] < 2
    assert result["parameters"] > 80_000
    assert "encoder_rate" not in result


def test_the_document_tells_what_the_settings_leave_open(
    tiny_line, quick: TrainSettings, wide_base_model: Path, tmp_path: Path
) -> None:
    """The precision, and the rate of an encoder that is wide."""
    settings = msgspec.structs.replace(quick, base_model=str(wide_base_model), precision="bf16")
    result = train(tiny_line.dataset, tmp_path / "made", settings=settings).document.result
    assert result["precision"] == "bf16"
    assert result["encoder_rate"] == pytest.approx(quick.learning_rate / 4)


def test_an_unchanged_training_is_skipped(
    tiny_line, checkpoint: Path, tiny_train_settings: TrainSettings
) -> None:
    assert train(tiny_line.dataset, checkpoint, settings=tiny_train_settings).skipped


def test_a_base_model_that_moved_is_the_same_base_model(
    tiny_line,
    checkpoint: Path,
    tiny_train_settings: TrainSettings,
    tiny_base_model: Path,
    tmp_path: Path,
) -> None:
    moved = tmp_path / "elsewhere" / tiny_base_model.name
    shutil.copytree(tiny_base_model, moved)
    settings = msgspec.structs.replace(tiny_train_settings, base_model=str(moved))
    assert train(tiny_line.dataset, checkpoint, settings=settings).skipped


@pytest.mark.parametrize(
    "change", [{"seed": 2}, {"label_smoothing": 0.1}, {"method": "lora"}, {"max_tokens": 32}]
)
def test_a_changed_setting_trains_again(
    tiny_line, checkpoint: Path, quick: TrainSettings, change: dict[str, float]
) -> None:
    train(tiny_line.dataset, checkpoint, settings=quick)
    settings = msgspec.structs.replace(quick, **change)
    assert not train(tiny_line.dataset, checkpoint, settings=settings).skipped
    assert train(tiny_line.dataset, checkpoint, settings=settings).skipped


def test_one_changed_utterance_trains_again(
    tiny_line,
    checkpoint: Path,
    tiny_utterances: Path,
    quick: TrainSettings,
    data_settings: DataSettings,
    tmp_path: Path,
) -> None:
    before = train(tiny_line.dataset, checkpoint, settings=quick)
    changed = tmp_path / "changed.csv"
    text = tiny_utterances.read_text()
    changed.write_text(text.replace("play jazz loudly", "play jazz very loudly"))
    assert changed.read_text() != text
    dataset = tmp_path / "dataset"
    build_dataset(str(changed), dataset, settings=data_settings)
    after = train(dataset, checkpoint, settings=quick)
    assert not after.skipped
    assert after.digest != before.digest


def test_another_tokenizer_of_the_same_weights_trains_again(
    tiny_line, checkpoint: Path, quick: TrainSettings, tiny_base_model: Path, tmp_path: Path
) -> None:
    train(tiny_line.dataset, checkpoint, settings=quick)
    changed = tmp_path / tiny_base_model.name
    shutil.copytree(tiny_base_model, changed)
    tokenizer = changed / "tokenizer.json"
    text = tokenizer.read_text()
    tokenizer.write_text(text.replace('"lowercase": true', '"lowercase": false'))
    assert tokenizer.read_text() != text
    settings = msgspec.structs.replace(quick, base_model=str(changed))
    assert not train(tiny_line.dataset, checkpoint, settings=settings).skipped


def test_a_damaged_checkpoint_is_made_again_with_the_same_bytes(
    tiny_line, checkpoint: Path, tiny_train_settings: TrainSettings
) -> None:
    document = (checkpoint / "checkpoint.json").read_bytes()
    (checkpoint / "weights.safetensors").write_bytes(b"damaged")
    assert not train(tiny_line.dataset, checkpoint, settings=tiny_train_settings).skipped
    assert (checkpoint / "checkpoint.json").read_bytes() == document


def test_more_tokens_than_the_base_model_reads_are_refused_and_nothing_is_left(
    tiny_line, quick: TrainSettings, tmp_path: Path
) -> None:
    settings = msgspec.structs.replace(quick, max_tokens=129)
    with pytest.raises(SettingsError, match=r"train\.max_tokens is 129.*at most 128"):
        train(tiny_line.dataset, tmp_path / "new", settings=settings)
    assert list(tmp_path.iterdir()) == []


def test_a_text_that_the_model_would_refuse_is_refused_and_nothing_is_left(
    tiny_line, quick: TrainSettings, tmp_path: Path
) -> None:
    dataset = read_dataset(tiny_line.dataset)
    splits = (dataset.train, dataset.validation, dataset.test)
    longest = max(len(text) for split in splits for text in split.texts)
    settings = msgspec.structs.replace(quick, max_characters=longest - 1)
    with pytest.raises(
        SettingsError,
        match=f"has {longest} characters, but the model takes at most {longest - 1}; "
        r".*train\.max_characters.*data\.max_characters",
    ):
        train(tiny_line.dataset, tmp_path / "new", settings=settings)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_dataset_is_refused(quick: TrainSettings, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no dataset at"):
        train(tmp_path / "nowhere", tmp_path / "new", settings=quick)


def test_a_missing_base_model_is_refused_before_anything_is_written(
    tiny_line, quick: TrainSettings, tmp_path: Path
) -> None:
    settings = msgspec.structs.replace(quick, base_model=str(tmp_path / "nowhere"))
    with pytest.raises(BaseModelError, match="nowhere"):
        train(tiny_line.dataset, tmp_path / "new", settings=settings)
    assert list(tmp_path.iterdir()) == []


def test_memory_that_runs_out_before_the_first_batch_says_what_to_set(
    tiny_line, quick: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("trainer.inference.embeddings_of", refuse)
    with pytest.raises(TrainingError, match=r"out of GPU memory outside the batches.*; set train"):
        train(tiny_line.dataset, tmp_path / "made", settings=quick)
    assert list(tmp_path.iterdir()) == []


class TestNumbersThatAreNotFinite:
    @pytest.fixture
    def failing(self, quick: TrainSettings) -> TrainSettings:
        """Ten passes of two steps, at a rate at which a loss overflows."""
        return msgspec.structs.replace(quick, epochs=10, minimum_steps=0, precision="fp32")

    @pytest.fixture
    def spoiled(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
        """Let the loss be no number at a step, as at a rate that is too high."""

        compute = BatchGradient.compute

        def spoil(at: int) -> None:
            def failing(self: BatchGradient, rows: Sequence[int], *, step: int) -> float:
                loss = compute(self, rows, step=step)
                return float("nan") if step == at else loss

            monkeypatch.setattr(BatchGradient, "compute", failing)

        return spoil

    @pytest.mark.parametrize("method", ["full", "lora"])
    def test_the_best_weights_from_before_are_a_checkpoint_of_their_own(
        self,
        tiny_line,
        failing: TrainSettings,
        calibration_settings: CalibrationSettings,
        spoiled: Callable[[int], None],
        tmp_path: Path,
        method: str,
    ) -> None:
        settings = msgspec.structs.replace(failing, method=method)
        spoiled(12)
        rate = "learning_rate" if method == "full" else "lora_learning_rate"
        with pytest.raises(
            TrainingError,
            match=r"^the loss became nan at step 12 of 20, in epoch 6; the weights after epoch \d "
            rf"are kept as a checkpoint in .*made\.last-good; set train\.{rate} lower$",
        ) as refused:
            train(tiny_line.dataset, tmp_path / "made", settings=settings)
        assert refused.value.data == {"step": 12, "epoch": 6}
        assert sorted(path.name for path in tmp_path.iterdir()) == ["made.last-good"]
        kept = read_checkpoint(tmp_path / "made.last-good")
        result = kept.artifact.document.result
        assert result["ended_early"] == {
            "reason": "the loss became nan at step 12 of 20, in epoch 6",
            "step": 12,
            "epoch": 6,
        }
        assert (result["epochs"], len(result["history"])) == (5, 5)
        measured = evaluate(
            tmp_path / "made.last-good",
            tiny_line.dataset,
            tmp_path / "evaluation",
            settings=calibration_settings,
        ).document.result
        best = result["history"][result["best_epoch"] - 1]
        assert measured["validation"]["in_scope_accuracy"] == pytest.approx(
            best["validation_accuracy"]
        )

    def test_before_the_first_look_the_mean_of_the_weights_is_kept(
        self, tiny_line, failing: TrainSettings, spoiled: Callable[[int], None], tmp_path: Path
    ) -> None:
        spoiled(2)
        with pytest.raises(TrainingError, match="the weights from the steps before are kept as"):
            train(tiny_line.dataset, tmp_path / "made", settings=failing)
        checkpoint = read_checkpoint(tmp_path / "made.last-good")
        result = checkpoint.artifact.document.result
        assert (result["best_epoch"], result["epochs"], result["last_epoch_loss"]) == (0, 0, None)
        assert all(bool(one.isfinite().all()) for one in load_model(checkpoint).parameters())

    def test_what_is_left_is_never_taken_for_the_finished_checkpoint(
        self,
        tiny_line,
        failing: TrainSettings,
        spoiled: Callable[[int], None],
        tmp_path: Path,
    ) -> None:
        spoiled(5)
        for _ in range(2):
            with pytest.raises(TrainingError, match="step 5"):
                train(tiny_line.dataset, tmp_path / "made", settings=failing)
        (tmp_path / "made.last-good").rename(tmp_path / "made")
        spoiled(0)
        assert not train(tiny_line.dataset, tmp_path / "made", settings=failing).skipped

    def test_the_state_that_leads_there_is_in_nobody_s_way(
        self, tiny_line, failing: TrainSettings, spoiled: Callable[[int], None], tmp_path: Path
    ) -> None:
        spoiled(12)
        with pytest.raises(TrainingError, match="step 12"):
            train(tiny_line.dataset, tmp_path / "made", settings=failing, save_every_s=0)
        lower = msgspec.structs.replace(failing, learning_rate=1e-4)
        spoiled(0)
        assert (tmp_path / "made.last-good").is_dir()
        assert not train(tiny_line.dataset, tmp_path / "made", settings=lower).skipped
        # What the failed training left has done its service.
        assert [path.name for path in tmp_path.iterdir()] == ["made"]

    def test_a_base_model_that_gives_no_numbers_leaves_nothing_and_the_checkpoint_from_before(
        self, tiny_line, quick: TrainSettings, tiny_base_model: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "checkpoint"
        before = train(tiny_line.dataset, folder, settings=quick)
        spoiled = tmp_path / "spoiled"
        shutil.copytree(tiny_base_model, spoiled)
        weights = load_file(spoiled / "model.safetensors")
        weights["embeddings.LayerNorm.weight"][0] = float("inf")
        save_file(weights, spoiled / "model.safetensors", metadata={"format": "pt"})
        settings = msgspec.structs.replace(quick, base_model=str(spoiled))
        with pytest.raises(
            TrainingError,
            match=r"the loss became nan at step 1 of 10, in epoch 1; nothing is kept, because no "
            r"step came before; spoiled itself gives such numbers: .*; the earlier checkpoint in "
            r".*checkpoint is untouched$",
        ):
            train(tiny_line.dataset, folder, settings=settings)
        assert read_artifact(folder, "checkpoint").digest == before.digest
        assert not (tmp_path / "checkpoint.last-good").exists()

    def test_a_student_s_own_rate_is_the_one_to_lower(
        self,
        tiny_line,
        quick: TrainSettings,
        spoiled: Callable[[int], None],
        tmp_path: Path,
    ) -> None:
        distillation = load_settings(
            DistillationSettings,
            "distillation",
            defaults=DEFAULTS,
            environment={},
            flags={"tier": "static", "static_width": 16},
        )
        teacher = tmp_path / "teacher"
        shutil.copytree(tiny_line.checkpoint, teacher)
        spoiled(3)
        with pytest.raises(TrainingError, match=r"set distillation\.static_learning_rate lower"):
            train(
                tiny_line.dataset,
                tmp_path / "student",
                settings=quick,
                teaching=Teaching(read_checkpoint(teacher), distillation),
            )


def test_twenty_utterances_are_enough_with_the_default_settings(
    tiny_base_model: Path, data_settings: DataSettings, tmp_path: Path
) -> None:
    phrases = {
        "door_lock": ("lock", "bolt", "unlock", ["gate", "garage", "porch", "front door"]),
        "music_play": ("play", "stream", "shuffle", ["jazz", "a song", "my album", "some rock"]),
    }
    lines = ["text,intent,split"]
    for intent, (*verbs, things) in phrases.items():
        texts = [f"{verb} {thing}" for verb in verbs for thing in things]
        # Ten to learn from, two to be asked.
        lines += [f"{text},{intent},train" for text in texts[:10]]
        lines += [f"{text},{intent},test" for text in texts[10:]]
    (tmp_path / "few.csv").write_text("\n".join(lines) + "\n")
    build_dataset(str(tmp_path / "few.csv"), tmp_path / "few", settings=data_settings)
    defaults = load_settings(
        TrainSettings,
        "train",
        defaults=DEFAULTS,
        environment={},
        flags={"base_model": str(tiny_base_model), "threads": 1, "device": "cpu"},
    )
    artifact = train(tmp_path / "few", tmp_path / "checkpoint", settings=defaults)
    result = artifact.document.result
    # A few looks at a handful of validation texts, and not one after each of 200 passes.
    assert result["epochs"] >= 100
    assert len(result["history"]) <= defaults.epochs
    checkpoint = read_checkpoint(tmp_path / "checkpoint")
    tokenizer = Tokenizer(checkpoint.tokenizer, max_tokens=64)
    test = read_dataset(tmp_path / "few").test
    embeddings = embeddings_of(
        load_model(checkpoint),
        tokenizer.encode_many(test.texts),
        padding_id=0,
        device=torch.device("cpu"),
    ).numpy()
    answers = checkpoint.head().logits(embeddings).argmax(axis=1)
    assert [checkpoint.labels[one] for one in answers] == list(test.intents)


class TestIntentNames:
    @pytest.fixture
    def named(self, tmp_path: Path, data_settings: DataSettings) -> Path:
        """A dataset whose intents are named after words of their utterances."""
        rows = ["text,intent,split"]
        for intent in ("lamp", "timer"):
            rows += [f"{intent} {intent}{more},{intent},train" for more in ("", " please")]
            rows += [f"{intent} now,{intent},validation", f"{intent} over here,{intent},test"]
        (tmp_path / "named.csv").write_text("\n".join(rows) + "\n")
        build_dataset(str(tmp_path / "named.csv"), tmp_path / "named", settings=data_settings)
        return tmp_path / "named"

    def test_names_that_tell_are_learnt_from(
        self, named: Path, quick: TrainSettings, tmp_path: Path
    ) -> None:
        made = train(named, tmp_path / "checkpoint", settings=quick)
        assert made.document.result["intent_names_learnt"]
        assert made.document.result["utterances"] == 4

    def test_names_are_left_alone_when_settings_say_so(
        self, named: Path, quick: TrainSettings, tmp_path: Path
    ) -> None:
        settings = msgspec.structs.replace(quick, intent_names=False)
        made = train(named, tmp_path / "checkpoint", settings=settings)
        assert not made.document.result["intent_names_learnt"]
