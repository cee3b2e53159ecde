"""The stage that judges a checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edge_runtime.artifact import Artifact
from edge_runtime.errors import ArtifactError, SettingsError
from trainer.calibration_benchmark import benchmark_calibration
from trainer.checkpoint import read_checkpoint
from trainer.config import CalibrationSettings, DataSettings, TrainSettings
from trainer.dataset import build_dataset, read_dataset
from trainer.evaluate import evaluate, read_evaluation
from trainer.score_benchmark import benchmark_scores
from trainer.train import train


def test_the_stage_stores_the_embeddings_of_both_splits_and_their_measures(
    tiny_line, calibration_settings: CalibrationSettings
) -> None:
    evaluation = read_evaluation(tiny_line.evaluation)
    assert {name: rows.shape for name, rows in evaluation.embeddings.items()} == {
        "calibration": (36, 64),
        "validation": (36, 64),
        "test": (36, 64),
    }
    # Where validation is what the calibration is fitted on, it is stored once.
    assert sorted(path.name for path in tiny_line.evaluation.glob("*.npy")) == [
        "test.npy",
        "validation.npy",
    ]
    assert evaluation.settings == calibration_settings
    result = evaluation.artifact.document.result
    assert set(result) == {"calibration", "validation", "test"}
    assert evaluation.basis.in_scope == 30
    assert evaluation.basis.threshold == "default"
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


@pytest.fixture
def small_line(
    tiny_line, tiny_train_settings: TrainSettings, data_settings: DataSettings, tmp_path: Path
) -> tuple[Path, Path]:
    """A dataset of 10 texts of 2 intents and 60 out of scope, and a checkpoint."""
    (tmp_path / "small.csv").write_text(
        "text,intent\n"
        + "".join(f"{what} {number},{what}\n" for what in ("lamp", "song") for number in range(5))
        + "".join(f"strange {number},oos\n" for number in range(60))
    )
    dataset, checkpoint = tmp_path / "dataset", tmp_path / "checkpoint"
    build_dataset(str(tmp_path / "small.csv"), dataset, settings=data_settings)
    settings = msgspec.structs.replace(tiny_train_settings, minimum_steps=6)
    train(dataset, checkpoint, settings=settings)
    return dataset, checkpoint


def test_few_examples_are_all_learnt_from_and_the_rest_is_told(
    small_line: tuple[Path, Path],
    calibration_settings: CalibrationSettings,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dataset, checkpoint = small_line
    caplog.clear()
    made = evaluate(checkpoint, dataset, tmp_path / "evaluation", settings=calibration_settings)
    evaluation = read_evaluation(tmp_path / "evaluation")
    assert evaluation.embeddings["validation"].shape == (0, 64)
    assert evaluation.embeddings["calibration"].shape == (8 + 51, 64)
    assert (tmp_path / "evaluation" / "calibration.npy").is_file()
    assert made.document.result["validation"] is None
    assert made.document.result["test"]["oos_recall"] is not None
    assert evaluation.calibration.temperature == calibration_settings.default_temperature
    assert evaluation.calibration.threshold == calibration_settings.default_logit_share
    assert [said.split(":")[0] for said in caplog.messages] == [
        "no validation utterance has an intent"
    ]


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


def test_a_dataset_with_an_intent_that_the_checkpoint_lacks_is_refused(
    tiny_line,
    small_line: tuple[Path, Path],
    calibration_settings: CalibrationSettings,
    tmp_path: Path,
) -> None:
    _, checkpoint = small_line
    with pytest.raises(
        ArtifactError,
        match=r"trained without the intent '\w+' \(6 in all\), which the dataset has; train",
    ):
        evaluate(
            checkpoint, tiny_line.dataset, tmp_path / "evaluation", settings=calibration_settings
        )
    assert not (tmp_path / "evaluation").exists()


def test_a_dataset_with_a_text_that_the_checkpoint_does_not_take_is_refused(
    tiny_line,
    tiny_utterances: Path,
    data_settings: DataSettings,
    calibration_settings: CalibrationSettings,
    tmp_path: Path,
) -> None:
    taken = read_checkpoint(tiny_line.checkpoint).text.max_characters
    source = tmp_path / "longer.csv"
    text = tiny_utterances.read_text()
    source.write_text(text.replace("play jazz loudly", "play jazz loudly" + " now" * taken))
    assert source.read_text() != text
    settings = msgspec.structs.replace(data_settings, max_characters=10 * taken)
    build_dataset(str(source), tmp_path / "dataset", settings=settings)
    with pytest.raises(SettingsError, match=f"the model takes at most {taken}; train with"):
        evaluate(
            tiny_line.checkpoint,
            tmp_path / "dataset",
            tmp_path / "evaluation",
            settings=calibration_settings,
        )
    assert not (tmp_path / "evaluation").exists()


def test_a_damaged_evaluation_is_refused(tiny_line, tmp_path: Path) -> None:
    folder = tmp_path / "evaluation"
    shutil.copytree(tiny_line.evaluation, folder)
    (folder / "validation.npy").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match=r"validation\.npy is missing or changed"):
        read_evaluation(folder)


def test_the_evaluation_of_another_checkpoint_or_dataset_is_refused(
    tiny_line, made_of_another: Callable[[Path, str], Path]
) -> None:
    checkpoint, dataset = read_checkpoint(tiny_line.checkpoint), read_dataset(tiny_line.dataset)
    read_evaluation(tiny_line.evaluation, checkpoint=checkpoint, dataset=dataset)
    for parent in ("checkpoint", "dataset"):
        folder = made_of_another(tiny_line.evaluation, parent)
        read_evaluation(folder)
        with pytest.raises(ArtifactError, match=f"belongs to another {parent} .* run eval again"):
            read_evaluation(folder, checkpoint=checkpoint, dataset=dataset)


def test_no_benchmark_takes_the_evaluation_of_another_dataset(
    tiny_line, made_of_another: Callable[[Path, str], Path]
) -> None:
    stray = made_of_another(tiny_line.evaluation, "dataset")
    inputs = (tiny_line.checkpoint, tiny_line.dataset, stray)
    with pytest.raises(ArtifactError, match="belongs to another dataset"):
        benchmark_scores(*inputs, resamples=100, seed=1)
    with pytest.raises(ArtifactError, match="belongs to another dataset"):
        benchmark_calibration(*inputs, repeats=1)
