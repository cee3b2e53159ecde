"""Champions: a checkpoint, or a bundle as a device runs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.classifier import IntentClassifier
from edge_runtime.errors import ArtifactError, BundleDamagedError
from trainer.calibration import predict
from trainer.calibration_basis import CalibrationTexts
from trainer.champion import open_champion
from trainer.checkpoint import read_checkpoint
from trainer.config import CalibrationSettings
from trainer.dataset import Split, read_dataset
from trainer.evaluate import read_evaluation

NOTHING = Split(texts=[], intents=[])


def held_out(split: Split) -> CalibrationTexts:
    return CalibrationTexts(split=split, held_out=True, out_of_scope_training=0)


def test_a_bundle_answers_as_on_a_device(
    tiny_bundle: Path, calibration_settings: CalibrationSettings
) -> None:
    champion = open_champion(tiny_bundle, texts=held_out(NOTHING), settings=calibration_settings)
    texts = ["lights on", "open the door", "will it rain"]
    found = champion.answer(texts)
    with IntentClassifier.open(tiny_bundle) as classifier:
        expected = classifier.classify_many(texts)
        assert champion.digest == classifier.manifest.digest
        assert champion.labels == classifier.manifest.labels
        assert champion.max_characters == classifier.manifest.text.max_characters
        assert champion.name.endswith(f", {classifier.variant.name}")
    assert found.best == tuple(one.candidates[0].intent for one in expected)
    assert found.rejected.tolist() == [one.out_of_scope for one in expected]
    assert found.rejected.tolist() == [False, True, False]
    assert champion.kind == "bundle"


def test_a_checkpoint_answers_as_its_evaluation_says(
    tiny_line, calibration_settings: CalibrationSettings
) -> None:
    dataset = read_dataset(tiny_line.dataset)
    champion = open_champion(
        tiny_line.checkpoint, texts=held_out(dataset.validation), settings=calibration_settings
    )
    found = champion.answer(dataset.test.texts)
    checkpoint, evaluation = (
        read_checkpoint(tiny_line.checkpoint),
        read_evaluation(tiny_line.evaluation),
    )
    expected = predict(
        evaluation.embeddings["test"],
        head=checkpoint.scoring_head(),
        calibration=evaluation.calibration,
    )
    best = [checkpoint.labels[number] for number in expected.logits.argmax(axis=1)]
    assert list(found.best) == best
    assert np.array_equal(found.rejected, expected.answers() < 0)
    assert (champion.kind, champion.dataset) == ("checkpoint", dataset.digest)
    assert champion.max_characters == checkpoint.text.max_characters


def test_a_checkpoint_is_calibrated_on_the_intents_that_it_knows(
    tiny_line, calibration_settings: CalibrationSettings
) -> None:
    validation = read_dataset(tiny_line.dataset).validation
    more = Split(
        texts=[*validation.texts, "something new"], intents=[*validation.intents, "new_intent"]
    )
    one, other = (
        open_champion(tiny_line.checkpoint, texts=held_out(known), settings=calibration_settings)
        for known in (validation, more)
    )
    texts = validation.texts[:5]
    assert one.answer(texts).rejected.tolist() == other.answer(texts).rejected.tolist()


def test_a_checkpoint_of_another_task_is_refused(
    tiny_line, calibration_settings: CalibrationSettings
) -> None:
    other = Split(texts=["far away"], intents=["other_task"])
    with pytest.raises(ArtifactError, match="knows no intent of the dataset"):
        open_champion(tiny_line.checkpoint, texts=held_out(other), settings=calibration_settings)


def test_a_folder_with_neither_is_refused(
    tmp_path: Path, calibration_settings: CalibrationSettings
) -> None:
    with pytest.raises(ArtifactError, match="it holds neither checkpoint.json nor manifest.json"):
        open_champion(tmp_path, texts=held_out(NOTHING), settings=calibration_settings)


def test_a_damaged_bundle_is_refused(
    tiny_bundle: Path, calibration_settings: CalibrationSettings
) -> None:
    (tiny_bundle / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleDamagedError):
        open_champion(tiny_bundle, texts=held_out(NOTHING), settings=calibration_settings)
