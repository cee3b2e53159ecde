"""QLoRA's four-bit weights: frozen and packed while an adapter is trained beside them.

Source: Dettmers et al. 2023, "QLoRA" (arXiv 2305.14314): the data type nf4, with its scales
quantised once more. The packing is bitsandbytes's.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from trainer.devices import Precision
from trainer.errors import TrainingError

__all__ = ["four_bit", "prepare_four_bit", "unpack"]

_INSTALL = 'pip install "edgewise[qlora]"'


def four_bit(precision: Precision) -> Any:
    """Make the transformers configuration that loads a model in four bits.

    Args:
        precision: what unpacked weights are multiplied in.

    Raises:
        TrainingError: bitsandbytes is not installed.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise TrainingError(
            f"train.method is qlora, which needs bitsandbytes; run: {_INSTALL}, or set "
            "train.method to lora"
        )
    from transformers import BitsAndBytesConfig

    # On import it advises to install a library of faster kernels, for evaluation alone.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if precision == "bf16" else torch.float32,
    )


def prepare_four_bit(encoder: nn.Module) -> None:
    """Keep packed weights in the one layout that gradients can go through.

    On processors with bf16, bitsandbytes packs them once more when they are first evaluated,
    for good, and then gives no gradient.
    """
    for _, part in _packed(encoder):
        part.support_avx512bf16_for_cpu = False


def unpack(encoder: nn.Module, *, added: dict[str, Tensor]) -> None:
    """Replace packed layers by plain ones in float32 on the CPU, in place.

    Args:
        encoder: without an adapter.
        added: name of a layer -> what is added to its unpacked weight.
    """
    from bitsandbytes.functional import dequantize_4bit

    for name, part in list(_packed(encoder)):
        weight = dequantize_4bit(part.weight.data, part.weight.quant_state).float().cpu()
        if name in added:
            weight += added[name].float().cpu()
        plain = nn.Linear(part.in_features, part.out_features, bias=part.bias is not None)
        with torch.no_grad():
            plain.weight.copy_(weight)
            if part.bias is not None:
                plain.bias.copy_(part.bias.float().cpu())
        encoder.set_submodule(name, plain)


def _packed(encoder: nn.Module) -> Iterator[tuple[str, Any]]:
    from bitsandbytes.nn.modules import Linear4bit

    for name, part in encoder.named_modules():
        if isinstance(part, Linear4bit):
            yield name, part
