"""Training, on one page: dataset -> tokens -> class means -> fine-tuning -> checkpoint."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edge_runtime.artifact import Artifact, produce_artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import BundleDamagedError, SettingsError
from edge_runtime.text import TextSettings
from edge_runtime.tokenization import Tokenizer
from trainer.base_model import BaseModel, find_base_model
from trainer.config import TrainSettings
from trainer.dataset import Dataset, Split, read_dataset
from trainer.errors import BaseModelError, ResumeError
from trainer.observer import NoObserver, TrainingObserver

if TYPE_CHECKING:
    from trainer.fitting import Examples
    from trainer.training_state import TrainingStateStore

__all__ = ["train"]

logger = logging.getLogger(__name__)

KIND = "checkpoint"
SAVE_EVERY_S = 30.0
REVISION = 2


def train(
    dataset_folder: Path,
    folder: Path,
    *,
    settings: TrainSettings,
    resume: bool = False,
    save_every_s: float = SAVE_EVERY_S,
    observer: TrainingObserver | None = None,
    progress: Progress = no_progress,
) -> Artifact:
    """Fine-tune the base model on a dataset and write a checkpoint.

    A training that was killed goes on from its last state, which lies beside ``folder`` in
    ``<folder>.training``, and ends with the same bytes as one that was not. With other settings
    or other data it begins anew, unless ``resume`` says that it must go on.

    Args:
        dataset_folder: made by ``build_dataset``.
        folder: the checkpoint to write; skipped when it is up to date.
        settings: see ``TrainSettings``.
        resume: refuse to begin anew.
        save_every_s: seconds between two states, at least; at the end of a pass.
        observer: watches the training, such as ``trainer.tracking``'s record of it.
        progress: told each step.

    Raises:
        ArtifactError: the dataset is missing or damaged.
        BaseModelError: the base model cannot be found or loaded.
        ResumeError: ``resume`` is asked for, and there is no state of this training.
        SettingsError: more tokens are asked for than the base model reads.
        TrainingError: the loss is not finite, or no GPU where one is asked for.
    """
    dataset = read_dataset(dataset_folder)
    base = find_base_model(settings.base_model)
    # Where a folder lies on this machine is nothing that the result depends on.
    own_settings = msgspec.structs.replace(settings, base_model=base.name)
    parents = {"dataset": dataset.digest, "base_model": base.digest}

    def make(partial: Path) -> dict[str, Any]:
        from trainer.training_state import TrainingStateStore

        inputs = {"settings": own_settings, **parents}
        store = TrainingStateStore(folder.with_name(f"{folder.name}.training"), inputs=inputs)
        watching = observer or NoObserver()
        watching.begin(inputs, resumed=_choose_start(store, resume=resume))
        result = _train(dataset, base, partial, settings, store, save_every_s, watching, progress)
        store.remove()
        return result

    return produce_artifact(
        folder, kind=KIND, revision=REVISION, settings=own_settings, parents=parents, make=make
    )


def _choose_start(store: TrainingStateStore, *, resume: bool) -> bool:
    """Keep the state of a killed training (then true), or clear it away, or refuse."""
    difference = store.difference()
    if difference is None:
        if resume:
            raise ResumeError(
                f"there is no unfinished training at {store.folder}; train without --resume",
                folder=store.folder,
            )
    elif difference:
        if resume:
            raise ResumeError(
                f"the unfinished training at {store.folder} is another one: {difference}; give it "
                "the same settings and data, or train without --resume to begin anew",
                folder=store.folder,
                difference=difference,
            )
        logger.info("beginning anew: the unfinished training was another one: %s", difference)
        store.remove()
    return difference == ""


def _train(
    dataset: Dataset,
    base: BaseModel,
    folder: Path,
    settings: TrainSettings,
    store: TrainingStateStore,
    save_every_s: float,
    observer: TrainingObserver,
    progress: Progress,
) -> dict[str, Any]:
    import numpy as np
    import torch

    from trainer.adapters import add_adapter, merge_adapter
    from trainer.checkpoint import save_adapter, save_model
    from trainer.devices import choose_device, choose_precision, make_deterministic
    from trainer.fitting import fit
    from trainer.head import describe_head, initialize_from_class_means
    from trainer.inference import embeddings_of
    from trainer.model import IntentModel, load_encoder

    text = TextSettings(
        normalization="nfc-single-spaces",
        max_characters=settings.max_characters,
        max_tokens=settings.max_tokens,
    )
    tokenizer = _open_tokenizer(base, settings)
    training = _examples(dataset.train, dataset.labels, tokenizer)
    validation = _examples(dataset.validation, dataset.labels, tokenizer)
    labels = torch.tensor(training.labels)

    make_deterministic(settings.seed, settings.threads)
    device = choose_device(settings.device)
    encoder = load_encoder(base)
    _check_max_tokens(settings.max_tokens, encoder, base)
    model = IntentModel(encoder, len(dataset.labels), normalized=settings.normalized)
    padding_id = model.config.pad_token_id or 0

    def embed() -> torch.Tensor:
        return embeddings_of(
            model.to(device),
            training.token_ids,
            padding_id=padding_id,
            device=device,
            progress=progress,
        )

    initialize_from_class_means(
        model.to(device).head,
        embed(),
        labels,
        scale=settings.head_scale,
        normalized=settings.normalized,
    )
    adapted = add_adapter(model, settings) if settings.method == "lora" else None
    fitted = fit(
        model,
        training,
        validation,
        padding_id=padding_id,
        settings=settings,
        device=device,
        precision=choose_precision(settings.precision, device),
        store=store,
        save_every_s=save_every_s,
        observer=observer,
        progress=progress,
    )
    if adapted is not None:
        save_adapter(adapted, folder, base=base)
        merge_adapter(model)
    head = describe_head(
        model.head, embed().numpy(), np.array(training.labels), normalized=settings.normalized
    )
    save_model(model.to("cpu"), folder, head=head, labels=dataset.labels, text=text, base=base)
    return {
        "intents": len(dataset.labels),
        "utterances": len(training.labels),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        **msgspec.structs.asdict(fitted),
    }


def _open_tokenizer(base: BaseModel, settings: TrainSettings) -> Tokenizer:
    try:
        return Tokenizer(Path(base.location) / "tokenizer.json", max_tokens=settings.max_tokens)
    except BundleDamagedError as error:
        raise BaseModelError(
            f"the tokenizer.json of base model {base.name} cannot be read; save it again "
            "(tokenizer.save_pretrained)",
            name=base.name,
        ) from error


def _examples(split: Split, labels: tuple[str, ...], tokenizer: Tokenizer) -> Examples:
    from trainer.fitting import Examples

    in_scope = split.in_scope()
    numbers = {label: number for number, label in enumerate(labels)}
    return Examples(
        token_ids=tokenizer.encode_many(in_scope.texts),
        labels=[numbers[intent] for intent in in_scope.intents if intent is not None],
    )


def _check_max_tokens(wanted: int, encoder: Any, base: BaseModel) -> None:
    positions = getattr(encoder.config, "max_position_embeddings", None)
    if positions is not None and wanted > positions:
        raise SettingsError(
            f"train.max_tokens is {wanted}, but base model {base.name} reads at most {positions} "
            "tokens; set train.max_tokens lower",
            section="train",
            name="max_tokens",
        )
