"""Where and in which numbers a training computes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Literal

import torch

from trainer.errors import TrainingError

__all__ = [
    "choose_device",
    "choose_precision",
    "is_out_of_memory",
    "make_deterministic",
    "native_precisions",
    "translating_memory_errors",
]

Precision = Literal["fp32", "bf16"]

# torch's allocator has an error of its own; CUDA and its libraries say it in words.
_OUT_OF_MEMORY_WORDS = (
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUSOLVER_STATUS_ALLOC_FAILED",
    "CUSPARSE_STATUS_ALLOC_FAILED",
)


def choose_device(wanted: str) -> torch.device:
    """Turn ``auto``, ``cpu`` or ``cuda`` into a device.

    Raises:
        TrainingError: CUDA was asked for and there is none.
    """
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise TrainingError(
            "train.device is cuda, but torch sees no NVIDIA GPU; set train.device to auto"
        )
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


def choose_precision(wanted: str, device: torch.device) -> Precision:
    """Turn ``auto``, ``fp32`` or ``bf16`` into what matrix products are computed in.

    ``auto`` takes bf16 where the processor multiplies it natively: elsewhere it is emulated,
    and slower than fp32. Weights and their updates stay in fp32 either way.

    Raises:
        TrainingError: bf16 was asked for on a GPU that lacks it.
    """
    native = native_precisions(device)
    if device.type == "cuda" and wanted == "bf16" and "bf16" not in native:
        raise TrainingError(
            "train.precision is bf16, but this GPU has no bf16; set train.precision to auto"
        )
    if wanted == "auto":
        return native[-1]
    return "bf16" if wanted == "bf16" else "fp32"


def native_precisions(device: torch.device) -> tuple[Precision, ...]:
    """What a device multiplies without emulation, the fastest last."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # No public question exists for it; torch's own compiler asks these.
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()  # noqa: SLF001
    return ("fp32", "bf16") if native else ("fp32",)


def make_deterministic(seed: int, threads: int) -> None:
    """Seed torch and choose algorithms that give the same bits each time.

    Args:
        seed: any integer from 0.
        threads: processor threads; 0 leaves torch's own choice. Another number of threads
            sums in another order and may give other last bits.
    """
    if threads:
        torch.set_num_threads(threads)
    # cuBLAS reads this once, before its first call (CUDA's rule for reproducible results).
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # As use_deterministic_algorithms does, without loading torch's compiler, which takes seconds.
    torch.set_deterministic_debug_mode("error")
    torch.manual_seed(seed)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Tell whether an error of torch says that a GPU's memory ran out."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        words in str(error) for words in _OUT_OF_MEMORY_WORDS
    )


@contextlib.contextmanager
def translating_memory_errors() -> Iterator[None]:
    """Say what to set lower when a GPU's memory runs out where no batch can be halved.

    Raises:
        TrainingError: it ran out in the block.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            "out of GPU memory outside the batches, which alone can be halved; set train.method "
            "to lora or qlora, train.max_tokens lower, or train.device to cpu"
        ) from error
