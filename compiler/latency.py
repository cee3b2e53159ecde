"""The time of one answer, for each variant of a bundle, on this machine.

It lives beside the bundle and not in it: times differ from run to run, and a bundle built
twice from the same inputs has to have the same bytes.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.artifact import Artifact, produce_artifact
from edge_runtime.benchmark import measure
from edge_runtime.bundle import Bundle
from edge_runtime.classifier import IntentClassifier
from edge_runtime.console import Progress, no_progress

__all__ = ["measure_latency"]

KIND = "latency"
REVISION = 1
REPEATS = 20


def measure_latency(
    bundle: Bundle, folder: Path, *, repeats: int = REPEATS, progress: Progress = no_progress
) -> Artifact:
    """Measure every variant with one thread at batch size 1.

    The document's result maps a variant's name to its ``edge_runtime.benchmark.LatencyReport``.

    Args:
        bundle: a verified bundle.
        folder: the folder to write; skipped when this bundle was measured here before.
        repeats: timed rounds over the golden samples.
        progress: told each variant.

    Raises:
        SessionError: an engine refuses a model.
    """
    variants = bundle.manifest.variants

    def make(_partial: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for number, variant in enumerate(variants, start=1):
            with IntentClassifier.open(bundle.path, variant=variant.name) as classifier:
                report = measure(classifier, repeats=repeats)
            result[variant.name] = msgspec.to_builtins(report)
            progress("latency", number, len(variants), f"{variant.name} {report.p50_ms:.2f} ms")
        return result

    return produce_artifact(
        folder,
        kind=KIND,
        revision=REVISION,
        settings={"repeats": repeats, "machine": platform.node()},
        parents={"bundle": bundle.manifest.digest},
        make=make,
    )
