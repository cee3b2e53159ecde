"""A checkpoint whose weights are the mean of others'."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from edge_runtime.console import Progress
from trainer.checkpoint import Checkpoint, load_model, save_model
from trainer.dataset import Dataset
from trainer.devices import choose_device, make_deterministic
from trainer.examples import examples_of, open_tokenizer
from trainer.head import describe_head
from trainer.inference import embeddings_of
from trainer.model import IntentModel

__all__ = ["write_mean"]


def write_mean(
    members: Sequence[Checkpoint],
    dataset: Dataset,
    folder: Path,
    *,
    threads: int,
    device: str,
    progress: Progress,
) -> dict[str, Any]:
    """Fill the folder of a checkpoint with the mean of others.

    Its head's statistics, which out-of-scope scores need, are of the mean's own embeddings.

    Args:
        members: of one dataset and one base model or teacher, trained with the same settings but
            for the seed.
        dataset: what they were trained on.
        folder: gets the files; there is one.
        threads: processor threads; 0 leaves torch's own choice.
        device: ``auto``, ``cpu`` or ``cuda``: where texts are embedded.
        progress: told each step.

    Returns:
        The document's result, with what each training did.

    Raises:
        TrainingError: the weights of one do not fit its configuration.
    """
    first = members[0]
    make_deterministic(0, threads)
    model, place = _mean_model(members, progress), choose_device(device)
    tokenizer = open_tokenizer(first.base, max_tokens=first.text.max_tokens)
    training = examples_of(dataset.train, dataset.labels, tokenizer)
    embeddings = embeddings_of(
        model.to(place),
        training.token_ids,
        padding_id=model.padding_id,
        device=place,
        progress=progress,
    )
    head = describe_head(
        model.head,
        embeddings.numpy(),
        torch.tensor(training.labels).numpy(),
        normalized=first.head().normalized,
    )
    save_model(
        model.to("cpu"), folder, head=head, labels=first.labels, text=first.text, base=first.base
    )
    results = [one.artifact.document.result for one in members]
    return {
        **{
            name: results[0][name]
            for name in ("intents", "utterances", "intent_names_learnt", "parameters")
        },
        "trainings": [
            {name: one[name] for name in ("epochs", "best_epoch", "history")} for one in results
        ],
    }


def _mean_model(members: Sequence[Checkpoint], progress: Progress) -> IntentModel:
    """The model whose every weight is the mean of the members'; one is in memory at a time."""
    model: IntentModel = load_model(members[0])
    sums = {name: one.double() for name, one in model.state_dict().items()}
    for number, member in enumerate(members[1:], start=2):
        progress("averaging", number, len(members), "")
        for name, one in load_model(member).state_dict().items():
            sums[name] += one
    with torch.no_grad():
        for name, one in model.state_dict().items():
            one.copy_(sums[name] / len(members))
    return model
