"""A checkpoint whose weights are the mean of others'."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from edge_runtime.console import Progress, no_progress
from trainer.checkpoint import Checkpoint, load_model, read_checkpoint, save_model
from trainer.devices import make_deterministic, translating_memory_errors
from trainer.examples import examples_of, open_tokenizer
from trainer.head import describe_head
from trainer.inference import embeddings_of
from trainer.model import IntentModel
from trainer.processes import Processes
from trainer.training_inputs import TrainingInputs

__all__ = ["make_mean"]

_OF_EACH = ("epochs", "best_epoch", "last_epoch_loss", "history", "batch_parts", "precision")


def make_mean(
    members: Sequence[Path],
    inputs: TrainingInputs,
    folder: Path | None,
    *,
    processes: Processes,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Fill the folder of a checkpoint with the mean of others.

    Its head's statistics, which out-of-scope scores need, are of the mean's own embeddings.
    Every process calls this, and embeds its share of the texts.

    Args:
        members: checkpoints that were trained with these inputs but for the seed. Only the main
            process reads them: other machines have none.
        inputs: of each training.
        folder: gets the files; there is one. ``None`` in all but the main process.
        processes: those that train together.
        progress: told each step.

    Returns:
        The document's result, with what each training did; empty in all but the main process.

    Raises:
        ArtifactError: a member is missing or damaged.
        TrainingError: the weights of one do not fit its configuration, the GPU's memory is too
            small, or another process is gone.
    """
    settings = inputs.train_settings
    make_deterministic(settings.seed, settings.threads)
    checkpoints = [read_checkpoint(one) for one in members] if folder is not None else []
    tokenizer = open_tokenizer(inputs.base, max_tokens=settings.max_tokens)
    training = examples_of(inputs.dataset.train, inputs.dataset.labels, tokenizer)
    mean = _mean_model(checkpoints, progress) if folder is not None else None
    model: IntentModel = processes.hear(mean)
    with translating_memory_errors():
        embeddings = embeddings_of(
            model.to(processes.device),
            training.token_ids,
            padding_id=model.padding_id,
            device=processes.device,
            processes=processes,
            progress=progress if folder is not None else no_progress,
        )
    if folder is None:
        return {}
    first = checkpoints[0]
    head = describe_head(
        model.head,
        embeddings.numpy(),
        torch.tensor(training.labels).numpy(),
        normalized=first.head().normalized,
    )
    save_model(
        model.to("cpu"), folder, head=head, labels=first.labels, text=first.text, base=first.base
    )
    documents = [one.artifact.document.result for one in checkpoints]
    common = {name: value for name, value in documents[0].items() if name not in _OF_EACH}
    each = [
        {"checkpoint": one.artifact.digest}
        | {name: document[name] for name in _OF_EACH if name in document}
        for one, document in zip(checkpoints, documents, strict=True)
    ]
    return {**common, "trainings": each}


def _mean_model(members: Sequence[Checkpoint], progress: Progress) -> IntentModel:
    """The model whose every weight is the mean of the members'; two are in memory at a time."""
    model: IntentModel = load_model(members[0])
    means = model.state_dict()
    for number, member in enumerate(members[1:], start=2):
        progress("averaging", number, len(members), "")
        others = load_model(member).state_dict()
        for name, mean in means.items():
            # What is counted or looked up, such as positions, is the same in all.
            if mean.is_floating_point():
                mean.add_(others[name] - mean, alpha=1 / number)
        del others  # before the next is read
    return model
