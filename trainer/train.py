"""Training, on one page: dataset -> tokens -> class means -> LoRA -> merged checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.artifact import Artifact, produce_artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import BundleDamagedError, SettingsError
from edge_runtime.text import TextSettings
from edge_runtime.tokenization import Tokenizer
from trainer.base_model import BaseModel, find_base_model
from trainer.config import TrainSettings
from trainer.dataset import Dataset, read_dataset
from trainer.errors import BaseModelError

__all__ = ["train"]

KIND = "checkpoint"
REVISION = 2


def train(
    dataset_folder: Path,
    folder: Path,
    *,
    settings: TrainSettings,
    progress: Progress = no_progress,
) -> Artifact:
    """Fine-tune the base model on a dataset and write a checkpoint.

    Args:
        dataset_folder: made by ``build_dataset``.
        folder: the checkpoint to write; skipped when it is up to date.
        settings: see ``TrainSettings``.
        progress: told each step.

    Raises:
        ArtifactError: the dataset is missing or damaged.
        BaseModelError: the base model cannot be found or loaded.
        SettingsError: more tokens are asked for than the base model reads.
        TrainingError: the loss is not finite, or no GPU where one is asked for.
    """
    dataset = read_dataset(dataset_folder)
    base = find_base_model(settings.base_model)

    def make(partial: Path) -> dict[str, Any]:
        return _train(dataset, base, partial, settings, progress)

    return produce_artifact(
        folder,
        kind=KIND,
        revision=REVISION,
        # Where a folder lies on this machine is nothing that the result depends on.
        settings=msgspec.structs.replace(settings, base_model=base.name),
        parents={"dataset": dataset.digest, "base_model": base.digest},
        make=make,
    )


def _train(
    dataset: Dataset,
    base: BaseModel,
    folder: Path,
    settings: TrainSettings,
    progress: Progress,
) -> dict[str, Any]:
    import numpy as np
    import torch

    from trainer.checkpoint import save_adapter, save_model
    from trainer.fitting import add_adapter, choose_device, fit, make_deterministic, merge_adapter
    from trainer.head import describe_head, initialize_from_class_means
    from trainer.inference import embeddings_of
    from trainer.model import IntentModel, load_encoder

    text = TextSettings(
        normalization="nfc-single-spaces",
        max_characters=settings.max_characters,
        max_tokens=settings.max_tokens,
    )
    try:
        tokenizer = Tokenizer(
            Path(base.location) / "tokenizer.json", max_tokens=settings.max_tokens
        )
    except BundleDamagedError as error:
        raise BaseModelError(
            f"the tokenizer.json of base model {base.name} cannot be read; save it again "
            "(tokenizer.save_pretrained)",
            name=base.name,
        ) from error
    in_scope = dataset.train.in_scope()
    numbers = {label: number for number, label in enumerate(dataset.labels)}
    labels = [numbers[intent] for intent in in_scope.intents if intent is not None]
    token_ids = tokenizer.encode_many(in_scope.texts)

    make_deterministic(settings.seed, settings.threads)
    device = choose_device(settings.device)
    encoder = load_encoder(base)
    _check_max_tokens(settings.max_tokens, encoder, base)
    model = IntentModel(encoder, len(dataset.labels), normalized=settings.normalized)
    padding_id = model.config.pad_token_id or 0
    model.to(device)
    embeddings = embeddings_of(
        model, token_ids, padding_id=padding_id, device=device, progress=progress
    )
    initialize_from_class_means(
        model.head,
        embeddings,
        torch.tensor(labels),
        scale=settings.head_scale,
        normalized=settings.normalized,
    )
    adapted = add_adapter(model, settings)
    loss = fit(
        model,
        token_ids,
        labels,
        padding_id=padding_id,
        settings=settings,
        device=device,
        progress=progress,
    )
    model.to("cpu")
    save_adapter(adapted, folder, base=base)
    merge_adapter(model)
    model.to(device)
    trained = embeddings_of(
        model, token_ids, padding_id=padding_id, device=device, progress=progress
    )
    model.to("cpu")
    head = describe_head(
        model.head, trained.numpy(), np.array(labels), normalized=settings.normalized
    )
    save_model(model, folder, head=head, labels=dataset.labels, text=text, base=base)
    return {
        "intents": len(dataset.labels),
        "utterances": len(token_ids),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "last_epoch_loss": loss,
    }


def _check_max_tokens(wanted: int, encoder: Any, base: BaseModel) -> None:
    positions = getattr(encoder.config, "max_position_embeddings", None)
    if positions is not None and wanted > positions:
        raise SettingsError(
            f"train.max_tokens is {wanted}, but base model {base.name} reads at most {positions} "
            "tokens; set train.max_tokens lower",
            section="train",
            name="max_tokens",
        )
