"""The stage that writes the report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_runtime.artifact import Artifact
from edge_runtime.errors import ArtifactError, QualityGateError
from trainer.checkpoint import read_checkpoint
from trainer.config import CalibrationSettings, DataSettings, GateSettings, ReportSettings
from trainer.dataset import build_dataset, read_dataset, write_dataset
from trainer.evaluate import evaluate, read_evaluation
from trainer.noise import NOISES
from trainer.report import PAGE, Report, make_report, read_report, refuse
from trainer.report.figures import gather_figures
from trainer.report.page import render_page


@pytest.fixture
def make(
    tiny_line: Any, report_settings: ReportSettings, gate_settings: GateSettings, tmp_path: Path
) -> Any:
    def make_it(
        folder: Path = tmp_path / "report",
        *,
        settings: ReportSettings = report_settings,
        gates: GateSettings = gate_settings,
        **more: Any,
    ) -> Artifact:
        return make_report(
            tiny_line.checkpoint,
            tiny_line.dataset,
            tiny_line.evaluation,
            folder,
            settings=settings,
            gates=gates,
            **more,
        )

    return make_it


def test_the_measures_are_those_of_the_evaluation(tiny_line: Any, tiny_report: Report) -> None:
    evaluation = read_evaluation(tiny_line.evaluation)
    expected = evaluation.artifact.document.result["test"]
    assert msgspec.to_builtins(tiny_report.measures) == expected
    assert tiny_report.calibration == evaluation.calibration
    assert tiny_report.basis.threshold == "default"
    assert (tiny_report.in_scope, tiny_report.out_of_scope) == (30, 6)


def test_every_part_speaks_of_the_same_utterances(tiny_report: Report) -> None:
    assert sum(row.support for row in tiny_report.intents) == 30
    assert sum(one.utterances for one in tiny_report.lengths) == 30
    assert sum(one.utterances for one in tiny_report.reliability.bins) == 30
    assert [row.name for row in tiny_report.noise] == ["none", *(noise.name for noise in NOISES)]
    assert tiny_report.noise[0].accuracy == tiny_report.measures.in_scope_accuracy
    assert tiny_report.noise[0].fall == 0
    assert tiny_report.reliability.ece == pytest.approx(tiny_report.measures.ece, abs=1e-6)
    rejected = sum(row.rejected for row in tiny_report.intents)
    assert rejected / 30 == pytest.approx(tiny_report.measures.in_scope_rejected)
    assert sum(pair.count for pair in tiny_report.rejections) == rejected
    for name, interval in tiny_report.intervals.items():
        assert interval.low <= getattr(tiny_report.measures, name) <= interval.high


def test_the_document_names_its_parents_and_settings(
    tiny_line: Any, tiny_report_folder: Path, tiny_report: Report
) -> None:
    document = json.loads((tiny_report_folder / "report.json").read_text())
    digests = (tiny_report.provenance.checkpoint, tiny_report.provenance.dataset)
    assert (document["parents"]["checkpoint"], document["parents"]["dataset"]) == digests
    assert digests[1] == read_dataset(tiny_line.dataset).digest
    assert set(document["settings"]) == {"report", "gates"}
    assert set(document["files"]) == {PAGE}
    assert (tiny_report_folder / PAGE).read_text() == render_page(tiny_report)


def test_the_same_inputs_are_skipped_and_give_the_same_bytes(
    make: Any, tiny_report_folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_report_folder, copy)
    assert make(copy).skipped
    assert not make(tmp_path / "again").skipped
    for name in ("report.json", PAGE):
        assert (tmp_path / "again" / name).read_bytes() == (copy / name).read_bytes()


def test_the_validation_split_can_be_described_instead(
    make: Any, tiny_line: Any, report_settings: ReportSettings, tmp_path: Path
) -> None:
    changed = msgspec.structs.replace(report_settings, split="validation", noisy_utterances=0)
    make(settings=changed)
    found = read_report(tmp_path / "report")
    result = read_evaluation(tiny_line.evaluation).artifact.document.result
    assert msgspec.to_builtins(found.measures) == result["validation"]
    assert (found.split, found.noise) == ("validation", ())


def test_fewer_utterances_can_be_spoiled(
    make: Any, report_settings: ReportSettings, tmp_path: Path
) -> None:
    make(settings=msgspec.structs.replace(report_settings, noisy_utterances=7))
    assert {row.utterances for row in read_report(tmp_path / "report").noise} == {7}


def test_a_missed_gate_stands_in_the_report_and_is_refused_afterwards(
    make: Any, gate_settings: GateSettings, tmp_path: Path
) -> None:
    make(
        gates=msgspec.structs.replace(
            gate_settings, minimum_macro_f1=0.5, maximum_typo_fall=0.0, minimum_worst_recall=0.1
        )
    )
    found = read_report(tmp_path / "report")
    assert [(gate.name, gate.passed) for gate in found.gates] == [
        ("minimum_macro_f1", True),
        # No intent of the tiny test has the ten utterances that its recall is judged by.
        ("minimum_worst_recall", False),
        ("maximum_typo_fall", False),
    ]
    assert "2 of 3 gates missed" in (tmp_path / "report" / PAGE).read_text()
    with pytest.raises(QualityGateError, match="2 of 3 quality gates missed"):
        refuse(found, where="report.html")


def test_a_noise_that_was_left_out_cannot_pass_a_gate(
    make: Any, report_settings: ReportSettings, gate_settings: GateSettings, tmp_path: Path
) -> None:
    make(
        settings=msgspec.structs.replace(report_settings, noisy_utterances=0),
        gates=msgspec.structs.replace(gate_settings, maximum_recogniser_fall=1.0),
    )
    (gate,) = read_report(tmp_path / "report").gates
    assert (gate.found, gate.passed) == (None, False)


def test_a_champion_is_compared_and_is_an_input(
    make: Any, tiny_line: Any, tiny_bundle: Path, tmp_path: Path
) -> None:
    assert not make().skipped
    assert not make(champion_folder=tiny_line.checkpoint).skipped
    assert make(champion_folder=tiny_line.checkpoint).skipped
    found = read_report(tmp_path / "report")
    assert found.comparison is not None
    assert (found.comparison.in_scope.gained, found.comparison.in_scope.lost) == (0, 0)
    assert found.comparison.same_dataset is True
    refuse(found, where="report.html")
    make(champion_folder=tiny_bundle)
    other = read_report(tmp_path / "report").comparison
    assert other is not None
    assert other.kind == "bundle"
    assert other.name.startswith("tiny 1.0.0, ")
    assert other.only_challenger


def test_a_dataset_without_out_of_scope_texts_has_a_report_without_their_parts(
    tiny_line: Any,
    report_settings: ReportSettings,
    gate_settings: GateSettings,
    calibration_settings: CalibrationSettings,
    tmp_path: Path,
) -> None:
    dataset = tmp_path / "dataset"
    shutil.copytree(tiny_line.dataset, dataset)
    whole = read_dataset(dataset)
    in_scope = msgspec.structs.replace(
        whole, validation=whole.validation.in_scope(), test=whole.test.in_scope()
    )
    write_dataset(in_scope, dataset)
    document = json.loads((dataset / "dataset.json").read_text())
    from edge_runtime.storage import canonical_json, file_entries

    document["files"] = msgspec.to_builtins(
        file_entries(dataset, leave_out=frozenset({"dataset.json"}))
    )
    (dataset / "dataset.json").write_bytes(canonical_json(document))
    evaluation = tmp_path / "evaluation"
    evaluate(tiny_line.checkpoint, dataset, evaluation, settings=calibration_settings)
    make_report(
        tiny_line.checkpoint,
        dataset,
        evaluation,
        tmp_path / "report",
        settings=report_settings,
        gates=gate_settings,
    )
    found = read_report(tmp_path / "report")
    assert (found.out_of_scope, found.roc, found.risk_coverage_overall) == (0, None, None)
    assert found.acceptances == ()
    assert set(found.intervals) == {
        "in_scope_accuracy", "macro_f1", "in_scope_rejected", "overall_accuracy",
    }  # fmt: skip
    page = (tmp_path / "report" / PAGE).read_text()
    assert "ROC curve" not in page
    assert "Out of scope, but answered" not in page


def test_a_missing_evaluation_is_refused(
    tiny_line: Any, report_settings: ReportSettings, gate_settings: GateSettings, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match="no evaluation at"):
        make_report(
            tiny_line.checkpoint,
            tiny_line.dataset,
            tmp_path / "nowhere",
            tmp_path / "report",
            settings=report_settings,
            gates=gate_settings,
        )
    assert not (tmp_path / "report").exists()


def test_the_evaluation_of_another_dataset_is_refused(
    tiny_line: Any,
    report_settings: ReportSettings,
    gate_settings: GateSettings,
    made_of_another: Callable[[Path, str], Path],
    tmp_path: Path,
) -> None:
    with pytest.raises(ArtifactError, match=r"belongs to another dataset .* run eval again"):
        make_report(
            tiny_line.checkpoint,
            tiny_line.dataset,
            made_of_another(tiny_line.evaluation, "dataset"),
            tmp_path / "report",
            settings=report_settings,
            gates=gate_settings,
        )
    assert not (tmp_path / "report").exists()


def test_lengths_are_counted_before_the_cut(
    tiny_line: Any,
    tiny_report: Report,
    report_settings: ReportSettings,
    gate_settings: GateSettings,
) -> None:
    checkpoint = read_checkpoint(tiny_line.checkpoint)
    text = msgspec.structs.replace(checkpoint.text, max_tokens=4)
    found = gather_figures(
        msgspec.structs.replace(checkpoint, text=text),
        read_dataset(tiny_line.dataset),
        read_evaluation(tiny_line.evaluation),
        None,
        msgspec.structs.replace(report_settings, noisy_utterances=0),
        gate_settings,
    )
    assert found.lengths == tiny_report.lengths
    assert (found.max_tokens, tiny_report.cut) == (4, 0)
    assert found.cut == sum(one.utterances for one in found.lengths if one.low > 4) > 0


def test_a_gate_on_noise_that_is_switched_off_says_what_to_set(
    make: Any,
    report_settings: ReportSettings,
    gate_settings: GateSettings,
    tmp_path: Path,
) -> None:
    make(
        tmp_path / "report",
        settings=msgspec.structs.replace(report_settings, noisy_utterances=0),
        gates=msgspec.structs.replace(gate_settings, maximum_typo_fall=0.5),
    )
    report = read_report(tmp_path / "report")
    with pytest.raises(QualityGateError, match="noise is switched off; set report.noisy_utt"):
        refuse(report, where="here")
    assert "noise is switched off" in (tmp_path / "report" / PAGE).read_text()


def test_without_a_test_the_validation_is_described_and_without_both_one_line_says_so(
    tiny_line: Any,
    tiny_utterances: Path,
    data_settings: DataSettings,
    calibration_settings: CalibrationSettings,
    report_settings: ReportSettings,
    gate_settings: GateSettings,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = tiny_utterances.read_text().splitlines()
    nothing_more = msgspec.structs.replace(data_settings, test_share=0.0, validation_share=0.0)

    def report_without(*splits: str) -> Report:
        folder = tmp_path / "-".join(splits)
        kept = [row for row in rows if not row.endswith(tuple(f",{split}" for split in splits))]
        source = tmp_path / f"{folder.name}.csv"
        source.write_text("\n".join(kept))
        build_dataset(str(source), folder / "dataset", settings=nothing_more)
        evaluate(
            tiny_line.checkpoint,
            folder / "dataset",
            folder / "evaluation",
            settings=calibration_settings,
        )
        caplog.clear()
        make_report(
            tiny_line.checkpoint,
            folder / "dataset",
            folder / "evaluation",
            folder / "report",
            settings=report_settings,
            gates=gate_settings,
        )
        return read_report(folder / "report")

    assert report_without("test").split == "validation"
    assert caplog.messages == [
        "the dataset has no test with intents; the report describes the validation"
    ]
    with pytest.raises(ArtifactError, match="holds out no utterance with an intent"):
        report_without("test", "validation")
