"""The training stage: what makes it run and what lets it skip."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import load_file, save_file

from edge_runtime.artifact import read_artifact
from edge_runtime.errors import ArtifactError, SettingsError
from edge_runtime.settings import load_settings
from edge_runtime.tokenization import Tokenizer
from trainer.checkpoint import load_model, read_checkpoint
from trainer.config import DEFAULTS, DataSettings, TrainSettings
from trainer.dataset import build_dataset, read_dataset
from trainer.errors import BaseModelError, ResumeError, TrainingError
from trainer.inference import embeddings_of
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
    assert 0 < result["last_epoch_loss"] < 1
    assert result["parameters"] > 80_000


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


class TestResuming:
    def start_and_kill(
        self, line: Any, folder: Path, settings: TrainSettings, *, after: int
    ) -> None:
        """Train until a state is stored, and be stopped."""
        steps = 0

        def stop(what: str, _done: int, _total: int, _note: str = "") -> None:
            nonlocal steps
            steps += what == "training"
            if steps == after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(line.dataset, folder, settings=settings, save_every_s=0, progress=stop)

    @pytest.fixture
    def longer(self, quick: TrainSettings) -> TrainSettings:
        """Ten passes of two steps."""
        return msgspec.structs.replace(quick, epochs=10, early_stopping_epochs=0)

    @pytest.mark.parametrize(
        ("method", "resume"), [("full", False), ("full", True), ("lora", True), ("qlora", True)]
    )
    def test_a_killed_training_ends_with_the_bytes_of_one_that_was_not(
        self, tiny_line, longer: TrainSettings, tmp_path: Path, method: str, resume: bool
    ) -> None:
        longer = msgspec.structs.replace(longer, method=method, lora_dropout=0.1)
        whole = train(tiny_line.dataset, tmp_path / "whole", settings=longer)
        folder = tmp_path / "killed"
        self.start_and_kill(tiny_line, folder, longer, after=9)
        assert not folder.exists()
        steps: list[str] = []

        def count(what: str, *_: object) -> None:
            steps.append(what)

        resumed = train(tiny_line.dataset, folder, settings=longer, resume=resume, progress=count)
        assert steps.count("training") == 12
        assert resumed.digest == whole.digest
        assert not (tmp_path / "killed.training").exists()

    def test_other_settings_begin_anew(
        self, tiny_line, longer: TrainSettings, tmp_path: Path
    ) -> None:
        folder = tmp_path / "killed"
        self.start_and_kill(tiny_line, folder, longer, after=9)
        other = msgspec.structs.replace(longer, seed=5)
        assert (
            train(tiny_line.dataset, folder, settings=other).digest
            == train(tiny_line.dataset, tmp_path / "whole", settings=other).digest
        )

    def test_a_lower_rate_than_the_unfinished_training_s_begins_anew_and_says_so(
        self,
        tiny_line,
        longer: TrainSettings,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        folder = tmp_path / "checkpoint"
        self.start_and_kill(tiny_line, folder, longer, after=9)
        lower = msgspec.structs.replace(longer, learning_rate=1e-4)
        train(tiny_line.dataset, folder, settings=lower)
        (record,) = caplog.records
        assert record.getMessage() == (
            "beginning anew: the unfinished training was another one: settings.learning_rate was "
            "0.0002, is 0.0001"
        )

    def test_a_loss_that_is_not_finite_leaves_the_checkpoint_from_before(
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
        with pytest.raises(TrainingError, match=r"the loss became nan at step 1 of 10, in epoch 1"):
            train(tiny_line.dataset, folder, settings=settings)
        assert read_artifact(folder, "checkpoint").digest == before.digest

    def test_resuming_with_other_settings_is_refused_with_the_difference(
        self, tiny_line, longer: TrainSettings, tmp_path: Path
    ) -> None:
        folder = tmp_path / "killed"
        self.start_and_kill(tiny_line, folder, longer, after=9)
        other = msgspec.structs.replace(longer, seed=5)
        with pytest.raises(ResumeError, match=r"another one: settings\.seed was 1, is 5; give it"):
            train(tiny_line.dataset, folder, settings=other, resume=True)
        # Nothing was lost: the right settings still go on.
        train(tiny_line.dataset, folder, settings=longer, resume=True)

    def test_resuming_with_other_data_is_refused_with_the_difference(
        self,
        tiny_line,
        longer: TrainSettings,
        tiny_utterances: Path,
        data_settings: DataSettings,
        tmp_path: Path,
    ) -> None:
        folder = tmp_path / "killed"
        self.start_and_kill(tiny_line, folder, longer, after=9)
        changed = tmp_path / "changed.csv"
        changed.write_text(tiny_utterances.read_text().replace("play jazz loudly", "play jazz"))
        build_dataset(str(changed), tmp_path / "dataset", settings=data_settings)
        with pytest.raises(ResumeError, match="another one: dataset was"):
            train(tmp_path / "dataset", folder, settings=longer, resume=True)

    def test_resuming_nothing_is_refused(
        self, tiny_line, longer: TrainSettings, tmp_path: Path
    ) -> None:
        with pytest.raises(ResumeError, match=r"no unfinished training .*without --resume"):
            train(tiny_line.dataset, tmp_path / "new", settings=longer, resume=True)
        assert not (tmp_path / "new").exists()


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
