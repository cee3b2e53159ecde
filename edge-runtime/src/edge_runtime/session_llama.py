"""GGUF models through llama.cpp.

llama-cpp-python's own ``embed`` tokenises again and normalises; tokens come from one
tokenizer here, whatever the engine, so the library's C functions are called.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SessionError

__all__ = ["LlamaSession"]


class LlamaSession:
    """One GGUF model of an encoder with pooling type MEAN.

    Args:
        path: the model's file.
        max_tokens: longest input, in tokens.
        threads: processor threads for one answer.

    Raises:
        SessionError: llama.cpp refuses the file.
    """

    def __init__(self, path: Path, *, max_tokens: int, threads: int) -> None:
        import llama_cpp

        _silence(llama_cpp)
        self._llama: Any = llama_cpp
        self._max_tokens = max_tokens
        self._model: Any = None
        self._context: Any = None
        model_parameters = llama_cpp.llama_model_default_params()
        model_parameters.n_gpu_layers = 0
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), model_parameters)
        if not self._model:
            raise SessionError(f"llama.cpp cannot load {path}; make the bundle again", path=path)
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = max_tokens
        parameters.n_seq_max = 1
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.embeddings = True
        parameters.pooling_type = llama_cpp.LLAMA_POOLING_TYPE_MEAN
        self._context = llama_cpp.llama_init_from_model(self._model, parameters)
        if not self._context:
            self.close()
            raise SessionError(f"llama.cpp cannot make a context for {path}", path=path)
        self._hidden = int(llama_cpp.llama_model_n_embd(self._model))
        self._batch: Any = llama_cpp.llama_batch_init(max_tokens, 0, 1)

    def embedding(self, token_ids: Sequence[int]) -> NDArray[np.float32]:
        """The mean of one text's token vectors, shape (hidden,).

        Raises:
            SessionError: the engine failed or the session is closed.
        """
        if self._context is None:
            raise SessionError("the session is closed; open the classifier again")
        if len(token_ids) > self._max_tokens:
            raise SessionError(f"{len(token_ids)} tokens, at most {self._max_tokens} fit")
        batch = self._batch
        batch.n_tokens = len(token_ids)
        for position, token in enumerate(token_ids):
            batch.token[position] = token
            batch.pos[position] = position
            batch.n_seq_id[position] = 1
            batch.seq_id[position][0] = 0
            batch.logits[position] = True
        status = self._llama.llama_encode(self._context, batch)
        if status != 0:
            raise SessionError(f"llama.cpp failed with status {status}")
        pointer = self._llama.llama_get_embeddings_seq(self._context, 0)
        if not pointer:
            raise SessionError("llama.cpp gave no embedding; make the bundle again")
        return np.ctypeslib.as_array(pointer, shape=(self._hidden,)).astype(np.float32)

    def close(self) -> None:
        """Free the model."""
        if self._context is not None:
            with contextlib.suppress(AttributeError):
                self._llama.llama_batch_free(self._batch)
            self._llama.llama_free(self._context)
            self._context = None
        if self._model is not None:
            self._llama.llama_model_free(self._model)
            self._model = None


_keep_alive: list[Any] = []


def _silence(llama_cpp: Any) -> None:
    # llama.cpp logs every tensor to stderr; the callback must outlive the library's use of it.
    if not _keep_alive:

        def ignore(_level: int, _text: bytes, _data: ctypes.c_void_p) -> None:
            return None

        callback = llama_cpp.llama_log_callback(ignore)
        _keep_alive.append(callback)
        llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
