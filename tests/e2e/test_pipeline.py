from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

STAGES = ["data", "train", "eval", "report", "compile", "bundle", "latency", "component"]


def test_the_line_ends_with_a_live_answer_and_its_json(finished) -> None:
    result = finished.result

    stored = json.loads((finished.folder / "build/small/pipeline.json").read_text())
    assert stored == result
    assert set(result) == {
        "name", "seconds", "skipped", "dataset", "test", "variants", "refused", "component",
    }  # fmt: skip
    assert result["skipped"] == []
    assert set(result["seconds"]) == {*STAGES, "run"}
    assert set(result["dataset"]) == {"sha256", "intents", "train", "validation", "test"}
    assert set(result["test"]) == {"accuracy", "macro_f1", "oos_auroc"}
    assert {variant["name"] for variant in result["variants"]} == {"fp32", "int8", "q8_0"}
    for variant in result["variants"]:
        assert set(variant) == {
            "name", "format", "precision", "bytes", "accuracy", "changed_answers",
            "max_logit_difference", "p50_ms",
        }  # fmt: skip
    assert result["component"]["answer"]["text"]
    assert set(result["component"]["answer"]) == {"text", "intent", "confidence"}


def test_a_second_run_skips_every_stage_and_only_asks_again(
    finished_workspace, tiny_utterances: Path
) -> None:
    before = finished_workspace.documents()

    second = finished_workspace.pipeline(tiny_utterances)

    assert second["skipped"] == STAGES
    assert finished_workspace.documents() == before


def test_one_changed_utterance_retrains_and_a_compile_setting_does_not(
    finished_workspace, tiny_utterances: Path, tmp_path: Path
) -> None:
    workspace = finished_workspace
    data = tmp_path / tiny_utterances.name
    data.write_bytes(tiny_utterances.read_bytes())

    workspace.environment["EDGEWISE_COMPILE_SMOOTHING"] = "0.7"
    with_setting = workspace.pipeline(data)
    assert with_setting["skipped"] == ["data", "train", "eval", "report"]

    lines = data.read_text().splitlines()
    lines[1] = "entirely " + lines[1]
    data.write_text("\n".join(lines) + "\n")
    with_utterance = workspace.pipeline(data)
    assert with_utterance["skipped"] == []


def test_the_device_task_prints_one_json_object_a_line(finished) -> None:
    done = finished.inv(
        "device.classify", "--bundle", "build/small/bundle", "--json", "first text", "second text"
    )

    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["text"] for answer in answers] == ["first text", "second text"]


def test_a_required_variant_that_fails_its_gate_exits_3_and_leaves_nothing(
    workspace, tiny_utterances: Path
) -> None:
    workspace.environment["EDGEWISE_COMPILE_MAXIMUM_LOGIT_DIFFERENCE_FP32"] = "1e-12"

    done = workspace.inv("pipeline", "--data", str(tiny_utterances), "--name", "small")

    assert done.returncode == 3
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "variant fp32 is refused" in errors[0]
    made = {path.name for path in (workspace.folder / "build/small").iterdir()}
    results = {"dataset", "checkpoint", "evaluation", "evaluation-report"}
    assert made == {*results, "dataset.changes.jsonl"}


def test_a_missed_quality_gate_ends_the_line_with_3_and_the_report_says_by_how_much(
    workspace, tiny_utterances: Path
) -> None:
    workspace.environment["EDGEWISE_GATES_MAXIMUM_ECE"] = "1e-9"

    done = workspace.inv("pipeline", "--data", str(tiny_utterances), "--name", "small")

    assert done.returncode == 3, done.stderr
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "ece" in error
    small = workspace.folder / "build" / "small"
    (gate,) = json.loads((small / "evaluation-report" / "report.json").read_bytes())["result"][
        "gates"
    ]
    assert (gate["name"], gate["limit"], gate["passed"]) == ("maximum_ece", 1e-9, False)
    assert not (small / "bundle").exists()
