"""A checkpoint on disk: merged weights, the adapter, the head, the tokenizer, the labels."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.artifact import Artifact, read_artifact
from edge_runtime.errors import ArtifactError
from edge_runtime.head import Head, encode_head, read_head
from edge_runtime.storage import canonical_json
from edge_runtime.text import TextSettings
from trainer.base_model import BaseModel
from trainer.errors import TrainingError
from trainer.pooling import Pooling

__all__ = ["Checkpoint", "load_model", "read_checkpoint", "save_adapter", "save_model"]

WEIGHTS = "weights.safetensors"
HEAD = "head.npz"
CONFIGURATION = "config.json"
TOKENIZER = "tokenizer.json"
LABELS = "labels.json"
TEXT = "text.json"
POOLING = "pooling.json"
BASE_MODEL = "base_model.json"
# A path of this machine, the library's version, the unused head of transformers, the numbers
# that the base model was stored in: they say nothing about these weights.
_NOT_THE_MODEL_S = (
    "_name_or_path",
    "transformers_version",
    "id2label",
    "label2id",
    "dtype",
    "torch_dtype",
    "quantization_config",
)


class Checkpoint(msgspec.Struct, frozen=True):
    """A checked checkpoint; the weights are read by ``load_model``."""

    artifact: Artifact
    """The folder and its document."""
    labels: tuple[str, ...]
    """Intents, in the order of the logits."""
    text: TextSettings
    """How a text becomes model input."""
    base_model: dict[str, Any]
    """Name, revision, licence and SHA-256 of the base model."""
    configuration: dict[str, Any]
    """The encoder's transformers configuration."""
    pooling: Pooling
    """How token vectors become one embedding."""

    @property
    def tokenizer(self) -> Path:
        """The tokenizer's file."""
        return self.artifact.folder / TOKENIZER

    def head(self) -> Head:
        """The classification head as it was trained.

        Raises:
            BundleDamagedError: the file is no head.
        """
        return read_head(self.artifact.folder / HEAD)

    def scoring_head(self) -> Head:
        """The head, with everything that out-of-scope scores may need.

        Raises:
            BundleDamagedError: the file is no head.
        """
        return _scoring_head(self.artifact.folder / HEAD, self.artifact.document.files[HEAD].sha256)

    @property
    def base(self) -> BaseModel:
        """The base model that it came from, with the tokenizer of this checkpoint."""
        return BaseModel(
            name=self.base_model["name"],
            location=str(self.artifact.folder),
            revision=self.base_model["revision"],
            licence=self.base_model["licence"],
            digest=self.base_model["sha256"],
        )

    @property
    def padding_id(self) -> int:
        """The token that fills a batch."""
        return max(int(self.configuration.get("pad_token_id") or 0), 0)


# Several stages of one run ask for it, and it takes a second or two.
@functools.lru_cache(maxsize=2)
def _scoring_head(path: Path, _digest: str) -> Head:
    from trainer.prototypes import with_prototypes

    return with_prototypes(read_head(path))


def save_model(
    model: Any,
    folder: Path,
    *,
    head: Head,
    labels: tuple[str, ...],
    text: TextSettings,
    base: BaseModel,
) -> None:
    """Write everything of a merged model but the adapter.

    The weights are the encoder's; the head is a file of its own, as in a bundle.

    Args:
        model: the ``IntentModel``, without an adapter.
        folder: where the files go; there is one.
        head: the classifier on embeddings, of shape (labels, hidden).
        labels: names in the order of the head's rows.
        text: how texts become tokens.
        base: whose tokenizer is copied.
    """
    from safetensors.torch import save_file

    state = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in model.encoder.state_dict().items()
    }
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    configuration = model.config.to_dict()
    for key in _NOT_THE_MODEL_S:
        configuration.pop(key, None)
    base_document = {
        "name": base.name,
        "revision": base.revision,
        "licence": base.licence,
        "sha256": base.digest,
    }
    (folder / HEAD).write_bytes(encode_head(head))
    (folder / CONFIGURATION).write_bytes(canonical_json(configuration))
    (folder / LABELS).write_bytes(canonical_json(labels))
    (folder / TEXT).write_bytes(canonical_json(text))
    (folder / POOLING).write_bytes(canonical_json(model.pooling))
    (folder / BASE_MODEL).write_bytes(canonical_json(base_document))
    (folder / TOKENIZER).write_bytes((Path(base.location) / TOKENIZER).read_bytes())


def save_adapter(adapted: Any, folder: Path, *, base: BaseModel) -> None:
    """Write the LoRA adapter alone, in peft's form, with no path of this machine in it.

    Args:
        adapted: what ``add_adapter`` returned.
        folder: of the checkpoint; the adapter goes into ``adapter`` in it.
        base: whose name the adapter tells in place of a path.
    """
    adapted.peft_config["default"].base_model_name_or_path = base.name
    # Without a look at the embedding layers: LoRA leaves them alone, and peft would ask the hub.
    adapted.save_pretrained(
        folder / "adapter", safe_serialization=True, save_embedding_layers=False
    )
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    path = folder / "adapter" / "adapter_config.json"
    configuration = json.loads(path.read_text(encoding="utf-8"))
    # peft writes a Python set here: its order changes from process to process.
    modules = configuration.get("target_modules")
    if isinstance(modules, list):
        configuration["target_modules"] = sorted(modules)
    path.write_bytes(canonical_json(configuration))


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read and check a checkpoint.

    Raises:
        ArtifactError: it is missing, incomplete, damaged, or of an older form.
    """
    artifact = read_artifact(folder, "checkpoint")
    if POOLING not in artifact.document.files:
        raise ArtifactError(
            f"the checkpoint {folder} was made by an older edgewise; train again", folder=folder
        )
    return Checkpoint(
        artifact=artifact,
        labels=msgspec.json.decode((folder / LABELS).read_bytes(), type=tuple[str, ...]),
        text=msgspec.json.decode((folder / TEXT).read_bytes(), type=TextSettings),
        base_model=msgspec.json.decode((folder / BASE_MODEL).read_bytes()),
        configuration=msgspec.json.decode((folder / CONFIGURATION).read_bytes()),
        pooling=msgspec.json.decode((folder / POOLING).read_bytes(), type=Pooling),
    )


def load_model(checkpoint: Checkpoint) -> Any:
    """Load the merged model, in float32 on the CPU, ready to answer.

    Raises:
        TrainingError: the weights do not fit the configuration.
    """
    import torch
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModel

    from trainer.model import IntentModel, prepare_encoder

    values = dict(checkpoint.configuration)
    configuration = AutoConfig.for_model(values.pop("model_type"), **values)
    encoder: Any = AutoModel.from_config(  # type: ignore[no-untyped-call]
        configuration, dtype=torch.float32
    )
    head = checkpoint.head()
    model = IntentModel(
        prepare_encoder(encoder),
        len(checkpoint.labels),
        normalized=head.normalized,
        pooling=checkpoint.pooling,
    )
    weights = {
        f"encoder.{name}": tensor
        for name, tensor in load_file(checkpoint.artifact.folder / WEIGHTS).items()
    }
    weights["head.weight"] = torch.from_numpy(head.weight)
    weights["head.bias"] = torch.from_numpy(head.bias)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise TrainingError(
            f"the weights of {checkpoint.artifact.folder} do not fit its configuration; train again"
        ) from error
    return model.eval()
