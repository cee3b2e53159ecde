"""Trainings on a real NVIDIA GPU, where there is one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch

from tests.trainer.stopped_trainings import start_and_kill
from trainer.config import CalibrationSettings, TrainSettings
from trainer.evaluate import evaluate
from trainer.train import train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU here")


@pytest.fixture
def on_gpu(tiny_train_settings: TrainSettings) -> TrainSettings:
    return msgspec.structs.replace(tiny_train_settings, device="cuda")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
def test_every_method_learns_in_both_precisions(
    tiny_line,
    on_gpu: TrainSettings,
    calibration_settings: CalibrationSettings,
    tmp_path: Path,
    method: str,
    precision: str,
) -> None:
    settings = msgspec.structs.replace(on_gpu, method=method, precision=precision)
    train(tiny_line.dataset, tmp_path / "checkpoint", settings=settings)
    # Judged on the processor, as a device would: what was learnt is in the checkpoint.
    judged = evaluate(
        tmp_path / "checkpoint",
        tiny_line.dataset,
        tmp_path / "evaluation",
        settings=calibration_settings,
    )
    assert judged.document.result["test"]["in_scope_accuracy"] > 0.9


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stopped_training_ends_with_the_bytes_of_one_that_was_not(
    tiny_line, on_gpu: TrainSettings, tmp_path: Path, precision: str
) -> None:
    settings = msgspec.structs.replace(on_gpu, precision=precision)
    whole = train(tiny_line.dataset, tmp_path / "whole", settings=settings)
    start_and_kill(tiny_line, tmp_path / "stopped", settings, after=9)
    assert train(tiny_line.dataset, tmp_path / "stopped", settings=settings).digest == whole.digest
