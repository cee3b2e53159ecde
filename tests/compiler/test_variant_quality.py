"""The measures of one variant, passed or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from compiler.compile import read_compiled
from compiler.config import CompileSettings
from compiler.variant_quality import variant_to_measure
from edge_runtime.errors import SettingsError
from trainer.evaluate import read_evaluation


def inputs(line: Any) -> tuple[Path, Path, Path]:
    return line.checkpoint, line.dataset, line.evaluation


def test_a_variant_is_measured_as_it_is_compiled_with_its_own_calibration(
    tiny_line: Any, built_compiled: Path, compile_settings: CompileSettings, tmp_path: Path
) -> None:
    variant = variant_to_measure("int8", settings=compile_settings)
    found = variant.measure(*inputs(tiny_line), tmp_path / "int8")
    _, (int8, *_) = read_compiled(built_compiled)
    assert (found.measures, found.bytes, found.missed) == (int8.measures, int8.bytes, ())
    assert found.measures.in_scope_accuracy == int8.test.accuracy
    assert found.measures.ece == int8.test.ece
    assert found.measures.oos_recall == int8.test.out_of_scope_recall
    (alone,) = read_compiled(tmp_path / "int8")[1]
    assert alone.calibration == int8.calibration


def test_fp32_measures_what_torch_does(
    tiny_line: Any, built_compiled: Path, compile_settings: CompileSettings
) -> None:
    reference = read_evaluation(tiny_line.evaluation).artifact.document.result["test"]
    _, (*_, fp32) = read_compiled(built_compiled)
    assert msgspec.structs.asdict(fp32.measures) == pytest.approx(reference, abs=1e-4)


def test_a_missed_gate_is_told_and_the_variant_is_measured_all_the_same(
    tiny_line: Any, compile_settings: CompileSettings, tmp_path: Path
) -> None:
    strict = msgspec.structs.replace(compile_settings, maximum_logit_difference_fp32=1e-12)
    found = variant_to_measure("fp32", settings=strict).measure(
        *inputs(tiny_line), tmp_path / "fp32"
    )
    (missed,) = found.missed
    assert missed.startswith("its logits differ by ")
    assert found.measures.in_scope_accuracy > 0.9


def test_an_unknown_variant_is_refused(compile_settings: CompileSettings) -> None:
    with pytest.raises(SettingsError, match="no variant 'int4'; take one of fp32, int8, q8_0"):
        variant_to_measure("int4", settings=compile_settings)


def test_a_variant_that_a_student_cannot_have_is_refused_before_it_is_trained(
    compile_settings: CompileSettings,
) -> None:
    with pytest.raises(SettingsError, match="a static student has no q8_0: .*; take int8 or fp32"):
        variant_to_measure("q8_0", settings=compile_settings, student="static")
    assert variant_to_measure("q8_0", settings=compile_settings, student="layers-2").name == "q8_0"
    assert variant_to_measure("int8", settings=compile_settings, student="static").name == "int8"
