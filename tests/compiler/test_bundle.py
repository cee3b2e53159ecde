"""Variants, tokenizer and golden samples under one manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from compiler.bundle import make_bundle
from compiler.compile import compile_checkpoint, read_compiled
from compiler.config import DEFAULTS, BundleSettings, CompileSettings
from edge_runtime.bundle import open_bundle, read_golden
from edge_runtime.classifier import IntentClassifier
from edge_runtime.errors import ArtifactError, SettingsError
from edge_runtime.settings import load_settings
from edge_runtime.storage import file_entries
from edge_runtime.verification import verify_bundle
from trainer.config import CalibrationSettings, DataSettings
from trainer.dataset import build_dataset, read_dataset
from trainer.evaluate import evaluate

NAMES = ("int8", "q8_0", "fp32")


@pytest.mark.parametrize("variant", NAMES)
def test_every_variant_passes_its_self_test(built_line_bundle: Path, variant: str) -> None:
    with IntentClassifier.open(built_line_bundle, variant=variant) as classifier:
        # All of the 36 validation texts that torch answers by a clear margin, at most 32.
        assert 20 < classifier.self_test() <= 32


def test_the_bundle_is_whole(built_line_bundle: Path) -> None:
    found = verify_bundle(built_line_bundle)
    assert (found.name, found.version) == ("small", "1.0.0")
    assert found.files == len(list(built_line_bundle.iterdir())) == 7


@pytest.mark.parametrize("variant", NAMES)
def test_a_text_of_the_test_is_answered(
    tiny_line: Any, built_line_bundle: Path, variant: str
) -> None:
    split = read_dataset(tiny_line.dataset).test.in_scope()
    with IntentClassifier.open(built_line_bundle, variant=variant) as classifier:
        best = [classifier.classify(text).candidates[0].intent for text in split.texts]
    right = sum(one == intent for one, intent in zip(best, split.intents, strict=True))
    assert right / len(best) > 0.9


def test_golden_samples_show_every_intent_and_their_confidence_in_every_variant(
    tiny_line: Any, built_line_bundle: Path
) -> None:
    samples = read_golden(open_bundle(built_line_bundle))
    assert {sample.intent for sample in samples} == set(read_dataset(tiny_line.dataset).labels)
    # The clearest of each intent come first.
    assert len({sample.intent for sample in samples[:6]}) == 6
    for sample in samples:
        assert set(sample.confidence) == set(NAMES)
        assert all(0 <= one <= 1 for one in sample.confidence.values())


def test_golden_samples_of_a_dataset_with_fewer_intents_have_the_checkpoint_s_names(
    tiny_line: Any,
    tiny_utterances: Path,
    data_settings: DataSettings,
    calibration_settings: CalibrationSettings,
    compile_settings: CompileSettings,
    bundle_settings: BundleSettings,
    tmp_path: Path,
) -> None:
    labels = read_dataset(tiny_line.dataset).labels
    header, *rows = tiny_utterances.read_text().splitlines(keepends=True)
    fewer = tmp_path / "fewer.csv"
    fewer.write_text(header + "".join(row for row in rows if labels[0] not in row.split(",")))
    dataset, evaluation, compiled = (tmp_path / one for one in ("data", "judged", "compiled"))
    build_dataset(str(fewer), dataset, settings=data_settings)
    assert read_dataset(dataset).labels == labels[1:]
    evaluate(tiny_line.checkpoint, dataset, evaluation, settings=calibration_settings)
    known = (tiny_line.checkpoint, dataset, evaluation)
    settings = msgspec.structs.replace(compile_settings, variants=("fp32",), required=("fp32",))
    compile_checkpoint(*known, compiled, settings=settings)
    make_bundle(compiled, *known, tmp_path / "bundle", name="small", settings=bundle_settings)
    bundle = open_bundle(tmp_path / "bundle")
    assert bundle.manifest.labels == labels
    assert {sample.intent for sample in read_golden(bundle)} == set(labels[1:])
    with IntentClassifier.open(bundle.path) as classifier:
        assert classifier.self_test() > 10


def test_a_text_out_of_scope_is_no_golden_sample(
    tiny_line: Any, bundle_line: Any, line_bundle: Path
) -> None:
    # Every text that the variants answer alike, however unsure they are.
    bundle_line(line_bundle, golden_samples=1000, golden_margin=0.0)
    texts = {sample.text for sample in read_golden(open_bundle(line_bundle))}
    assert len(texts) > 20
    assert texts <= set(read_dataset(tiny_line.dataset).validation.in_scope().texts)


def test_the_manifest_holds_what_was_measured(
    built_line_bundle: Path, built_compiled: Path
) -> None:
    manifest = open_bundle(built_line_bundle).manifest
    _, variants = read_compiled(built_compiled)
    for listed, measured in zip(manifest.variants, variants, strict=True):
        assert listed.name == measured.name
        assert listed.calibration == measured.calibration
        assert listed.bytes == manifest.files[listed.file].bytes == measured.bytes
        assert listed.quality.accuracy == measured.test.accuracy
        assert listed.quality.changed_answers == measured.test.changed_answers


def test_the_bytes_depend_on_the_inputs_alone(
    bundle_line: Any, built_line_bundle: Path, tmp_path: Path
) -> None:
    assert not bundle_line(tmp_path / "elsewhere" / "again").skipped
    assert file_entries(tmp_path / "elsewhere" / "again") == file_entries(built_line_bundle)


def test_no_path_of_this_machine_is_in_the_bundle(
    built_line_bundle: Path, tiny_base_model: Path, tiny_line: Any
) -> None:
    for path in built_line_bundle.iterdir():
        content = path.read_bytes()
        for outside in (tiny_base_model.parent, tiny_line.checkpoint.parent):
            assert str(outside).encode() not in content, path


def test_an_unchanged_bundle_is_skipped(bundle_line: Any, line_bundle: Path) -> None:
    assert bundle_line(line_bundle).skipped


@pytest.mark.parametrize("change", [{"version": "1.0.1"}, {"golden_samples": 3}, {"name": "other"}])
def test_a_changed_setting_makes_it_again(
    bundle_line: Any, line_bundle: Path, change: dict[str, Any]
) -> None:
    before = open_bundle(line_bundle).manifest.digest
    made = bundle_line(line_bundle, **change)
    assert not made.skipped
    assert made.bundle.manifest.digest != before


def test_a_damaged_bundle_is_made_again(bundle_line: Any, line_bundle: Path) -> None:
    manifest = (line_bundle / "manifest.json").read_bytes()
    (line_bundle / "model.int8.onnx").write_bytes(b"damaged")
    assert not bundle_line(line_bundle).skipped
    assert (line_bundle / "manifest.json").read_bytes() == manifest


def test_a_variant_that_was_refused_is_in_no_part_of_the_bundle(
    tiny_line: Any,
    compile_settings: CompileSettings,
    bundle_settings: BundleSettings,
    tmp_path: Path,
) -> None:
    compile_checkpoint(
        tiny_line.checkpoint,
        tiny_line.dataset,
        tiny_line.evaluation,
        tmp_path / "compiled",
        settings=msgspec.structs.replace(
            compile_settings, required=(), maximum_logit_difference_fp32=1e-12
        ),
    )
    made = make_bundle(
        tmp_path / "compiled",
        tiny_line.checkpoint,
        tiny_line.dataset,
        tiny_line.evaluation,
        tmp_path / "bundle",
        name="small",
        settings=bundle_settings,
    )
    assert [variant.name for variant in made.bundle.manifest.variants] == ["int8", "q8_0"]
    assert not (tmp_path / "bundle" / "model.fp32.onnx").exists()
    assert all(set(one.confidence) == {"int8", "q8_0"} for one in read_golden(made.bundle))
    verify_bundle(tmp_path / "bundle")


@pytest.mark.parametrize("version", ["1", "1.0", "v1.0.0", "1.0.0 ", "1.0.0+build", "one"])
def test_a_version_that_is_not_semantic_is_refused(version: str) -> None:
    with pytest.raises(SettingsError, match=r"bundle\.version: .*from the command line"):
        load_settings(
            BundleSettings, "bundle", defaults=DEFAULTS, environment={}, flags={"version": version}
        )


def test_a_name_that_no_component_can_have_is_refused_and_nothing_is_left(
    bundle_line: Any, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="the model's name cannot be 'Not A Name': take up to"):
        bundle_line(tmp_path / "bundle", name="Not A Name")
    assert list(tmp_path.iterdir()) == []


def test_compiled_variants_are_wanted(
    tiny_line: Any, bundle_settings: BundleSettings, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match="no compiled at"):
        make_bundle(
            tmp_path / "nowhere",
            tiny_line.checkpoint,
            tiny_line.dataset,
            tiny_line.evaluation,
            tmp_path / "bundle",
            name="small",
            settings=bundle_settings,
        )


def test_inputs_that_do_not_belong_together_are_refused(
    tiny_line: Any,
    built_compiled: Path,
    compile_settings: CompileSettings,
    bundle_settings: BundleSettings,
    made_of_another: Callable[[Path, str], Path],
    tmp_path: Path,
) -> None:
    line = (tiny_line.checkpoint, tiny_line.dataset)
    stray = made_of_another(tiny_line.evaluation, "checkpoint")
    named: dict[str, Any] = {"name": "small", "settings": bundle_settings}
    with pytest.raises(ArtifactError, match=r"belongs to another checkpoint .* run eval again"):
        compile_checkpoint(*line, stray, tmp_path / "compiled", settings=compile_settings)
    with pytest.raises(ArtifactError, match=r"belongs to another checkpoint .* run eval again"):
        make_bundle(built_compiled, *line, stray, tmp_path / "bundle", **named)
    compiled = made_of_another(built_compiled, "evaluation")
    with pytest.raises(ArtifactError, match=r"belongs to another evaluation .* run compile again"):
        make_bundle(compiled, *line, tiny_line.evaluation, tmp_path / "bundle", **named)
    assert not (tmp_path / "bundle").exists()
