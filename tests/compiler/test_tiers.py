"""Bundles of the small students of one teacher."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from invoke.context import Context
from transformers import BertConfig, BertModel

from compiler.commands.compiling import tiers
from compiler.compile import read_compiled
from compiler.config import (
    JudgingSettings,
    LineSettings,
    load_judging_settings,
    load_line_settings,
)
from compiler.tiers import TiersResult, build_tiers
from edge_runtime.artifact import read_artifact
from edge_runtime.bundle import open_bundle
from edge_runtime.errors import ArtifactError, SettingsError
from edge_runtime.settings import load_settings
from trainer.config import DEFAULTS, DistillationSettings, SoupSettings, TrainSettings
from trainer.train import train

ASKED = ("static", "layers-2", "layers-4")


@pytest.fixture(scope="module")
def settings(
    tiny_train_settings: TrainSettings, tmp_path_factory: pytest.TempPathFactory
) -> LineSettings:
    line = load_line_settings(project_folder=tmp_path_factory.mktemp("project"))
    return line._replace(train=tiny_train_settings)


@pytest.fixture(scope="module")
def judging(tmp_path_factory: pytest.TempPathFactory) -> JudgingSettings:
    """Without a gate."""
    return load_judging_settings(project_folder=tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def distillation() -> DistillationSettings:
    return load_settings(
        DistillationSettings,
        "distillation",
        defaults=DEFAULTS,
        environment={},
        flags={"static_width": 32, "scrambled_forms": 1},
    )


@pytest.fixture(scope="module")
def teacher(
    tiny_line: Any,
    tiny_base_model: Path,
    tiny_train_settings: TrainSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A trained model of three layers; not to be changed."""
    folder = tmp_path_factory.mktemp("teacher")
    base = folder / "tiny-bert-3"
    shutil.copytree(tiny_base_model, base)
    configuration = BertConfig.from_pretrained(base)
    configuration.num_hidden_layers = 3
    torch.manual_seed(1)
    BertModel(configuration, add_pooling_layer=False).save_pretrained(base)
    settings = msgspec.structs.replace(tiny_train_settings, base_model=str(base))
    train(tiny_line.dataset, folder / "checkpoint", settings=settings)
    return folder / "checkpoint"


def build(
    tiny_line: Any,
    teacher: Path,
    folder: Path,
    settings: LineSettings,
    judging: JudgingSettings,
    distillation: DistillationSettings,
) -> TiersResult:
    return build_tiers(
        teacher,
        tiny_line.dataset,
        folder,
        tiers=ASKED,
        name="small",
        settings=settings,
        judging=judging,
        distillation=distillation,
    )


@pytest.fixture(scope="module")
def built(
    tiny_line: Any,
    teacher: Path,
    settings: LineSettings,
    judging: JudgingSettings,
    distillation: DistillationSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, TiersResult]:
    """All tiers that a teacher of three layers has, and one that it has not."""
    folder = tmp_path_factory.mktemp("tiers")
    return folder, build(tiny_line, teacher, folder, settings, judging, distillation)


def test_a_student_with_layers_passes_every_gate_and_a_static_one_has_no_gguf(
    built: tuple[Path, TiersResult],
) -> None:
    folder, result = built
    layers, static = result.tiers
    assert (layers.tier, static.tier) == ("layers-2", "static")
    assert layers.refused == ()
    (refused,) = static.refused
    assert refused.name == "q8_0"
    assert "cannot read an encoder without layers" in refused.reasons[0]
    for tier, names in ((layers, ["int8", "q8_0", "fp32"]), (static, ["int8", "fp32"])):
        _, variants = read_compiled(folder / tier.tier / "compiled")
        assert [variant.name for variant in variants] == names
        assert variants[-1].gate.max_logit_difference <= 1e-4
        assert tier.int8_bytes == variants[0].bytes
        assert tier.in_scope_accuracy == variants[0].test.accuracy > 0.8
        assert tier.oos_auroc == variants[0].measures.oos_auroc


def test_each_tier_is_a_bundle_with_a_name_of_its_own(built: tuple[Path, TiersResult]) -> None:
    folder, result = built
    for tier in result.tiers:
        bundle = open_bundle(folder / tier.tier / "bundle")
        assert bundle.manifest.name == f"small-{tier.tier}"
        assert tier.variant == bundle.manifest.variants[0].name
        assert tier.bundle_bytes == sum(path.stat().st_size for path in bundle.path.iterdir())
        assert tier.p50_ms > 0
    layers, static = result.tiers
    assert static.parameters < layers.parameters
    assert static.bundle_bytes < layers.bundle_bytes


def test_a_tier_that_the_teacher_cannot_have_stops_no_other(
    built: tuple[Path, TiersResult],
) -> None:
    (failed,) = built[1].failed
    assert (failed.tier, failed.exit_code, built[1].exit_code) == ("layers-4", 1, 1)
    assert "needs a teacher with more layers; this one has 3" in failed.error


def test_tiers_that_are_up_to_date_are_not_made_again(
    tiny_line: Any,
    teacher: Path,
    settings: LineSettings,
    judging: JudgingSettings,
    distillation: DistillationSettings,
    built: tuple[Path, TiersResult],
) -> None:
    folder, first = built
    again = build(tiny_line, teacher, folder, settings, judging, distillation)
    assert [tier.skipped for tier in first.tiers] == [False, False]
    assert again.tiers == tuple(msgspec.structs.replace(tier, skipped=True) for tier in first.tiers)


