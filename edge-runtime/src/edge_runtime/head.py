"""The classification head: what turns an embedding into logits, kept outside the model's graph.

One small file of arrays beside the variants. So ONNX and GGUF hold the same thing, the encoder;
an intent can be added without touching either; and out-of-scope scores may look at the embedding
itself, not only at the logits.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BundleDamagedError

__all__ = ["Head", "encode_head", "normalize", "read_head"]

_LENGTH_FLOOR = 1e-12
_HALVES = frozenset({"prototypes", "neighbours"})
"""Arrays that are float16 in the file."""


class Head(msgspec.Struct, frozen=True, eq=False):
    """A linear layer over embeddings, and what was learnt of the training texts besides.

    Every array is float32 unless said otherwise.
    """

    weight: NDArray[np.float32]
    """Shape (labels, hidden)."""
    bias: NDArray[np.float32]
    """Shape (labels,)."""
    normalized: bool
    """Whether embeddings are brought to length one before the layer."""
    directions: NDArray[np.float32] | None = None
    """Mean embedding of each intent, of length one: (labels, hidden)."""
    whitening: NDArray[np.float32] | None = None
    """A factor of the inverse of the covariance within intents, (hidden, hidden): in the space
    of ``prepared(embedding) @ whitening`` the intents are round."""
    whitened_means: NDArray[np.float32] | None = None
    """Mean embedding of each intent in that space: (labels, hidden)."""
    prototypes: NDArray[np.float32] | None = None
    """Middles of a few groups of each intent's training embeddings, of length one, (prototypes,
    hidden); float16 in the file."""
    neighbours: NDArray[np.float32] | None = None
    """Training embeddings of length one, (utterances, hidden), evenly chosen of many; float16 in
    the file."""

    @property
    def labels(self) -> int:
        """How many logits it gives."""
        return int(self.weight.shape[0])

    @property
    def hidden(self) -> int:
        """Width of the embeddings that it takes."""
        return int(self.weight.shape[1])

    def prepared(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings as the layer sees them, shape (..., hidden)."""
        return normalize(embeddings) if self.normalized else embeddings

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of embeddings.

        Args:
            embeddings: as the model gives them, shape (..., hidden).

        Returns:
            Shape (..., labels).
        """
        result: NDArray[np.float32] = self.prepared(embeddings) @ self.weight.T + self.bias
        return result


def normalize(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring vectors to length one, shape (..., hidden)."""
    lengths = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    result: NDArray[np.float32] = embeddings / np.maximum(lengths, np.float32(_LENGTH_FLOOR))
    return result


def encode_head(head: Head) -> bytes:
    """Write a head as a NumPy archive; equal heads are equal bytes."""
    buffer = io.BytesIO()
    arrays = {
        name: np.asarray(value)
        for name, value in msgspec.structs.asdict(head).items()
        if value is not None
    }
    # A cosine needs no more digits, and no other array has many rows an intent.
    for name in _HALVES & arrays.keys():
        arrays[name] = arrays[name].astype(np.float16)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in sorted(arrays.items()):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            # A member that has a name only gets the earliest date that the format knows.
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())
    return buffer.getvalue()


def read_head(path: Path) -> Head:
    """Read a head.

    Raises:
        BundleDamagedError: the file is missing, or no head.
    """
    try:
        # Opened here: numpy leaves a file that it cannot read open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays: dict[str, Any] = {
                name: archive[name].astype(np.float32) for name in archive.files
            }
        arrays["normalized"] = bool(arrays["normalized"])
        head = Head(**arrays)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        zipfile.BadZipFile,
    ) as error:
        raise BundleDamagedError(
            f"cannot read the head {path} ({error}); make or fetch the bundle again",
            file=path.name,
        ) from error
    if reason := _mismatch(head):
        raise BundleDamagedError(
            f"the head {path} is wrong: {reason}; make the bundle again", file=path.name
        )
    return head


def _mismatch(head: Head) -> str:
    """Say which array has not the shape that its neighbours ask for; empty when all fit."""
    if head.weight.ndim != 2:
        return f"weight has {head.weight.ndim} dimensions, not 2"
    labels, hidden = head.weight.shape
    wanted = {
        "bias": (head.bias, (labels,)),
        "directions": (head.directions, (labels, hidden)),
        "whitening": (head.whitening, (hidden, hidden)),
        "whitened_means": (head.whitened_means, (labels, hidden)),
    }
    for name, (array, shape) in wanted.items():
        if array is not None and array.shape != shape:
            return f"{name} has shape {array.shape}, not {shape}"
    for name in sorted(_HALVES):
        array = getattr(head, name)
        if array is not None and array.shape[1:] != (hidden,):
            return f"{name} have shape {array.shape}, not (..., {hidden})"
    return ""
