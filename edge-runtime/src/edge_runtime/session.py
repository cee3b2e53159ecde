"""The port to an inference engine: token ids in, an embedding out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.cpu import capabilities
from edge_runtime.errors import VariantError
from edge_runtime.manifest import Manifest, Variant

__all__ = ["FakeSession", "Session", "choose_variant", "open_session", "why_unusable"]


class Session(Protocol):
    """A loaded model."""

    def embedding(self, token_ids: Sequence[int]) -> NDArray[np.float32]:
        """The mean of one text's token vectors, shape (hidden,).

        Raises:
            SessionError: the engine failed.
        """
        ...

    def close(self) -> None:
        """Free the model; calling it twice is allowed."""
        ...


class FakeSession:
    """A session without a model, for tests of what stands above it.

    Args:
        answer: gives the embedding for token ids.
    """

    def __init__(self, answer: Callable[[Sequence[int]], Sequence[float]]) -> None:
        self._answer = answer
        self.closed = False

    def embedding(self, token_ids: Sequence[int]) -> NDArray[np.float32]:
        """Embedding as the function given at construction says."""
        return np.asarray(self._answer(token_ids), dtype=np.float32)

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


def choose_variant(manifest: Manifest, name: str | None = None) -> Variant:
    """Choose a variant by name, or the first that this machine can use.

    Raises:
        VariantError: no such variant, or none that this CPU and its engines can use.
    """
    if name is not None:
        for variant in manifest.variants:
            if variant.name == name:
                return variant
        known = ", ".join(variant.name for variant in manifest.variants)
        raise VariantError(
            f"the bundle has no variant {name!r}; it has: {known}", name=name, known=known
        )
    reasons = []
    for variant in manifest.variants:
        reason = why_unusable(variant)
        if not reason:
            return variant
        reasons.append(f"{variant.name} needs {reason}")
    raise VariantError(
        f"this device can use no variant of the bundle: {'; '.join(reasons)}", reasons=reasons
    )


def why_unusable(variant: Variant) -> str:
    """What this machine lacks for a variant, in words; empty when it lacks nothing."""
    missing = [need for need in variant.requires if need not in capabilities()]
    if missing:
        return f"a CPU with {', '.join(missing)}"
    return "" if _engine_is_installed(variant) else _ENGINE[variant.format]


def open_session(variant: Variant, folder: Path, *, max_tokens: int, threads: int) -> Session:
    """Load a variant into its engine.

    Args:
        variant: which model file.
        folder: the bundle.
        max_tokens: longest input, in tokens.
        threads: processor threads that the engine may use.

    Raises:
        VariantError: the engine is not installed.
        SessionError: the engine refuses the file.
    """
    path = folder / variant.file
    if not _engine_is_installed(variant):
        raise VariantError(
            f"variant {variant.name!r} needs {_ENGINE[variant.format]}, which is not installed; "
            f"install {_ENGINE[variant.format]} or choose another variant",
            name=variant.name,
        )
    if variant.format == "gguf":
        from edge_runtime.session_llama import LlamaSession

        return LlamaSession(path, max_tokens=max_tokens, threads=threads)
    from edge_runtime.session_onnx import OnnxSession

    return OnnxSession(path, threads=threads)


_ENGINE = {"onnx": "onnxruntime", "gguf": "llama-cpp-python"}
_ENGINE_MODULE = {"onnx": "onnxruntime", "gguf": "llama_cpp"}


def _engine_is_installed(variant: Variant) -> bool:
    from importlib.util import find_spec

    return find_spec(_ENGINE_MODULE[variant.format]) is not None
