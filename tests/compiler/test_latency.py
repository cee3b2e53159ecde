"""The time of one answer. No test looks at a time: only at what is measured and when."""

from __future__ import annotations

from pathlib import Path

from compiler.latency import measure_latency
from edge_runtime.bundle import open_bundle


def test_every_variant_is_measured_and_an_unchanged_bundle_is_not_measured_again(
    built_line_bundle: Path, tmp_path: Path
) -> None:
    bundle = open_bundle(built_line_bundle)
    first = measure_latency(bundle, tmp_path / "latency", repeats=1)
    assert set(first.document.result) == {"int8", "q8_0", "fp32"}
    assert all(report["p50_ms"] > 0 for report in first.document.result.values())
    second = measure_latency(bundle, tmp_path / "latency", repeats=1)
    assert (second.skipped, second.document) == (True, first.document)


def test_more_rounds_are_measured_again(built_line_bundle: Path, tmp_path: Path) -> None:
    bundle = open_bundle(built_line_bundle)
    measure_latency(bundle, tmp_path / "latency", repeats=1)
    assert not measure_latency(bundle, tmp_path / "latency", repeats=2).skipped


def test_the_bundle_stays_as_it_is(built_line_bundle: Path, tmp_path: Path) -> None:
    bundle = open_bundle(built_line_bundle)
    measure_latency(bundle, tmp_path / "latency", repeats=1)
    assert open_bundle(built_line_bundle) == bundle
