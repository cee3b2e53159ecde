from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.benchmark import measure, measure_bundle
from edge_runtime.bundle import open_bundle
from edge_runtime.classifier import IntentClassifier
from edge_runtime.errors import BundleError, VariantError
from edge_runtime.session import FakeSession


def test_each_golden_sample_is_timed_as_often_as_asked_after_a_warm_up(tiny_bundle: Path) -> None:
    asked: list[int] = []

    def answer(token_ids: object) -> list[float]:
        asked.append(1)
        return [0, 0, 0, 0]

    opened = open_bundle(tiny_bundle)
    classifier = IntentClassifier(opened, opened.manifest.variants[0], FakeSession(answer))
    report = measure(classifier, repeats=3)
    assert (report.texts, report.repeats) == (4, 3)
    assert len(asked) == 4 * (3 + 2)
    assert 0 < report.p50_ms <= report.p95_ms


def test_a_bundle_is_loaded_and_measured(tiny_bundle: Path) -> None:
    found = measure_bundle(tiny_bundle, variant="fp32", repeats=1)
    assert (found.name, found.version, found.variant) == ("tiny", "1.0.0", "fp32")
    assert found.load_seconds > 0
    assert found.peak_memory_mib > 0
    assert found.latency.texts == 4


def test_an_unknown_variant_is_not_measured(tiny_bundle: Path) -> None:
    with pytest.raises(VariantError):
        measure_bundle(tiny_bundle, variant="int4")


def test_a_bundle_without_golden_samples_cannot_be_measured(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", golden=())
    with pytest.raises(BundleError, match="no golden samples"):
        measure_bundle(bundle)
