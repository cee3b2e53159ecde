"""Where and in which numbers a training computes."""

from __future__ import annotations

import pytest
import torch

from trainer.devices import (
    choose_device,
    choose_precision,
    is_out_of_memory,
    translating_memory_errors,
)
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


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_memory_that_runs_out_is_known_whoever_says_it(error: RuntimeError) -> None:
    assert is_out_of_memory(error)
    with pytest.raises(TrainingError, match="out of GPU memory"), translating_memory_errors():
        raise error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
    ],
)
def test_another_error_is_passed_on(error: RuntimeError) -> None:
    assert not is_out_of_memory(error)
    with pytest.raises(RuntimeError) as caught, translating_memory_errors():
        raise error
    assert caught.value is error
