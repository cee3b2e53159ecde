"""The tasks of the namespaces compile and bundle, called as Invoke calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context

from compiler.commands.bundling import make
from compiler.commands.compiling import run


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project; the current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def inputs(line: Any) -> dict[str, str]:
    return {name: str(getattr(line, name)) for name in ("checkpoint", "dataset", "evaluation")}


def test_compiling_and_bundling_print_one_json_object_each(
    tiny_line: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run(Context(), **inputs(tiny_line), folder="compiled", json=True)
    make(
        Context(), **inputs(tiny_line), compiled="compiled", folder="b", version="2.0.0", json=True
    )
    compiled, bundle = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert [variant["name"] for variant in compiled["variants"]] == ["int8", "q8_0", "fp32"]
    assert (compiled["skipped"], compiled["refused"]) == (False, [])
    assert (bundle["name"], bundle["version"]) == ("smart-home", "2.0.0")
    assert bundle["variants"] == ["int8", "q8_0", "fp32"]


def test_people_are_told_of_every_variant_and_of_every_refusal(
    tiny_line: Any, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "edgewise.toml").write_text(
        "[compile]\nrequired = []\nmaximum_logit_difference_fp32 = 1e-12\n"
    )
    run(Context(), **inputs(tiny_line), folder="compiled")
    make(Context(), **inputs(tiny_line), compiled="compiled", folder="b", name="mine")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "compiled: compiled"
    assert lines[1].startswith("  int8: 0.2 MB, test accuracy ")
    assert lines[3].startswith("  fp32: refused: its logits differ by ")
    assert lines[4].startswith("b: made: mine 1.0.0, ")


def test_a_required_variant_that_is_refused_ends_with_exit_code_3(
    tiny_line: Any, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "edgewise.toml").write_text("[compile]\nmaximum_logit_difference_fp32 = 1e-12\n")
    with pytest.raises(SystemExit) as exit_:
        run(Context(), **inputs(tiny_line), folder="compiled")
    captured = capsys.readouterr()
    assert (exit_.value.code, captured.out) == (3, "")
    errors = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "variant fp32 is refused" in errors[0]
    assert not (project / "compiled").exists()


@pytest.mark.parametrize("version", ["1.0", "latest"])
def test_a_wrong_version_gives_one_line_and_exit_code_1(
    tiny_line: Any, project: Path, capsys: pytest.CaptureFixture[str], version: str
) -> None:
    with pytest.raises(SystemExit) as exit_:
        make(Context(), **inputs(tiny_line), compiled="none", folder="b", version=version)
    assert exit_.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: bundle.version: ")


def test_a_missing_checkpoint_gives_one_line_and_exit_code_1(
    tiny_line: Any, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(Context(), **(inputs(tiny_line) | {"checkpoint": "nowhere"}), folder="compiled")
    assert exit_.value.code == 1
    assert capsys.readouterr().err == (
        "error: no checkpoint at nowhere: checkpoint.json is missing; run the stage that makes it\n"
    )
