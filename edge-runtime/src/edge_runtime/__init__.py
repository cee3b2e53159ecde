"""edge-runtime: a bundle in, intents out, on the device."""

from __future__ import annotations

import os

from edge_runtime.bundle import Bundle, open_bundle
from edge_runtime.classifier import Answer, Candidate, IntentClassifier
from edge_runtime.errors import EdgeError
from edge_runtime.manifest import Manifest

# The Linux wheels of onnxruntime report usage unless told not to, and read this once, when
# they are imported. Whoever wants the reports sets it to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = [
    "Answer",
    "Bundle",
    "Candidate",
    "EdgeError",
    "IntentClassifier",
    "Manifest",
    "open_bundle",
]
