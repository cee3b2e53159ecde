"""Training, on one page: dataset -> tokens -> class means -> fine-tuning -> checkpoint."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from edge_runtime.artifact import Artifact, produce_artifact
from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import BundleDamagedError, SettingsError
from edge_runtime.text import TextSettings
from edge_runtime.tokenization import Tokenizer
from trainer.base_model import BaseModel, find_base_model
from trainer.config import TrainSettings
from trainer.dataset import Dataset, Split, read_dataset
from trainer.errors import BaseModelError, ResumeError, TrainingError
from trainer.launching import is_launched

if TYPE_CHECKING:
    import torch

    from trainer.devices import Precision
    from trainer.fitting import Examples
    from trainer.processes import Processes
    from trainer.training_state import TrainingStateStore

__all__ = ["train"]

logger = logging.getLogger(__name__)

KIND = "checkpoint"
SAVE_EVERY_S = 30.0
REVISION = 3


def train(
    dataset_folder: Path,
    folder: Path,
    *,
    settings: TrainSettings,
    resume: bool = False,
    save_every_s: float = SAVE_EVERY_S,
    progress: Progress = no_progress,
) -> Artifact:
    """Fine-tune the base model on a dataset and write a checkpoint.

    A training that was killed goes on from its last state, which lies beside ``folder`` in
    ``<folder>.training``, and ends with the same bytes as one that was not. With other settings
    or other data it begins anew, unless ``resume`` says that it must go on.

    Under ``accelerate launch`` every process calls this with the same arguments. The main
    process alone writes; the others need the dataset and the base model, and get its result.

    Args:
        dataset_folder: made by ``build_dataset``.
        folder: the checkpoint to write; skipped when it is up to date.
        settings: see ``TrainSettings``.
        resume: refuse to begin anew.
        save_every_s: seconds between two states, at least; at the end of a pass.
        progress: told each step.

    Raises:
        ArtifactError: the dataset is missing or damaged.
        BaseModelError: the base model cannot be found or loaded.
        ResumeError: ``resume`` is asked for, and there is no state of this training.
        SettingsError: more tokens are asked for than the base model reads.
        TrainingError: the loss is not finite, the GPU's memory is too small, there is no GPU
            where one is asked for, or another process of the training is gone.
    """
    dataset = read_dataset(dataset_folder)
    base = find_base_model(settings.base_model)
    # Where a folder lies on this machine is nothing that the result depends on.
    own_settings = msgspec.structs.replace(settings, base_model=base.name)
    parents = {"dataset": dataset.digest, "base_model": base.digest}
    work = _Work(dataset, base, settings, progress)
    # Alone, nothing heavy is loaded before it is known that there is something to do.
    launched = _join(settings) if is_launched() else None
    if launched is not None and not launched.is_main:
        return _follow(work, launched)
    begun = False

    def make(partial: Path) -> dict[str, Any]:
        nonlocal begun
        from trainer.training_state import TrainingStateStore

        processes = launched or _join(settings)
        store = TrainingStateStore(
            folder.with_name(f"{folder.name}.training"),
            inputs={
                "settings": own_settings,
                "processes": processes.count,
                "revision": REVISION,
                **parents,
            },
        )
        _choose_start(store, resume=resume)
        begun = processes.hear(True)
        result = _train(work, processes, folder=partial, store=store, save_every_s=save_every_s)
        store.remove()
        return result

    artifact = produce_artifact(
        folder, kind=KIND, revision=REVISION, settings=own_settings, parents=parents, make=make
    )
    if launched is not None:
        if not begun:
            launched.hear(False)
        launched.hear(artifact)
    return artifact


def _join(settings: TrainSettings) -> Processes:
    from trainer.processes import join_processes

    return join_processes(settings.device)


class _Work(NamedTuple):
    """What every process of a training is given."""

    dataset: Dataset
    base: BaseModel
    settings: TrainSettings
    progress: Progress


def _follow(work: _Work, processes: Processes) -> Artifact:
    """Train along with the main process, which reads and writes for all."""
    if processes.hear():
        _train(work._replace(progress=no_progress), processes)
    artifact: Artifact = processes.hear()
    return artifact


def _choose_start(store: TrainingStateStore, *, resume: bool) -> None:
    """Keep the state of a killed training, or clear it away, or refuse."""
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
        logger.warning("beginning anew: the unfinished training was another one: %s", difference)
        store.remove()


def _train(
    work: _Work,
    processes: Processes,
    *,
    folder: Path | None = None,
    store: TrainingStateStore | None = None,
    save_every_s: float = 0.0,
) -> dict[str, Any]:
    """Train, and fill ``folder`` where there is one; return the document's result."""
    import torch

    from trainer.adapters import add_adapter, merge_adapter
    from trainer.checkpoint import save_adapter, save_model
    from trainer.devices import choose_precision, make_deterministic
    from trainer.fitting import fit
    from trainer.head import describe_head, initialize_from_class_means
    from trainer.inference import embeddings_of
    from trainer.model import IntentModel
    from trainer.pooling import choose_pooling

    dataset, base, settings, progress = work
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
    device = processes.device
    precision = choose_precision(settings.precision, device)
    encoder = _load(base, settings, device, precision)
    _check_max_tokens(settings.max_tokens, encoder, base)
    model = IntentModel(
        encoder,
        len(dataset.labels),
        normalized=settings.normalized,
        pooling=choose_pooling(encoder.config, name=base.name),
    )

    def embed() -> torch.Tensor:
        return embeddings_of(
            model.to(device),
            training.token_ids,
            padding_id=model.padding_id,
            device=device,
            processes=processes,
            progress=progress,
        )

    with _translating_memory_errors():
        initialize_from_class_means(
            model.head, embed(), labels, scale=settings.head_scale, normalized=settings.normalized
        )
        adapted = add_adapter(model, settings) if settings.method != "full" else None
        fitted = fit(
            model,
            training,
            validation,
            padding_id=model.padding_id,
            settings=settings,
            device=device,
            precision=precision,
            processes=processes,
            store=store,
            save_every_s=save_every_s,
            progress=progress,
        )
        if adapted is not None:
            if folder is not None:
                save_adapter(adapted, folder, base=base)
            merge_adapter(model, packed=settings.method == "qlora")
        embeddings = embed().numpy()
    if folder is None:
        return {}
    head = describe_head(model.head, embeddings, labels.numpy(), normalized=settings.normalized)
    save_model(model.to("cpu"), folder, head=head, labels=dataset.labels, text=text, base=base)
    return {
        "intents": len(dataset.labels),
        "utterances": len(training.labels),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        **msgspec.structs.asdict(fitted),
    }


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


@contextlib.contextmanager
def _translating_memory_errors() -> Iterator[None]:
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            "out of GPU memory outside the batches, which alone can be halved; set train.method "
            "to lora or qlora, train.max_tokens lower, or train.device to cpu"
        ) from error


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
