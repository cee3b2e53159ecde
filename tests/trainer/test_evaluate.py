"""Measures by hand, and the stage that takes them."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_runtime.artifact import Artifact
from edge_runtime.errors import ArtifactError
from trainer.config import CalibrationSettings
from trainer.evaluate import Measures, evaluate, measure, read_evaluation

LABELS = ("a", "b", "c")


def measured(rows: list[tuple[float, float, float]], intents: list[str | None]) -> Measures:
    """Measure logits, with the largest of each row as its score."""
    logits = np.array(rows, dtype=np.float32)
    return measure(logits, logits.max(axis=1).astype(np.float64), intents, LABELS)


def test_accuracy_and_macro_f1_by_hand() -> None:
    # Answers a, a, b, b; the truth is a, b, b, b.
    found = measured([(5, 0, 0), (5, 0, 0), (0, 5, 0), (0, 5, 0)], ["a", "b", "b", "b"])
    assert found.accuracy == 0.75
    # a: precision 1/2, recall 1, F1 2/3. b: precision 1, recall 2/3, F1 4/5. c never occurs.
    assert found.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert found.oos_auroc is None


def test_an_intent_that_is_never_right_counts_as_nothing() -> None:
    found = measured([(5, 0, 0), (5, 0, 0)], ["a", "c"])
    # a: precision 1/2, recall 1, F1 2/3. c: F1 0.
    assert found.macro_f1 == pytest.approx(1 / 3)


def test_texts_out_of_scope_count_for_the_auroc_alone() -> None:
    # In scope 5 and 2, out of scope 3 and 1: three of four pairs are in the right order.
    found = measured([(5, 0, 0), (0, 2, 0), (3, 0, 0), (0, 0, 1)], ["a", "b", None, None])
    assert (found.accuracy, found.macro_f1, found.oos_auroc) == (1.0, 1.0, 0.75)


def test_the_stage_stores_the_embeddings_of_both_splits_and_their_measures(
    tiny_line, calibration_settings: CalibrationSettings
) -> None:
    evaluation = read_evaluation(tiny_line.evaluation)
    assert {name: rows.shape for name, rows in evaluation.embeddings.items()} == {
        "validation": (36, 64),
        "test": (36, 64),
    }
    assert evaluation.settings == calibration_settings
    result = evaluation.artifact.document.result
    assert set(result) == {"validation", "test"}
    assert result["test"]["accuracy"] > 0.9
    assert 0.5 < result["test"]["oos_auroc"] <= 1


def test_an_unchanged_evaluation_is_skipped_and_a_damaged_one_made_again(
    tiny_line, calibration_settings: CalibrationSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "evaluation"
    shutil.copytree(tiny_line.evaluation, folder)

    def judge() -> Artifact:
        return evaluate(
            tiny_line.checkpoint, tiny_line.dataset, folder, settings=calibration_settings
        )

    assert judge().skipped
    document = (folder / "evaluation.json").read_bytes()
    (folder / "test.npy").unlink()
    assert not judge().skipped
    assert (folder / "evaluation.json").read_bytes() == document


def test_another_score_is_another_evaluation(
    tiny_line, calibration_settings: CalibrationSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "evaluation"
    shutil.copytree(tiny_line.evaluation, folder)
    other = msgspec.structs.replace(calibration_settings, scores=("nearest-neighbour",))
    made = evaluate(tiny_line.checkpoint, tiny_line.dataset, folder, settings=other)
    assert not made.skipped
    before = read_evaluation(tiny_line.evaluation).artifact.document.result["test"]
    after = made.document.result["test"]
    assert after["accuracy"] == before["accuracy"]
    assert after["oos_auroc"] != before["oos_auroc"]


def test_a_missing_checkpoint_is_refused(
    tiny_line, calibration_settings: CalibrationSettings, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match="no checkpoint at"):
        evaluate(
            tmp_path / "nowhere",
            tiny_line.dataset,
            tmp_path / "evaluation",
            settings=calibration_settings,
        )


def test_a_damaged_evaluation_is_refused(tiny_line, tmp_path: Path) -> None:
    folder = tmp_path / "evaluation"
    shutil.copytree(tiny_line.evaluation, folder)
    (folder / "validation.npy").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match=r"validation\.npy is missing or changed"):
        read_evaluation(folder)
