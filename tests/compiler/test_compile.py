"""The stage that exports, quantises and proves every variant."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from invoke.context import Context
from transformers import DistilBertConfig, DistilBertModel

from compiler.bundle import make_bundle
from compiler.commands.compiling import run
from compiler.compile import compile_checkpoint, read_compiled
from compiler.config import BundleSettings, CompileSettings
from compiler.errors import ExportError, QualityGateError
from edge_runtime.artifact import Artifact, produce_artifact
from edge_runtime.bundle import open_bundle
from edge_runtime.errors import ArtifactError, SettingsError
from edge_runtime.scoring import Calibration
from edge_runtime.storage import file_entries
from trainer.calibration import fit_calibration, predict
from trainer.checkpoint import read_checkpoint
from trainer.config import CalibrationSettings, DataSettings, TrainSettings
from trainer.dataset import build_dataset, read_dataset, write_dataset
from trainer.evaluate import evaluate, read_evaluation
from trainer.train import train

FILES = {"fp32": "model.fp32.onnx", "int8": "model.int8.onnx", "q8_0": "model.q8_0.gguf"}


def compile_line(line: Any, folder: Path, settings: CompileSettings, **changes: Any) -> Artifact:
    return compile_checkpoint(
        line.checkpoint,
        line.dataset,
        line.evaluation,
        folder,
        settings=msgspec.structs.replace(settings, **changes),
    )


def test_all_three_variants_pass_and_keep_the_order_that_was_asked_for(
    built_compiled: Path,
) -> None:
    artifact, variants = read_compiled(built_compiled)
    assert [variant.name for variant in variants] == ["int8", "q8_0", "fp32"]
    assert artifact.document.result["refused"] == []
    for variant in variants:
        assert variant.file == FILES[variant.name]
        assert variant.bytes == (built_compiled / variant.file).stat().st_size
        assert variant.gate.utterances == variant.test.utterances == 36
        assert variant.gate.in_scope == 30
        assert variant.test.accuracy > 0.9
        stored = np.load(built_compiled / f"{variant.name}.calibration.npy", allow_pickle=False)
        assert stored.shape == (36, 64)


def test_fp32_is_torch_to_the_last_digits_and_the_small_ones_are_near(built_compiled: Path) -> None:
    _, variants = read_compiled(built_compiled)
    differences = {variant.name: variant.gate.max_logit_difference for variant in variants}
    assert differences["fp32"] <= 1e-4
    assert 1e-4 < differences["int8"] < 1
    assert 1e-4 < differences["q8_0"] < 1


def test_each_variant_has_a_calibration_of_its_own(built_compiled: Path) -> None:
    artifact, variants = read_compiled(built_compiled)
    assert len({variant.calibration.score for variant in variants}) == 3
    reference = artifact.document.result["reference_calibration"]
    for variant in variants:
        assert variant.calibration.temperature == pytest.approx(reference["temperature"], rel=0.2)


def test_each_variant_is_as_strict_as_the_reference(
    tiny_line: Any,
    calibration_settings: CalibrationSettings,
    compile_settings: CompileSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A threshold that looks at out-of-scope texts too may lie anywhere below the allowed share.
    settings = msgspec.structs.replace(
        calibration_settings, in_scope_rejections=0.3, out_of_scope_utterances=1
    )
    evaluation = tmp_path / "evaluation"
    evaluate(tiny_line.checkpoint, tiny_line.dataset, evaluation, settings=settings)
    judged = read_evaluation(evaluation)
    assert judged.basis.threshold == "out-of-scope"
    asked: list[int | None] = []

    def fit(*texts: Any, rejected: int | None, **known: Any) -> Calibration:
        asked.append(rejected)
        return fit_calibration(*texts, rejected=rejected, **known)

    monkeypatch.setattr("compiler.compile.fit_calibration", fit)
    compile_line(tiny_line._replace(evaluation=evaluation), tmp_path / "compiled", compile_settings)
    head = read_checkpoint(tiny_line.checkpoint).scoring_head()
    known = [intent is not None for intent in read_dataset(tiny_line.dataset).validation.intents]

    def rejected(embeddings: np.ndarray, calibration: Calibration) -> int:
        answers = predict(embeddings, head=head, calibration=calibration).answers()
        return int((answers[known] < 0).sum())

    _, variants = read_compiled(tmp_path / "compiled")
    assert {variant.name for variant in variants} == set(FILES)
    wanted = rejected(judged.embeddings["calibration"], judged.calibration)
    # In a model as small as this the forms would agree without being told.
    assert asked == [None, wanted, wanted, wanted]
    for variant in variants:
        own = np.load(tmp_path / f"compiled/{variant.name}.calibration.npy", allow_pickle=False)
        assert rejected(own, variant.calibration) == wanted


def test_nothing_but_variants_and_their_embeddings_is_left(built_compiled: Path) -> None:
    assert {path.name for path in built_compiled.iterdir()} == {
        *FILES.values(),
        *(f"{name}.calibration.npy" for name in FILES),
        "compiled.json",
    }


def test_the_same_checkpoint_gives_the_same_bytes(
    tiny_line: Any, built_compiled: Path, compile_settings: CompileSettings, tmp_path: Path
) -> None:
    compile_line(tiny_line, tmp_path / "again", compile_settings)
    assert file_entries(tmp_path / "again") == file_entries(built_compiled)


def test_an_unchanged_compile_is_skipped(
    tiny_line: Any, compiled: Path, compile_settings: CompileSettings
) -> None:
    assert compile_line(tiny_line, compiled, compile_settings).skipped


def test_a_changed_setting_compiles_again_and_trains_nothing(
    tiny_line: Any,
    compiled: Path,
    compile_settings: CompileSettings,
    tiny_train_settings: Any,
) -> None:
    assert not compile_line(tiny_line, compiled, compile_settings, smoothing=0.5).skipped
    assert train(tiny_line.dataset, tiny_line.checkpoint, settings=tiny_train_settings).skipped


def test_a_damaged_variant_is_made_again(
    tiny_line: Any, compiled: Path, compile_settings: CompileSettings
) -> None:
    document = (compiled / "compiled.json").read_bytes()
    (compiled / "model.q8_0.gguf").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match=r"model\.q8_0\.gguf is missing or changed"):
        read_compiled(compiled)
    assert not compile_line(tiny_line, compiled, compile_settings).skipped
    assert (compiled / "compiled.json").read_bytes() == document


def test_one_variant_alone_is_compiled_without_the_others(
    tiny_line: Any, compile_settings: CompileSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "compiled"
    compile_line(tiny_line, folder, compile_settings, variants=("q8_0",), required=("q8_0",))
    assert {path.name for path in folder.iterdir()} == {
        "model.q8_0.gguf",
        "q8_0.calibration.npy",
        "compiled.json",
    }


def test_a_required_variant_that_is_refused_leaves_nothing(
    tiny_line: Any, compile_settings: CompileSettings, tmp_path: Path
) -> None:
    with pytest.raises(QualityGateError, match="variant fp32 is refused: its logits") as caught:
        compile_line(
            tiny_line, tmp_path / "new", compile_settings, maximum_logit_difference_fp32=1e-12
        )
    assert caught.value.exit_code == 3
    assert caught.value.data["variant"] == "fp32"
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_keeps_what_was_compiled_before(
    tiny_line: Any, compiled: Path, compile_settings: CompileSettings
) -> None:
    before = file_entries(compiled)
    with pytest.raises(QualityGateError):
        compile_line(tiny_line, compiled, compile_settings, maximum_logit_difference_fp32=1e-12)
    assert file_entries(compiled) == before


def test_an_optional_variant_that_is_refused_is_left_out_and_said(
    tiny_line: Any, compile_settings: CompileSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "compiled"
    artifact = compile_line(
        tiny_line,
        folder,
        compile_settings,
        required=("int8",),
        maximum_logit_difference_fp32=1e-12,
    )
    (refused,) = artifact.document.result["refused"]
    assert refused["name"] == "fp32"
    assert refused["reasons"][0].startswith("its logits differ by ")
    assert [variant.name for variant in read_compiled(folder)[1]] == ["int8", "q8_0"]
    assert not (folder / "model.fp32.onnx").exists()
    assert not (folder / "fp32.calibration.npy").exists()


def test_an_encoder_that_gguf_cannot_hold_still_ships_as_onnx(
    tiny_line: Any,
    tiny_base_model: Path,
    tiny_train_settings: TrainSettings,
    compile_settings: CompileSettings,
    calibration_settings: CalibrationSettings,
    tmp_path: Path,
) -> None:
    base = tmp_path / "tiny-distilbert"
    shutil.copytree(tiny_base_model, base)
    vocabulary = json.loads((base / "config.json").read_text())["vocab_size"]
    torch.manual_seed(1)
    configuration = DistilBertConfig(
        vocab_size=vocabulary, dim=64, hidden_dim=128, n_layers=2, n_heads=2
    )
    DistilBertModel(configuration).save_pretrained(base, safe_serialization=True)
    line = tiny_line._replace(checkpoint=tmp_path / "checkpoint", evaluation=tmp_path / "judged")
    settings = msgspec.structs.replace(tiny_train_settings, base_model=str(base))
    train(line.dataset, line.checkpoint, settings=settings)
    evaluate(line.checkpoint, line.dataset, line.evaluation, settings=calibration_settings)

    artifact = compile_line(line, tmp_path / "compiled", compile_settings)

    (refused,) = artifact.document.result["refused"]
    assert refused["name"] == "q8_0"
    assert "this one is distilbert" in refused["reasons"][0]
    names = [variant.name for variant in read_compiled(tmp_path / "compiled")[1]]
    assert names == ["int8", "fp32"]
    with pytest.raises(ExportError, match="this one is distilbert"):
        compile_line(line, tmp_path / "strict", compile_settings, required=("fp32", "q8_0"))
    assert not (tmp_path / "strict").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"variants": ("fp32", "int4")},
            r"compile\.variants: unknown variant 'int4'; known: fp32, int8, q8_0",
        ),
        ({"required": ("fp64",)}, r"compile\.required: unknown variant 'fp64'"),
        ({"variants": ("int8",)}, r"compile\.required names fp32, which compile\.variants leaves"),
    ],
)
def test_variants_that_cannot_be_are_refused_before_any_work(
    tiny_line: Any,
    compile_settings: CompileSettings,
    tmp_path: Path,
    changes: dict[str, tuple[str, ...]],
    said: str,
) -> None:
    with pytest.raises(SettingsError, match=said):
        compile_line(tiny_line, tmp_path / "new", compile_settings, **changes)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_is_refused(
    tiny_line: Any, compile_settings: CompileSettings, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(tiny_line.checkpoint, checkpoint)
    (checkpoint / "labels.json").write_text("[]")
    with pytest.raises(ArtifactError, match=r"labels\.json is missing or changed"):
        compile_line(tiny_line._replace(checkpoint=checkpoint), tmp_path / "new", compile_settings)


def test_without_a_test_nothing_tells_the_accuracy_of_a_variant(
    tiny_line: Any,
    compile_settings: CompileSettings,
    bundle_settings: BundleSettings,
    calibration_settings: CalibrationSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = read_dataset(tiny_line.dataset)
    learnt = msgspec.structs.replace(whole, test=whole.test.rows([]))
    line = tiny_line._replace(dataset=tmp_path / "dataset", evaluation=tmp_path / "evaluation")
    produce_artifact(
        line.dataset,
        kind="dataset",
        revision=1,
        settings={},
        parents={},
        make=lambda partial: write_dataset(learnt, partial) or {},
    )
    evaluate(line.checkpoint, line.dataset, line.evaluation, settings=calibration_settings)
    compile_line(line, tmp_path / "compiled", compile_settings, variants=("fp32",))
    _, (variant,) = read_compiled(tmp_path / "compiled")
    assert (variant.test, variant.measures, variant.gate.utterances) == (None, None, 36)
    made = make_bundle(
        tmp_path / "compiled", line.checkpoint, line.dataset, line.evaluation, tmp_path / "bundle",
        name="small", settings=bundle_settings,
    )  # fmt: skip
    quality = open_bundle(made.bundle.path).manifest.variants[0].quality
    assert quality.accuracy is None
    assert quality.max_logit_difference == variant.gate.max_logit_difference

    monkeypatch.chdir(tmp_path)
    (tmp_path / "edgewise.toml").write_text('[compile]\nvariants = ["fp32"]\n')
    run(
        Context(),
        checkpoint=str(line.checkpoint),
        dataset="dataset",
        evaluation="evaluation",
        folder="compiled",
    )
    printed = capsys.readouterr().out
    assert "fp32: " in printed
    assert "accuracy" not in printed


def test_nothing_that_is_made_depends_on_the_labels_of_the_test(
    tiny_line: Any,
    built_compiled: Path,
    tiny_utterances: Path,
    tiny_train_settings: TrainSettings,
    calibration_settings: CalibrationSettings,
    compile_settings: CompileSettings,
    data_settings: DataSettings,
    tmp_path: Path,
) -> None:
    with tiny_utterances.open(newline="") as file:
        rows = list(csv.DictReader(file))
    test = [row for row in rows if row["split"] == "test"]
    wrong = [row["intent"] for row in test]
    for row, intent in zip(test, [*wrong[7:], *wrong[:7]], strict=True):
        row["intent"] = intent
    with (tmp_path / "wrong.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)

    made = {name: tmp_path / name for name in ("checkpoint", "dataset", "evaluation", "compiled")}
    build_dataset(str(tmp_path / "wrong.csv"), made["dataset"], settings=data_settings)
    train(made["dataset"], made["checkpoint"], settings=tiny_train_settings)
    judged = evaluate(
        made["checkpoint"], made["dataset"], made["evaluation"], settings=calibration_settings
    )
    compile_checkpoint(*made.values(), settings=compile_settings)

    # The labels were wrong indeed.
    assert judged.document.result["test"]["in_scope_accuracy"] < 0.3
    before = {"checkpoint": tiny_line.checkpoint, "evaluation": tiny_line.evaluation}
    for stage, folder in (before | {"compiled": built_compiled}).items():
        # Documents name the dataset, and measure on the test.
        documents = frozenset({f"{stage}.json"})
        assert file_entries(made[stage], leave_out=documents) == file_entries(
            folder, leave_out=documents
        ), stage
    calibrations = [
        {one.name: one.calibration for one in read_compiled(folder)[1]}
        for folder in (made["compiled"], built_compiled)
    ]
    assert calibrations[0] == calibrations[1]
