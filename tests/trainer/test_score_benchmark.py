"""The comparison of out-of-scope scores."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from invoke.context import Context

from edge_runtime.artifact import produce_artifact
from edge_runtime.errors import SettingsError
from edge_runtime.scoring import SCORES
from trainer.benchmark_record import read_record
from trainer.checkpoint import read_checkpoint
from trainer.commands.benchmarks import scores
from trainer.config import CalibrationSettings
from trainer.dataset import read_dataset, write_dataset
from trainer.evaluate import evaluate, read_evaluation
from trainer.score_benchmark import ScoreBenchmark, benchmark_scores


def compare(line, **changed: int) -> ScoreBenchmark:
    settings = {"resamples": 100, "seed": 1} | changed
    return benchmark_scores(line.checkpoint, line.dataset, line.evaluation, **settings)


def test_every_score_and_pair_is_compared_once_with_the_default(tiny_line) -> None:
    found = compare(tiny_line)
    names = [frozenset(one.parts) for one in found.scores]
    assert len(names) == len(set(names))
    assert {frozenset([one, other]) for one in SCORES for other in SCORES} <= set(names)
    assert frozenset({*found.default, "lexical-margin"}) in names
    assert [one.auroc for one in found.scores] == sorted(
        (one.auroc for one in found.scores), reverse=True
    )
    assert (found.in_scope, found.out_of_scope) == (30, 6)


def test_the_default_gains_nothing_over_itself_and_scores_what_the_evaluation_says(
    tiny_line,
) -> None:
    found = compare(tiny_line)
    own = next(one for one in found.scores if one.parts == found.default)
    assert (own.auroc_gain, own.auroc_gain_interval.low, own.auroc_gain_interval.high) == (0, 0, 0)
    measured = read_evaluation(tiny_line.evaluation).artifact.document.result["validation"]
    assert own.auroc == pytest.approx(measured["oos_auroc"], abs=1e-6)
    assert own.fpr95 == pytest.approx(measured["oos_fpr95"], abs=1e-6)


def test_bytes_are_those_of_the_arrays_that_are_needed(tiny_line) -> None:
    head = read_checkpoint(tiny_line.checkpoint).scoring_head()
    found = compare(tiny_line)
    sizes = {one.parts: one.bytes for one in found.scores}
    assert sizes["max-logit",] == sizes["energy",] == 0
    assert head.neighbours is not None
    assert head.prototypes is not None
    assert head.whitening is not None
    assert head.whitened_means is not None
    # float16 for neighbours and prototypes; an entry of a zip file besides.
    neighbours, distance = head.neighbours.nbytes / 2, head.whitening.nbytes
    assert sizes["nearest-prototype",] == pytest.approx(head.prototypes.nbytes / 2, abs=600)
    assert sizes["nearest-neighbour",] == pytest.approx(neighbours, abs=600)
    # These are in every bundle, because added intents need them.
    assert sizes["max-logit", "mahalanobis"] == 0
    assert found.addition_bytes == pytest.approx(distance + head.whitened_means.nbytes, abs=800)


def test_the_result_is_repeatable(tiny_line) -> None:
    assert compare(tiny_line) == compare(tiny_line)
    assert compare(tiny_line) != compare(tiny_line, seed=2)


def test_the_task_writes_what_it_prints(
    tiny_line, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores(
        Context(),
        checkpoint=str(tiny_line.checkpoint),
        dataset=str(tiny_line.dataset),
        evaluation=str(tiny_line.evaluation),
        resamples=100,
        output=str(tmp_path / "scores.json"),
        json=True,
    )
    record = read_record(tmp_path / "scores.json")
    assert record.result == json.loads(capsys.readouterr().out)
    assert record.command == (
        "./inv bench.scores --checkpoint checkpoint --dataset dataset --evaluation evaluation "
        "--resamples 100 --seed 1"
    )


def test_too_few_resamples_are_refused(tiny_line) -> None:
    with pytest.raises(SettingsError, match="--resamples is 99; at least 100 are needed"):
        compare(tiny_line, resamples=99)


def test_validation_without_out_of_scope_texts_compares_nothing(
    tiny_line, calibration_settings: CalibrationSettings, tmp_path: Path
) -> None:
    dataset = read_dataset(tiny_line.dataset)
    folder = tmp_path / "dataset"
    inside = msgspec.structs.replace(dataset, validation=dataset.validation.in_scope())
    produce_artifact(
        folder,
        kind="dataset",
        revision=1,
        settings={},
        parents={},
        make=lambda partial: write_dataset(inside, partial) or {},
    )
    evaluate(tiny_line.checkpoint, folder, tmp_path / "evaluation", settings=calibration_settings)
    with pytest.raises(SettingsError, match="has no out-of-scope utterance"):
        benchmark_scores(
            tiny_line.checkpoint, folder, tmp_path / "evaluation", resamples=100, seed=1
        )
