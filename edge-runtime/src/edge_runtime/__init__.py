"""edge-runtime: a bundle in, intents out, on the device."""

from __future__ import annotations

from edge_runtime.bundle import Bundle, open_bundle
from edge_runtime.classifier import Answer, Candidate, IntentClassifier
from edge_runtime.errors import EdgeError
from edge_runtime.manifest import Manifest

__all__ = [
    "Answer",
    "Bundle",
    "Candidate",
    "EdgeError",
    "IntentClassifier",
    "Manifest",
    "open_bundle",
]
