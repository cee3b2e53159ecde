"""Whether a bundle is whole and answers as it should on this machine."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edge_runtime.bundle import open_bundle
from edge_runtime.classifier import IntentClassifier
from edge_runtime.session import choose_variant, why_unusable

__all__ = ["VariantCheck", "Verification", "verify_bundle"]


class VariantCheck(msgspec.Struct, frozen=True):
    """What was found of one variant."""

    name: str
    """The variant."""
    samples: int
    """Golden samples that got the expected answer; 0 for a variant that was left out."""
    left_out: str
    """What this machine lacks for the variant; empty when it was tested."""


class Verification(msgspec.Struct, frozen=True):
    """A bundle that passed."""

    name: str
    version: str
    files: int
    """Files whose bytes were checked, the manifest included."""
    variants: tuple[VariantCheck, ...]


def verify_bundle(path: Path) -> Verification:
    """Check every byte of a bundle and self-test each variant that can be used here.

    Raises:
        BundleError: the bundle is missing, damaged or of another schema.
        VariantError: this machine can use none of its variants.
        SessionError: an engine refuses a model.
        SelfTestError: a golden sample got another answer.
    """
    manifest = open_bundle(path).manifest
    choose_variant(manifest)
    checks = []
    for variant in manifest.variants:
        left_out = why_unusable(variant)
        samples = 0
        if not left_out:
            with IntentClassifier.open(path, variant=variant.name) as classifier:
                samples = classifier.self_test()
        checks.append(VariantCheck(name=variant.name, samples=samples, left_out=left_out))
    return Verification(
        name=manifest.name,
        version=manifest.version,
        files=len(manifest.files) + 1,
        variants=tuple(checks),
    )
