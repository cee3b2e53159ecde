"""The stage that judges a checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from edge_runtime.artifact import Artifact
from edge_runtime.errors import ArtifactError
from trainer.config import CalibrationSettings
from trainer.evaluate import evaluate, read_evaluation


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
    assert result["test"]["in_scope_accuracy"] > 0.9
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
    assert after["in_scope_accuracy"] == before["in_scope_accuracy"]
    assert read_evaluation(folder).settings == other


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
