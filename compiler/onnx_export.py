"""torch -> ONNX fp32, through optimum."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path
from typing import Any

from compiler.errors import ExportError

__all__ = ["export_onnx"]

_log = logging.getLogger(__name__)


def export_onnx(model: Any, path: Path, *, opset: int) -> None:
    """Write a model's encoder as ONNX: ``input_ids``, ``attention_mask`` -> ``embedding``.

    Args:
        model: a ``trainer.model.IntentModel`` in evaluation mode.
        path: the file to write.
        opset: ONNX operator set.

    Raises:
        ExportError: optimum or torch cannot export this architecture.
    """
    from optimum.exporters.onnx import export
    from optimum.exporters.onnx.config import TextEncoderOnnxConfig
    from optimum.utils import NormalizedTextConfig

    from trainer.model import EmbeddingModel

    # optimum ships no types, so its base class is Any to the checker.
    class IntentOnnxConfig(TextEncoderOnnxConfig):  # type: ignore[misc]
        """Only what the runtime feeds: no token types, a mask for batches."""

        NORMALIZED_CONFIG_CLASS = NormalizedTextConfig

        @property
        def inputs(self) -> dict[str, dict[int, str]]:
            axes = {0: "batch", 1: "tokens"}
            return {"input_ids": axes, "attention_mask": axes}

        @property
        def outputs(self) -> dict[str, dict[int, str]]:
            return {"embedding": {0: "batch"}}

    exported = EmbeddingModel(model).eval()
    # optimum asks the model for its configuration.
    exported.config = model.config
    configuration = IntentOnnxConfig(model.config, task="feature-extraction")
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            # torch's tracer warns of every Python condition on a shape; the parity gate,
            # not the absence of warnings, decides whether the graph is right.
            warnings.simplefilter("ignore")
            export(exported, configuration, path, opset=opset)
    except (RuntimeError, ValueError, NotImplementedError) as error:
        # The tracer's word for operators that the opset lacks, optimum's for a model type that
        # it does not know, and that of models for what they cannot do; nothing names them closer.
        raise ExportError(
            f"cannot export {model.config.model_type} to ONNX opset {opset}: "
            f"{str(error).splitlines()[0]}; try another compile.opset",
            opset=opset,
        ) from error
    _strip_host_names(path)


def _strip_host_names(path: Path) -> None:
    # Node doc strings hold source paths of this machine: drop them, so that equal models
    # are equal bytes everywhere.
    import onnx

    model = onnx.load(str(path))
    model.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.save(model, str(path))
