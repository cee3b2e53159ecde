"""How fast a loaded model answers on this machine, one text at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from edge_runtime.bundle import read_golden
from edge_runtime.classifier import IntentClassifier
from edge_runtime.errors import BundleError, SettingsError
from edge_runtime.metrics import peak_memory_bytes

__all__ = ["BundleBenchmark", "LatencyReport", "measure", "measure_bundle"]

_WARM_UP_ROUNDS = 2


class LatencyReport(msgspec.Struct, frozen=True):
    """Time from a text to its answer, tokenisation included, at batch size 1."""

    texts: int
    """Distinct texts: the golden samples of the bundle."""
    repeats: int
    """How often each text was answered and timed."""
    p50_ms: float
    """Median, in milliseconds."""
    p95_ms: float
    """95th percentile, in milliseconds."""


class BundleBenchmark(msgspec.Struct, frozen=True):
    """One variant of a bundle, measured in a process of its own."""

    name: str
    """Name of the bundle."""
    version: str
    """Version of the bundle."""
    variant: str
    """The variant that was measured."""
    load_seconds: float
    """Checking every byte, and loading engine, tokenizer and model."""
    peak_memory_mib: float
    """Largest resident memory of the process up to the end, in MiB; 0 where unknown."""
    latency: LatencyReport
    """Time of one answer."""


def measure(classifier: IntentClassifier, *, repeats: int) -> LatencyReport:
    """Answer the golden samples over and over and report the time one answer takes.

    Args:
        classifier: the loaded model.
        repeats: rounds that are timed, at least 1; two more come before, as a warm-up.

    Raises:
        BundleError: the bundle holds no golden sample.
        SettingsError: there is nothing to time.
    """
    if repeats < 1:
        raise SettingsError(f"repeats must be at least 1, not {repeats}", repeats=repeats)
    texts = [sample.text for sample in read_golden(classifier.bundle)]
    if not texts:
        raise BundleError(f"{classifier.bundle.path} holds no golden samples; make it again")
    _time_rounds(classifier, texts, _WARM_UP_ROUNDS)
    milliseconds = _time_rounds(classifier, texts, repeats)
    p50, p95 = np.percentile(milliseconds, [50, 95])
    return LatencyReport(
        texts=len(texts),
        repeats=repeats,
        p50_ms=round(float(p50), 4),
        p95_ms=round(float(p95), 4),
    )


def measure_bundle(
    path: Path, *, variant: str | None = None, threads: int = 1, repeats: int = 20
) -> BundleBenchmark:
    """Load a bundle and measure it.

    Args:
        path: the bundle's folder.
        variant: its name; by default the first that this device can use.
        threads: processor threads for one answer.
        repeats: rounds over the golden samples, at least 1.

    Raises:
        BundleError: the bundle is missing, damaged or without golden samples.
        VariantError: no such variant, or none that can be used here.
        SessionError: the engine refuses the model.
    """
    start = time.perf_counter()
    with IntentClassifier.open(path, variant=variant, threads=threads) as classifier:
        load_seconds = time.perf_counter() - start
        latency = measure(classifier, repeats=repeats)
        return BundleBenchmark(
            name=classifier.manifest.name,
            version=classifier.manifest.version,
            variant=classifier.variant.name,
            load_seconds=round(load_seconds, 3),
            peak_memory_mib=round(peak_memory_bytes() / 2**20, 1),
            latency=latency,
        )


def _time_rounds(classifier: IntentClassifier, texts: Sequence[str], rounds: int) -> list[float]:
    milliseconds = []
    for _ in range(rounds):
        for text in texts:
            start = time.perf_counter_ns()
            classifier.classify(text)
            milliseconds.append((time.perf_counter_ns() - start) / 1e6)
    return milliseconds
