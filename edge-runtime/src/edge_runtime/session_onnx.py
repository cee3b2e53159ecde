"""ONNX models through onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SessionError

__all__ = ["OnnxSession"]


class OnnxSession:
    """One ONNX model on the CPU.

    The graph takes ``input_ids`` and ``attention_mask``, int64 of shape (1, tokens), and
    gives ``embedding``, float32 of shape (1, hidden).

    Args:
        path: the model's file.
        threads: processor threads for one answer.

    Raises:
        SessionError: onnxruntime refuses the file.
    """

    def __init__(self, path: Path, *, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        # A device answers now and then: threads that spin between answers waste its power.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Where 8-bit products would saturate (x86 without VNNI) they are computed in 16 bits;
        # elsewhere this changes nothing.
        options.add_session_config_entry("session.x64quantprecision", "1")
        try:
            self._session: onnxruntime.InferenceSession | None = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no public base class
            raise SessionError(f"onnxruntime cannot load {path}: {error}", path=path) from error

    def embedding(self, token_ids: Sequence[int]) -> NDArray[np.float32]:
        """The pooled token vectors of one text, shape (hidden,).

        Raises:
            SessionError: the engine failed or the session is closed.
        """
        if self._session is None:
            raise SessionError("the session is closed; open the classifier again")
        ids = np.asarray([token_ids], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        try:
            (result,) = self._session.run(["embedding"], inputs)
        except Exception as error:
            raise SessionError(f"onnxruntime failed: {error}") from error
        row: NDArray[np.float32] = np.asarray(result, dtype=np.float32)[0]
        return row

    def close(self) -> None:
        """Free the model."""
        self._session = None
