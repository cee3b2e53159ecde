"""Students that learn from a trained model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from compiler.compile import compile_checkpoint, read_compiled
from compiler.config import DEFAULTS as COMPILER_DEFAULTS
from compiler.config import CompileSettings
from edge_runtime.artifact import Artifact
from edge_runtime.settings import load_settings
from trainer.checkpoint import load_model, read_checkpoint
from trainer.config import (
    DEFAULTS,
    CalibrationSettings,
    DistillationSettings,
    SoupSettings,
    TrainSettings,
)
from trainer.dataset import read_dataset
from trainer.errors import TrainingError
from trainer.evaluate import evaluate
from trainer.examples import examples_of, open_tokenizer
from trainer.processes import Processes
from trainer.soup import train_soup
from trainer.teaching import Teaching
from trainer.train import train


@pytest.fixture
def distillation() -> DistillationSettings:
    """The defaults of section ``[distillation]``, for a small static student."""
    return load_settings(
        DistillationSettings,
        "distillation",
        defaults=DEFAULTS,
        environment={},
        flags={"tier": "static", "static_width": 32},
    )


@pytest.fixture
def teacher(tiny_line, distillation: DistillationSettings, tmp_path: Path) -> Teaching:
    """The tiny checkpoint where nothing lies beside it yet."""
    (tmp_path / "teacher").symlink_to(tiny_line.checkpoint)
    return Teaching(checkpoint=read_checkpoint(tmp_path / "teacher"), settings=distillation)


def test_a_static_student_is_smaller_and_answers_like_its_teacher(
    tiny_line,
    teacher: Teaching,
    tiny_train_settings: TrainSettings,
    calibration_settings: CalibrationSettings,
    tmp_path: Path,
) -> None:
    made = train(
        tiny_line.dataset, tmp_path / "student", settings=tiny_train_settings, teaching=teacher
    )
    judged = evaluate(
        tmp_path / "student", tiny_line.dataset, tmp_path / "judged", settings=calibration_settings
    )
    assert (
        made.document.result["parameters"]
        < teacher.checkpoint.artifact.document.result["parameters"]
    )
    assert judged.document.result["test"]["in_scope_accuracy"] > 0.9
    assert made.document.parents == {
        "dataset": read_dataset(tiny_line.dataset).digest,
        "teacher": teacher.checkpoint.artifact.digest,
    }


def test_a_student_has_the_teachers_provenance_and_texts(
    tiny_line, teacher: Teaching, tiny_train_settings: TrainSettings, tmp_path: Path
) -> None:
    settings = msgspec.structs.replace(
        tiny_train_settings, base_model="nowhere", max_tokens=5, method="lora", minimum_steps=3
    )
    train(tiny_line.dataset, tmp_path / "student", settings=settings, teaching=teacher)
    student = read_checkpoint(tmp_path / "student")
    assert student.base_model == teacher.checkpoint.base_model
    assert student.text == teacher.checkpoint.text
    assert student.tokenizer.read_bytes() == teacher.checkpoint.tokenizer.read_bytes()
    assert not (tmp_path / "student" / "adapter").exists()


def test_what_the_teacher_says_is_computed_once_for_all_students(
    tiny_line,
    teacher: Teaching,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
) -> None:
    settings = msgspec.structs.replace(tiny_train_settings, minimum_steps=3)
    kept = tmp_path / "teacher.logits" / "logits-0.npy"
    seen = []
    for width in (16, 8):
        other = msgspec.structs.replace(teacher.settings, static_width=width)
        train(
            tiny_line.dataset,
            tmp_path / f"student-{width}",
            settings=settings,
            teaching=teacher._replace(settings=other),
        )
        seen.append(kept.stat().st_ino)
    assert seen[0] == seen[1]
    assert sorted(path.name for path in kept.parent.glob("*.npy")) == [
        f"logits-{number}.npy" for number in range(1 + teacher.settings.scrambled_forms)
    ]
    model = load_model(teacher.checkpoint)
    assert np.load(kept).shape == (120, model.head.out_features)


def test_other_machines_are_told_what_the_teacher_says(
    tiny_line, teacher: Teaching, tmp_path: Path
) -> None:
    class Telling(Processes):
        """The main process; or another one, that hears what the main one said."""

        told: Any = None

        def hear(self, word: Any = None) -> Any:
            if self.is_main:
                Telling.told = word
            return Telling.told

    dataset = read_dataset(tiny_line.dataset)
    tokenizer = open_tokenizer(
        teacher.checkpoint.base, max_tokens=teacher.checkpoint.text.max_tokens
    )
    training = examples_of(dataset.train, dataset.labels, tokenizer)
    lessons = []
    for index in (0, 1):
        processes = Telling(torch.device("cpu"), index=index)
        lessons.append(teacher.ask(training, tokenizer, inputs={}, processes=processes))
        # Another machine has no such folder.
        shutil.rmtree(tmp_path / "teacher.logits", ignore_errors=True)
    here, there = lessons
    assert torch.equal(here.logits, there.logits)
    assert len(here.forms) == teacher.settings.scrambled_forms
    for own, other in zip(here.forms, there.forms, strict=True):
        assert own.token_ids == other.token_ids
        assert torch.equal(own.logits, other.logits)


def test_other_answers_of_the_teacher_train_again(
    tiny_line, teacher: Teaching, tiny_train_settings: TrainSettings, tmp_path: Path
) -> None:
    settings = msgspec.structs.replace(tiny_train_settings, minimum_steps=3)
    softer = msgspec.structs.replace(teacher.settings, temperature=4.0)
    folder = tmp_path / "student"
    train(tiny_line.dataset, folder, settings=settings, teaching=teacher)
    assert train(tiny_line.dataset, folder, settings=settings, teaching=teacher).skipped
    again = teacher._replace(settings=softer)
    assert not train(tiny_line.dataset, folder, settings=settings, teaching=again).skipped


def test_a_teacher_of_other_intents_is_refused(
    tiny_line, teacher: Teaching, tiny_train_settings: TrainSettings, tmp_path: Path
) -> None:
    checkpoint = msgspec.structs.replace(
        teacher.checkpoint, labels=(*teacher.checkpoint.labels[1:], "window_open")
    )
    with pytest.raises(TrainingError, match=r"'door_lock' is in one alone \(2 such\)"):
        train(
            tiny_line.dataset,
            tmp_path / "student",
            settings=tiny_train_settings,
            teaching=teacher._replace(checkpoint=checkpoint),
        )
    assert not (tmp_path / "student").exists()


def test_a_static_student_compiles_to_variants_that_answer_alike(
    tiny_line,
    teacher: Teaching,
    tiny_train_settings: TrainSettings,
    calibration_settings: CalibrationSettings,
    tmp_path: Path,
) -> None:
    train(tiny_line.dataset, tmp_path / "student", settings=tiny_train_settings, teaching=teacher)
    evaluate(
        tmp_path / "student", tiny_line.dataset, tmp_path / "judged", settings=calibration_settings
    )
    compile_checkpoint(
        tmp_path / "student",
        tiny_line.dataset,
        tmp_path / "judged",
        tmp_path / "compiled",
        settings=load_settings(
            CompileSettings, "compile", defaults=COMPILER_DEFAULTS, environment={}
        ),
    )
    document, variants = read_compiled(tmp_path / "compiled")
    refused = {one["name"]: one["reasons"] for one in document.document.result["refused"]}
    assert {one.name for one in variants} == {"int8", "fp32"}
    assert "encoder without layers" in refused["q8_0"][0]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("other/../teacher", "would replace its teacher "),
        # Not even by the answers: they are asked for while the student's place is held.
        ("teacher.logits", "would replace its teacher's answers in "),
    ],
)
def test_a_student_does_not_replace_its_teacher(
    tiny_line,
    teacher: Teaching,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
    place: str,
    said: str,
) -> None:
    before = (tmp_path / "teacher" / "checkpoint.json").read_bytes()
    with pytest.raises(TrainingError, match=said):
        train(tiny_line.dataset, tmp_path / place, settings=tiny_train_settings, teaching=teacher)
    assert (tmp_path / "teacher" / "checkpoint.json").read_bytes() == before


def test_none_of_several_students_replaces_its_teacher(
    tiny_line, teacher: Teaching, tiny_train_settings: TrainSettings, tmp_path: Path
) -> None:
    second = tmp_path / "student.trainings" / "2"
    shutil.copytree(tmp_path / "teacher", second)
    asked: list[Path] = []

    def train_one(place: Path, settings: TrainSettings) -> Artifact:
        asked.append(place)
        return train(tiny_line.dataset, place, settings=settings, teaching=teacher)

    with pytest.raises(TrainingError, match="would replace its teacher "):
        train_soup(
            train_one,
            tiny_line.dataset,
            tmp_path / "student",
            settings=tiny_train_settings,
            soup=SoupSettings(trainings=2),
            teaching=Teaching(read_checkpoint(second), teacher.settings),
        )
    assert asked == []


def test_answers_that_are_replaced_while_they_are_read_are_not_learnt_from(
    tiny_line, teacher: Teaching, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = read_dataset(tiny_line.dataset)
    tokenizer = open_tokenizer(teacher.checkpoint.base, max_tokens=16)
    training = examples_of(dataset.train, dataset.labels, tokenizer)

    def ask(data: str) -> None:
        teacher.ask(
            training,
            tokenizer,
            inputs={"dataset": data},
            processes=Processes(torch.device("cpu")),
        )

    load = np.load

    def load_late(path: Path, **how: Any) -> Any:
        found = load(path, **how)
        if str(path).endswith("logits-0.npy"):
            monkeypatch.undo()
            ask("another")
        return found

    monkeypatch.setattr(np, "load", load_late)
    with pytest.raises(
        TrainingError, match=r"replaced the teacher's answers .* run this one again"
    ):
        ask("own")
