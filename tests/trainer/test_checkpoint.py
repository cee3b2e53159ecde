"""A checkpoint on disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from edge_runtime.artifact import produce_artifact
from edge_runtime.errors import ArtifactError
from edge_runtime.storage import file_entries
from edge_runtime.tokenization import Tokenizer
from trainer.checkpoint import load_model, read_checkpoint
from trainer.config import TrainSettings
from trainer.dataset import read_dataset
from trainer.errors import TrainingError
from trainer.inference import embeddings_of
from trainer.train import train

CPU = torch.device("cpu")


@pytest.fixture
def folder(tiny_line, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint, which a test may change."""
    copy = tmp_path / "checkpoint"
    shutil.copytree(tiny_line.checkpoint, copy)
    return copy


def test_a_checkpoint_says_everything_that_answering_needs(
    tiny_line, tiny_train_settings: TrainSettings
) -> None:
    checkpoint = read_checkpoint(tiny_line.checkpoint)
    assert checkpoint.labels == read_dataset(tiny_line.dataset).labels
    assert checkpoint.text.max_tokens == tiny_train_settings.max_tokens
    assert checkpoint.padding_id == 0
    assert checkpoint.base_model["name"] == "tiny-bert"
    assert checkpoint.tokenizer.is_file()


def test_a_model_that_is_written_and_read_gives_the_same_bits(tiny_line) -> None:
    # The evaluation was made by another reading of the same files.
    checkpoint = read_checkpoint(tiny_line.checkpoint)
    tokenizer = Tokenizer(checkpoint.tokenizer, max_tokens=checkpoint.text.max_tokens)
    rows = tokenizer.encode_many(read_dataset(tiny_line.dataset).test.texts)
    stored = np.load(tiny_line.evaluation / "test.npy", allow_pickle=False)
    found = embeddings_of(load_model(checkpoint), rows, padding_id=0, device=CPU)
    assert np.array_equal(found.numpy(), stored)


def test_the_stored_adapter_on_the_base_model_is_the_stored_model(
    tiny_line, tiny_base_model: Path, tiny_train_settings: TrainSettings, tmp_path: Path
) -> None:
    import peft
    from transformers import AutoModel

    checkpoint = tmp_path / "lora"
    settings = msgspec.structs.replace(tiny_train_settings, method="lora")
    train(tiny_line.dataset, checkpoint, settings=settings)
    encoder = AutoModel.from_pretrained(tiny_base_model)
    encoder.pooler = None
    adapted = peft.PeftModel.from_pretrained(encoder, checkpoint / "adapter")
    merged = adapted.merge_and_unload().state_dict()
    stored = load_file(checkpoint / "weights.safetensors")
    assert stored.keys() == merged.keys()
    for name in stored:
        torch.testing.assert_close(stored[name], merged[name])


def test_no_path_and_no_version_of_this_machine_is_in_any_file(
    tiny_line, tiny_base_model: Path
) -> None:
    for path in sorted(tiny_line.checkpoint.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            assert str(tiny_base_model).encode() not in content, path
            assert str(tiny_base_model.parent).encode() not in content, path
            assert b"transformers_version" not in content, path


@pytest.mark.slow
def test_two_processes_write_the_same_bytes(
    tiny_line, tiny_train_settings: TrainSettings, tiny_base_model: Path, tmp_path: Path
) -> None:
    """Python orders sets anew in each process; the base model also lies elsewhere."""
    script = (
        "import sys, msgspec\n"
        "from pathlib import Path\n"
        "from trainer.config import TrainSettings\n"
        "from trainer.train import train\n"
        "settings = msgspec.json.decode(sys.argv[3], type=TrainSettings)\n"
        "train(Path(sys.argv[1]), Path(sys.argv[2]), settings=settings)\n"
    )
    for number in (1, 2):
        base = tmp_path / str(number) / "tiny-bert"
        shutil.copytree(tiny_base_model, base)
        settings = json.dumps(
            {
                name: getattr(tiny_train_settings, name)
                for name in tiny_train_settings.__struct_fields__
            }
            | {"base_model": str(base)}
        )
        subprocess.run(
            [sys.executable, "-c", script, tiny_line.dataset, tmp_path / f"c{number}", settings],
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, "PYTHONHASHSEED": str(number)},
            check=True,
        )
    assert file_entries(tmp_path / "c1") == file_entries(tmp_path / "c2")


def test_a_damaged_file_is_refused_by_its_name(folder: Path) -> None:
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"weights\.safetensors is missing or changed"):
        read_checkpoint(folder)


@pytest.mark.parametrize("name", ["labels.json", "tokenizer.json", "head.npz"])
def test_a_missing_file_is_refused_by_its_name(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=rf"{name} is missing or changed"):
        read_checkpoint(folder)


def test_a_folder_without_a_document_is_no_checkpoint(folder: Path) -> None:
    (folder / "checkpoint.json").unlink()
    with pytest.raises(ArtifactError, match="no checkpoint at"):
        read_checkpoint(folder)


def test_weights_that_do_not_fit_the_configuration_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    """A whole folder, closed with the right hashes, whose parts come from two models."""

    def make(partial: Path) -> dict[str, int]:
        shutil.copytree(folder, partial, dirs_exist_ok=True)
        (partial / "checkpoint.json").unlink()
        weights = load_file(folder / "weights.safetensors")
        weights["embeddings.LayerNorm.weight"] = torch.zeros(2)
        save_file(weights, partial / "weights.safetensors")
        return {}

    mixed = tmp_path / "mixed"
    produce_artifact(mixed, kind="checkpoint", revision=1, settings={}, parents={}, make=make)
    with pytest.raises(TrainingError, match=r"do not fit its configuration; train again"):
        load_model(read_checkpoint(mixed))