def test_a_tier_that_misses_a_gate_is_refused_before_it_is_compiled(
    tiny_line: Any,
    teacher: Path,
    settings: LineSettings,
    judging: JudgingSettings,
    distillation: DistillationSettings,
    built: tuple[Path, TiersResult],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "tiers"
    shutil.copytree(built[0], folder)
    for tier in ("layers-2", "static"):
        shutil.rmtree(folder / tier / "compiled")
    # No intent has so many utterances, so nobody can tell whether the gate is reached.
    gates = msgspec.structs.replace(
        judging.gates, minimum_worst_recall=0.1, worst_recall_support=100_000
    )
    strict = judging._replace(gates=gates)
    result = build(tiny_line, teacher, folder, settings, strict, distillation)
    assert result.tiers == ()
    refused = result.failed[1:]
    assert [(one.tier, one.exit_code) for one in refused] == [("layers-2", 3), ("static", 3)]
    for one in refused:
        assert "minimum_worst_recall cannot be judged" in one.error
        assert (folder / one.tier / "evaluation-report" / "report.html").is_file()
        assert not (folder / one.tier / "compiled").exists()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose trainings are quick; the current directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edgewise.toml").write_text(
        "[train]\nminimum_steps = 60\nthreads = 1\ndevice = 'cpu'\n[track]\nenabled = false\n"
        "[distillation]\nstatic_width = 32\nscrambled_forms = 1\n"
    )
    return tmp_path


def run_task(line: Any, teacher: Path, *, json: bool = False) -> None:
    tiers(
        Context(),
        teacher=str(teacher),
        dataset=str(line.dataset),
        folder="tiers",
        tiers="static, layers-2",
        json=json,
    )


def test_a_gate_that_refuses_a_tier_ends_the_task_with_3_after_the_others(
    tiny_line: Any, teacher: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = (project / "edgewise.toml").read_text()
    strict = f"{settings}[compile]\nmaximum_logit_difference_fp32 = 1e-12\n"
    (project / "edgewise.toml").write_text(strict)
    with pytest.raises(SystemExit) as exit_:
        run_task(tiny_line, teacher, json=True)
    captured = capsys.readouterr()
    assert exit_.value.code == 3
    assert [one["tier"] for one in json.loads(captured.out)["failed"]] == ["layers-2", "static"]
    errors = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert errors[0].startswith("error: layers-2: variant fp32 is refused: ")
    assert errors[1].startswith("error: static: variant fp32 is refused: ")

    trained = (project / "tiers" / "static" / "checkpoint" / "checkpoint.json").stat()
    (project / "edgewise.toml").write_text(settings)
    run_task(tiny_line, teacher)
    table = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in table if line.startswith("│")] == ["layers-2", "static"]
    assert table[-1].startswith("static has no q8_0: llama.cpp cannot read an encoder without")
    assert (project / "tiers" / "static" / "checkpoint" / "checkpoint.json").stat() == trained


@pytest.mark.parametrize(
    ("asked", "said"),
    [(("layers-2", "layers-9"), "no tier 'layers-9'; take some of layers-4,"), ((), "no tier ''")],
)
def test_an_unknown_tier_is_refused_before_any_work(
    tiny_line: Any,
    settings: LineSettings,
    judging: JudgingSettings,
    distillation: DistillationSettings,
    tmp_path: Path,
    asked: tuple[str, ...],
    said: str,
) -> None:
    with pytest.raises(SettingsError, match=said):
        build_tiers(
            tiny_line.checkpoint,
            tiny_line.dataset,
            tmp_path,
            tiers=asked,
            name="small",
            settings=settings,
            judging=judging,
            distillation=distillation,
        )
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_no_model_can_have_is_refused_before_any_work(
    tiny_line: Any,
    settings: LineSettings,
    judging: JudgingSettings,
    distillation: DistillationSettings,
    tmp_path: Path,
) -> None:
    with pytest.raises(SettingsError, match="the model's name cannot be 'My Lamps-static': take"):
        build_tiers(
            tiny_line.checkpoint,
            tiny_line.dataset,
            tmp_path,
            tiers=["static"],
            name="My Lamps",
            settings=settings,
            judging=judging,
            distillation=distillation,
        )
    assert list(tmp_path.iterdir()) == []


def test_a_missing_teacher_is_one_error_and_not_one_a_tier(
    tiny_line: Any,
    settings: LineSettings,
    judging: JudgingSettings,
    distillation: DistillationSettings,
    tmp_path: Path,
) -> None:
    with pytest.raises(ArtifactError, match="no checkpoint at"):
        build(tiny_line, tmp_path / "nowhere", tmp_path / "tiers", settings, judging, distillation)


def test_tiers_may_each_be_the_mean_of_several_trainings(
    teacher: Path,
    tiny_line,
    settings: LineSettings,
    judging: JudgingSettings,
    distillation: DistillationSettings,
    tmp_path: Path,
) -> None:
    (tier,) = build_tiers(
        teacher,
        tiny_line.dataset,
        tmp_path,
        tiers=["static"],
        name="lamps",
        settings=settings._replace(soup=SoupSettings(trainings=2)),
        judging=judging,
        distillation=distillation,
    ).tiers
    document = read_artifact(tmp_path / "static" / "checkpoint", "checkpoint").document
    assert len(document.result["trainings"]) == 2
    # What is compiled and bundled is the mean.
    provenance = open_bundle(Path(tier.folder) / "bundle").manifest.provenance
    assert provenance["train_settings"]["soup"] == {"trainings": 2}
