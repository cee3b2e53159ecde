"""What the compiler's tests share: settings, and the tiny line compiled and bundled once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from compiler.bundle import BundleResult, make_bundle
from compiler.compile import compile_checkpoint
from compiler.config import DEFAULTS, BundleSettings, CompileSettings
from compiler.onnx_export import export_onnx
from edge_runtime.head import Head
from edge_runtime.settings import load_settings
from edge_runtime.tokenization import Tokenizer
from trainer.checkpoint import load_model, read_checkpoint
from trainer.dataset import read_dataset
from trainer.model import IntentModel


@pytest.fixture(scope="session")
def compile_settings() -> CompileSettings:
    """The defaults of section ``[compile]``; with 36 texts the gates let one answer change."""
    return load_settings(CompileSettings, "compile", defaults=DEFAULTS, environment={})


@pytest.fixture(scope="session")
def bundle_settings() -> BundleSettings:
    """The defaults of section ``[bundle]``."""
    return load_settings(BundleSettings, "bundle", defaults=DEFAULTS, environment={})


@pytest.fixture(scope="session")
def built_compiled(
    tiny_line: Any, compile_settings: CompileSettings, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """All three variants of the tiny checkpoint; not to be changed."""
    folder = tmp_path_factory.mktemp("compiled") / "compiled"
    compile_checkpoint(
        tiny_line.checkpoint,
        tiny_line.dataset,
        tiny_line.evaluation,
        folder,
        settings=compile_settings,
    )
    return folder


@pytest.fixture
def compiled(built_compiled: Path, tmp_path: Path) -> Path:
    """A copy of the compiled variants, which a test may change."""
    copy = tmp_path / "compiled"
    shutil.copytree(built_compiled, copy)
    return copy


@pytest.fixture(scope="session")
def built_line_bundle(
    tiny_line: Any,
    built_compiled: Path,
    bundle_settings: BundleSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The bundle of the tiny line; not to be changed."""
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    make_bundle(
        built_compiled,
        tiny_line.checkpoint,
        tiny_line.dataset,
        tiny_line.evaluation,
        folder,
        name="small",
        settings=bundle_settings,
    )
    return folder


@pytest.fixture
def line_bundle(built_line_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the bundle of the tiny line, which a test may change."""
    copy = tmp_path / "bundle"
    shutil.copytree(built_line_bundle, copy)
    return copy


@pytest.fixture
def bundle_line(tiny_line: Any, built_compiled: Path, bundle_settings: BundleSettings) -> Any:
    """``make_bundle`` for the tiny line, with changed settings."""

    def make(folder: Path, *, name: str = "small", **changes: Any) -> BundleResult:
        return make_bundle(
            built_compiled,
            tiny_line.checkpoint,
            tiny_line.dataset,
            tiny_line.evaluation,
            folder,
            name=name,
            settings=msgspec.structs.replace(bundle_settings, **changes),
        )

    return make


@pytest.fixture(scope="session")
def trained(tiny_line: Any) -> IntentModel:
    """The tiny model in evaluation mode; not to be changed."""
    model: IntentModel = load_model(read_checkpoint(tiny_line.checkpoint))
    return model


@pytest.fixture(scope="session")
def token_ids(tiny_line: Any) -> list[list[int]]:
    """Every held-out text as tokens."""
    checkpoint = read_checkpoint(tiny_line.checkpoint)
    tokenizer = Tokenizer(checkpoint.tokenizer, max_tokens=checkpoint.text.max_tokens)
    dataset = read_dataset(tiny_line.dataset)
    return tokenizer.encode_many(dataset.validation.texts + dataset.test.texts)


@pytest.fixture(scope="session")
def reference(trained: IntentModel, token_ids: list[list[int]]) -> NDArray[np.float32]:
    """torch's embeddings of ``token_ids``, one text at a time."""
    with torch.inference_mode():
        rows = [
            trained.embed(torch.tensor([row]), torch.ones(1, len(row), dtype=torch.int64))
            for row in token_ids
        ]
    embeddings: NDArray[np.float32] = torch.cat(rows).numpy()
    return embeddings


@pytest.fixture(scope="session")
def head(tiny_line: Any) -> Head:
    """The head of the tiny model."""
    return read_checkpoint(tiny_line.checkpoint).head()


@pytest.fixture(scope="session")
def fp32(trained: IntentModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ONNX fp32 graph of the tiny model; not to be changed."""
    path = tmp_path_factory.mktemp("fp32") / "model.fp32.onnx"
    export_onnx(trained, path, opset=17)
    return path
