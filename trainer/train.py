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
from edge_runtime.errors import SettingsError
from edge_runtime.text import TextSettings
from trainer.base_model import BaseModel, find_base_model
from trainer.config import TrainSettings
from trainer.dataset import Dataset, read_dataset
from trainer.errors import ResumeError, TrainingError
from trainer.examples import Examples, examples_of, examples_of_names, open_tokenizer
from trainer.intent_names import names_tell
from trainer.launching import is_launched
from trainer.observer import NoObserver, TrainingObserver

if TYPE_CHECKING:
    import torch

    from trainer.devices import Precision
    from trainer.processes import Processes
    from trainer.teaching import Teaching
    from trainer.training_state import TrainingStateStore

__all__ = ["train"]

logger = logging.getLogger(__name__)

KIND = "checkpoint"
SAVE_EVERY_S = 30.0
REVISION = 4


def train(
    dataset_folder: Path,
    folder: Path,
    *,
    settings: TrainSettings,
    teaching: Teaching | None = None,
    resume: bool = False,
    save_every_s: float = SAVE_EVERY_S,
    observer: TrainingObserver | None = None,
    progress: Progress = no_progress,
) -> Artifact:
    """Fine-tune the base model, or a student of a teacher, on a dataset and write a checkpoint.

    A training that was killed goes on from its last state, which lies beside ``folder`` in
    ``<folder>.training``, and ends with the same bytes as one that was not. With other settings
    or other data it begins anew, unless ``resume`` says that it must go on.

    Under ``accelerate launch`` every process calls this with the same arguments. The main
    process alone writes; the others need the dataset and the base model, and get its result.

    Args:
        dataset_folder: made by ``build_dataset``.
        folder: the checkpoint to write; skipped when it is up to date.
        settings: see ``TrainSettings``; a student takes no base model and no method from it.
        teaching: trains a small student of this teacher, in place of the base model.
        resume: refuse to begin anew.
        save_every_s: seconds between two states, at least; at the end of a pass.
        observer: watches the training, such as ``trainer.tracking``'s record of it.
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
    if teaching is None:
        base = find_base_model(settings.base_model)
        parents = {"dataset": dataset.digest, "base_model": base.digest}
    else:
        teaching.check(dataset.labels)
        base, settings = teaching.base, teaching.adapt(settings)
        parents = {"dataset": dataset.digest, "teacher": teaching.checkpoint.artifact.digest}
    # Where a folder lies on this machine is nothing that the result depends on.
    own_settings = msgspec.structs.asdict(settings) | {"base_model": base.name}
    if teaching is not None:
        own_settings["distillation"] = msgspec.structs.asdict(teaching.settings)
    work = _Work(dataset, base, settings, teaching, progress)
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
        watching = observer or NoObserver()
        watching.begin(
            {"settings": own_settings, **parents}, resumed=_choose_start(store, resume=resume)
        )
        begun = processes.hear(True)
        result = _train(
            work,
            processes,
            folder=partial,
            store=store,
            save_every_s=save_every_s,
            observer=watching,
        )
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
    teaching: Teaching | None
    progress: Progress


def _follow(work: _Work, processes: Processes) -> Artifact:
    """Train along with the main process, which reads and writes for all."""
    if processes.hear():
        _train(work._replace(progress=no_progress), processes)
    artifact: Artifact = processes.hear()
    return artifact


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
        logger.warning("beginning anew: the unfinished training was another one: %s", difference)
        store.remove()
    return difference == ""


def _train(
    work: _Work,
    processes: Processes,
    *,
    folder: Path | None = None,
    store: TrainingStateStore | None = None,
    save_every_s: float = 0.0,
    observer: TrainingObserver | None = None,
) -> dict[str, Any]:
    """Train, and fill ``folder`` where there is one; return the document's result."""
    import torch

    from trainer.adapters import add_adapter, merge_adapter
    from trainer.checkpoint import save_adapter, save_model
    from trainer.devices import choose_precision, make_deterministic
    from trainer.fitting import fit
    from trainer.head import class_means, describe_head, initialize_from_class_means
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
    labels = torch.tensor(training.labels)

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

    with _translating_memory_errors():
        embeddings, of_names = embed(training), embed(names)
        means = class_means(embeddings, labels, count=len(dataset.labels))
        named = names_tell(of_names, torch.tensor(names.labels, dtype=torch.int64), means)
        learnt = training
        if named:
            learnt = training.joined(names)
            embeddings = torch.cat([embeddings, of_names])
        initialize_from_class_means(
            model.head,
            embeddings,
            torch.tensor(learnt.labels),
            scale=settings.head_scale,
            normalized=settings.normalized,
        )
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
        fitted = fit(
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
        if adapted is not None:
            if folder is not None:
                save_adapter(adapted, folder, base=base)
            merge_adapter(model, packed=settings.method == "qlora")
        embeddings = embed(training)
    if folder is None:
        return {}
    head = describe_head(
        model.head, embeddings.numpy(), labels.numpy(), normalized=settings.normalized
    )
    save_model(model.to("cpu"), folder, head=head, labels=dataset.labels, text=text, base=base)
    return {
        "intents": len(dataset.labels),
        "utterances": len(training.labels),
        "intent_names_learnt": named,
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
