"""Where and in which numbers a training computes."""

from __future__ import annotations

import pytest
import torch

from trainer.devices import choose_device, choose_precision
from trainer.errors import TrainingError

CPU = torch.device("cpu")


def test_cuda_without_a_gpu_is_refused_and_auto_is_not() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has an NVIDIA GPU")
    assert choose_device("auto") == choose_device("cpu") == CPU
    with pytest.raises(TrainingError, match=r"set train\.device to auto"):
        choose_device("cuda")


@pytest.mark.parametrize("wanted", ["fp32", "bf16"])
def test_a_precision_that_is_asked_for_is_taken(wanted: str) -> None:
    assert choose_precision(wanted, CPU) == wanted


def test_auto_takes_what_this_processor_multiplies() -> None:
    flags = torch.cpu.get_capabilities()
    native = bool(flags.get("avx512_bf16") or flags.get("amx_tile"))
    assert choose_precision("auto", CPU) == ("bf16" if native else "fp32")
