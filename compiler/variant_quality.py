"""What one variant of a checkpoint gives on the test, whether or not its gate lets it through."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from compiler.compile import compile_checkpoint, read_compiled
from compiler.config import CompileSettings
from compiler.parity import refusals
from compiler.variants import VARIANTS
from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import SettingsError
from trainer.config import Tier
from trainer.quality_benchmark import MeasuredVariant, VariantQuality
from trainer.students import LAYERS

__all__ = ["variant_to_measure"]


def variant_to_measure(
    name: str,
    *,
    settings: CompileSettings,
    student: Tier | None = None,
    progress: Progress = no_progress,
) -> MeasuredVariant:
    """Make what ``benchmark_quality`` measures a variant with.

    It compiles that variant alone. A missed gate is told and stops nothing, so that a benchmark
    also says how bad such a variant is. One whose logits are not finite is an error all the same.

    Args:
        name: a key of ``compiler.variants.VARIANTS``.
        settings: how it is compiled, and its gate.
        student: the tier of what is compiled, if it is a student.
        progress: told each utterance that it answers.

    Raises:
        SettingsError: there is no such variant, or such a student has none.
    """
    if name not in VARIANTS:
        raise SettingsError(
            f"there is no variant {name!r}; take one of {', '.join(sorted(VARIANTS))}"
        )
    if student is not None and not LAYERS[student] and VARIANTS[name].format == "gguf":
        raise SettingsError(
            f"a {student} student has no {name}: llama.cpp cannot read an encoder without layers; "
            "take int8 or fp32"
        )
    alone = msgspec.structs.replace(
        settings,
        variants=(name,),
        required=(name,),
        maximum_changed_answers=1.0,
        maximum_accuracy_drop=1.0,
        maximum_logit_difference_fp32=sys.float_info.max,
    )

    def measure(checkpoint: Path, dataset: Path, evaluation: Path, folder: Path) -> VariantQuality:
        compile_checkpoint(
            checkpoint, dataset, evaluation, folder, settings=alone, progress=progress
        )
        _, (compiled,) = read_compiled(folder)
        return VariantQuality(
            measures=compiled.measures,
            bytes=compiled.bytes,
            missed=tuple(refusals(compiled.precision, compiled.gate, settings)),
        )

    own = msgspec.structs.replace(settings, variants=(name,), required=())
    return MeasuredVariant(name=name, settings=msgspec.to_builtins(own), measure=measure)
