"""The training of a model itself: tokens -> class means -> fine-tuning -> files of a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from edge_runtime.console import Progress
from edge_runtime.errors import SettingsError
from edge_runtime.text import TextSettings
from trainer.base_model import BaseModel
from trainer.config import TrainSettings
from trainer.dataset import Dataset
from trainer.errors import NotFiniteError
from trainer.examples import Examples, examples_of, examples_of_names, open_tokenizer
from trainer.intent_names import names_tell

if TYPE_CHECKING:
    import torch

    from trainer.devices import Precision
    from trainer.model import IntentModel
    from trainer.observer import TrainingObserver
    from trainer.processes import Processes
    from trainer.teaching import Teaching
    from trainer.training_state import TrainingStateStore

__all__ = ["Outcome", "Work", "train_model"]


class Work(NamedTuple):
    """What every process of a training is given."""

    dataset: Dataset
    base: BaseModel
    settings: TrainSettings
    teaching: Teaching | None
    progress: Progress


class Outcome(NamedTuple):
    """What came of a training."""

    result: dict[str, Any]
    """The document's; empty in a process that writes nothing, or when nothing was good."""
    failure: NotFiniteError | None = None
    """Why it ended early."""


def train_model(
    work: Work,
    processes: Processes,
    *,
    folder: Path | None = None,
    store: TrainingStateStore | None = None,
    save_every_s: float = 0.0,
    observer: TrainingObserver | None = None,
) -> Outcome:
    """Train, and fill ``folder`` where there is one.

    Args:
        work: what is trained on what.
        processes: those of this training.
        folder: gets the files of a checkpoint; only the main process has one.
        store: keeps states of the unfinished training; the main process alone has one.
        save_every_s: seconds between two states, at least; at the end of a pass.
        observer: watches the training.

    Raises:
        BaseModelError: the base model cannot be loaded.
        SettingsError: more tokens are asked for than the base model reads.
        TrainingError: the GPU's memory is too small, or the training cannot go on.
    """
    import torch

    from trainer.adapters import add_adapter, merge_adapter
    from trainer.checkpoint import save_adapter, save_model
    from trainer.devices import (
        choose_precision,
        make_deterministic,
        translating_memory_errors,
    )
    from trainer.fitting import fit
    from trainer.head import describe_head
    from trainer.inference import embeddings_of
    from trainer.model import IntentModel
    from trainer.pooling import choose_pooling

    dataset, base, settings, teaching, progress = work
    text = TextSettings(
        normalization="nfc-single-spaces",
        max_characters=settings.max_characters,
        max_tokens=settings.max_tokens,
    )
    tokenizer = open_tokenizer(base, max_tokens=settings.max_tokens)
    training = examples_of(dataset.train, dataset.labels, tokenizer)
    validation = examples_of(dataset.validation, dataset.labels, tokenizer)
    names = examples_of_names(dataset.labels if settings.intent_names else (), tokenizer)

    make_deterministic(settings.seed, settings.threads)
    device = processes.device
    precision = choose_precision(settings.precision, device)
    if teaching is None:
        encoder = _load(base, settings, device, precision)
    else:
        encoder = teaching.make_student(tokenizer, device=device, progress=progress)
    _check_max_tokens(settings.max_tokens, encoder, base)
    model = IntentModel(
        encoder,
        len(dataset.labels),
        normalized=settings.normalized,
        pooling=choose_pooling(encoder.config, name=base.name),
    )

    def embed(examples: Examples) -> torch.Tensor:
        return embeddings_of(
            model.to(device),
            examples.token_ids,
            padding_id=model.padding_id,
            device=device,
            processes=processes,
            progress=progress,
        )

    with translating_memory_errors():
        learnt = _begin_head(model, training, names, embed=embed, settings=settings)
        named = learnt is not training
        lesson = None
        if teaching is not None:
            lesson = teaching.ask(
                learnt,
                tokenizer,
                inputs={"dataset": dataset.digest, "intent_names": str(named)},
                processes=processes,
                progress=progress,
            )
        adapted = add_adapter(model, settings) if settings.method != "full" else None
        failure: NotFiniteError | None = None
        try:
            fitted: Mapping[str, Any] = msgspec.structs.asdict(
                fit(
                    model,
                    learnt,
                    validation,
                    padding_id=model.padding_id,
                    settings=settings,
                    device=device,
                    precision=precision,
                    lesson=lesson,
                    processes=processes,
                    store=store,
                    save_every_s=save_every_s,
                    observer=observer,
                    progress=progress,
                )
            )
        except NotFiniteError as error:
            if error.fitted is None:
                return Outcome({}, error)
            failure, fitted = error, error.fitted
        if adapted is not None:
            if folder is not None:
                save_adapter(adapted, folder, base=base)
            merge_adapter(model, packed=settings.method == "qlora")
        embeddings = embed(training)
    if folder is None:
        return Outcome({}, failure)
    head = describe_head(
        model.head,
        embeddings.numpy(),
        torch.tensor(training.labels).numpy(),
        normalized=settings.normalized,
    )
    save_model(model.to("cpu"), folder, head=head, labels=dataset.labels, text=text, base=base)
    result = {
        "intents": len(dataset.labels),
        "utterances": len(training.labels),
        "intent_names_learnt": named,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "precision": precision,
        **fitted,
    }
    return Outcome(result | _other_rate(settings, model), failure)


def _begin_head(
    model: IntentModel,
    training: Examples,
    names: Examples,
    *,
    embed: Callable[[Examples], torch.Tensor],
    settings: TrainSettings,
) -> Examples:
    """Let the head begin with the class means; return what is learnt from, with names that tell."""
    import torch

    from trainer.head import class_means, initialize_from_class_means

    embeddings, of_names = embed(training), embed(names)
    means = class_means(embeddings, torch.tensor(training.labels), count=model.head.out_features)
    learnt = training
    if names_tell(of_names, torch.tensor(names.labels, dtype=torch.int64), means):
        learnt = training.joined(names)
        embeddings = torch.cat([embeddings, of_names])
    initialize_from_class_means(
        model.head,
        embeddings,
        torch.tensor(learnt.labels),
        scale=settings.head_scale,
        normalized=settings.normalized,
    )
    return learnt


def _other_rate(settings: TrainSettings, model: IntentModel) -> dict[str, float]:
    """The encoder's rate, where it is not that of the settings."""
    from trainer.optimization import name_of_rate, rate_for

    used = rate_for(settings, model.config)
    return {} if used == getattr(settings, name_of_rate(settings)) else {"encoder_rate": used}


def _load(
    base: BaseModel, settings: TrainSettings, device: torch.device, precision: Precision
) -> Any:
    from trainer.model import load_encoder

    if settings.method != "qlora":
        return load_encoder(base)
    from trainer.quantization import four_bit, prepare_four_bit

    encoder = load_encoder(base, quantization=four_bit(precision), device=device)
    prepare_four_bit(encoder)
    return encoder


def _check_max_tokens(wanted: int, encoder: Any, base: BaseModel) -> None:
    positions = getattr(encoder.config, "max_position_embeddings", None)
    table = getattr(getattr(encoder, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    if positions is not None and padding is not None:
        # RoBERTa and its kin number positions from behind the padding token.
        positions -= padding + 1
    if positions is not None and wanted > positions:
        raise SettingsError(
            f"train.max_tokens is {wanted}, but base model {base.name} reads at most {positions} "
            "tokens; set train.max_tokens lower",
            section="train",
            name="max_tokens",
        )
