"""Small students of a trained model: its encoder with fewer layers, or with none."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from edge_runtime.console import Progress, no_progress
from edge_runtime.tokenization import Tokenizer
from trainer.config import Tier
from trainer.errors import TrainingError
from trainer.inference import embeddings_of
from trainer.model import IntentModel

__all__ = ["LAYERS", "make_student"]

LAYERS: dict[Tier, int] = {"layers-4": 4, "layers-3": 3, "layers-2": 2, "static": 0}
"""Layers of each student."""

# Where each family keeps its layers. In others a layer depends on its number.
_LAYERS_OF = {
    "bert": "encoder.layer",
    "roberta": "encoder.layer",
    "xlm-roberta": "encoder.layer",
    "distilbert": "transformer.layer",
}
_STATIC_FAMILY = "bert"


def make_student(
    teacher: IntentModel,
    tier: Tier,
    *,
    tokenizer: Tokenizer,
    static_width: int,
    device: torch.device,
    progress: Progress = no_progress,
) -> Any:
    """Make the encoder of a student from its teacher's; the teacher is left as it is.

    Fewer layers: the first and others at even distances, without the last (Sanh et al. 2019,
    arXiv 1910.01108, for taking a teacher's layers; Sajjad et al. 2020, arXiv 2004.03844, for
    leaving out upper ones). A static student has one vector for each token
    of the vocabulary: the teacher's embedding of that token alone, on its first principal
    components (as in model2vec, Minish 2024). It is a BERT with no layers, so everything that
    reads a checkpoint reads it too.

    Args:
        teacher: a trained model.
        tier: which student.
        tokenizer: the teacher's.
        static_width: numbers in a static student's embedding, at most the teacher's.
        device: where the teacher computes.
        progress: told each batch of tokens.

    Raises:
        TrainingError: there are no students of this family, or the teacher has too few layers.
    """
    family = teacher.config.model_type
    if family not in _LAYERS_OF or (tier == "static" and family != _STATIC_FAMILY):
        families = [_STATIC_FAMILY] if tier == "static" else sorted(_LAYERS_OF)
        raise TrainingError(
            f"there is no {tier} student of a {family} model; teachers can be: "
            f"{', '.join(families)}",
            tier=tier,
        )
    if tier == "static":
        vectors = _token_vectors(teacher, tokenizer, device, progress)
        return _static_encoder(teacher, _principal_components(vectors, static_width))
    return _with_fewer_layers(teacher.encoder, _LAYERS_OF[family], LAYERS[tier], tier=tier)


def _with_fewer_layers(encoder: Any, place: str, count: int, *, tier: str) -> Any:
    student = copy.deepcopy(encoder)
    parent_name, _, name = place.rpartition(".")
    parent = student.get_submodule(parent_name)
    layers = getattr(parent, name)
    if count >= len(layers):
        raise TrainingError(
            f"a {tier} student needs a teacher with more layers; this one has {len(layers)}; "
            "take a smaller tier",
            tier=tier,
        )
    setattr(parent, name, nn.ModuleList([layers[row] for row in _kept_layers(len(layers), count)]))
    student.config.num_hidden_layers = count
    return student


def _kept_layers(of: int, count: int) -> list[int]:
    # The last would be one more at the same distance. It reads what all layers below it made, and
    # a student has not these: a student of two layers was worse with it.
    return [round(row * (of - 1) / count) for row in range(count)]


def _token_vectors(
    teacher: IntentModel, tokenizer: Tokenizer, device: torch.device, progress: Progress
) -> Tensor:
    """The teacher's embedding of each token alone, shape (vocabulary, hidden)."""
    begin, end = _around(tokenizer.encode(""))
    tokens = range(teacher.config.vocab_size)
    return embeddings_of(
        teacher.to(device),
        [[*begin, token, *end] for token in tokens],
        padding_id=teacher.padding_id,
        device=device,
        progress=progress,
    )


def _around(empty: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    """The special tokens before and after a text, from those of an empty one."""
    middle = (len(empty) + 1) // 2
    return empty[:middle], empty[middle:]


def _principal_components(vectors: Tensor, width: int) -> Tensor:
    centred = vectors - vectors.mean(dim=0)
    _, directions = torch.linalg.eigh(centred.T @ centred)
    # Eigenvalues come in rising order.
    components: Tensor = centred @ directions.flip(1)[:, :width]
    return components


def _static_encoder(teacher: IntentModel, vectors: Tensor) -> Any:
    from transformers import AutoModel

    configuration = copy.deepcopy(teacher.config)
    configuration.num_hidden_layers = 0
    configuration.num_attention_heads = 1
    configuration.hidden_size = vectors.shape[1]
    configuration.intermediate_size = vectors.shape[1]
    encoder: Any = AutoModel.from_config(  # type: ignore[no-untyped-call]
        configuration, add_pooling_layer=False
    )
    table = encoder.embeddings
    with torch.no_grad():
        # BERT's normalisation of each token's vector follows: lengths do not matter.
        table.word_embeddings.weight.copy_(vectors)
        # Where a token stands is learnt, from nothing.
        table.position_embeddings.weight.zero_()
        table.token_type_embeddings.weight.zero_()
    return encoder
