from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edge_runtime.errors import BundleDamagedError, SelfTestError, VariantError
from edge_runtime.manifest import Manifest
from edge_runtime.verification import VariantCheck, verify_bundle


def demanding(*names: str) -> Callable[[Manifest], Manifest]:
    """Make the named variants need what no processor has."""

    def change(manifest: Manifest) -> Manifest:
        variants = tuple(
            msgspec.structs.replace(variant, requires=("warp-drive",))
            if variant.name in names
            else variant
            for variant in manifest.variants
        )
        return msgspec.structs.replace(manifest, variants=variants)

    return change


def test_every_variant_is_self_tested(tiny_bundle: Path) -> None:
    found = verify_bundle(tiny_bundle)
    assert found.files == 6
    assert found.variants == (
        VariantCheck(name="int8", samples=4, left_out=""),
        VariantCheck(name="fp32", samples=4, left_out=""),
    )


def test_a_variant_that_cannot_run_here_is_left_out_with_the_reason(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    found = verify_bundle(make_tiny_bundle(tmp_path / "bundle", change=demanding("int8")))
    assert found.variants[0] == VariantCheck(
        name="int8", samples=0, left_out="a CPU with warp-drive"
    )
    assert found.variants[1].samples == 4


def test_a_bundle_that_cannot_run_here_at_all_is_refused(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", change=demanding("int8", "fp32"))
    with pytest.raises(VariantError):
        verify_bundle(bundle)


def test_a_damaged_bundle_is_refused(tiny_bundle: Path) -> None:
    (tiny_bundle / "model.fp32.onnx").write_bytes(b"")
    with pytest.raises(BundleDamagedError):
        verify_bundle(tiny_bundle)


def test_a_bundle_that_fails_its_self_test_is_refused(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    with pytest.raises(SelfTestError):
        verify_bundle(make_tiny_bundle(tmp_path / "bundle", golden_offset=-0.1))
