"""Utterances and names of intents as a model sees them: token ids and label numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edge_runtime.errors import BundleDamagedError
from edge_runtime.tokenization import Tokenizer
from trainer.base_model import BaseModel
from trainer.dataset import Split
from trainer.errors import BaseModelError
from trainer.intent_names import words_of

__all__ = ["Examples", "examples_of", "examples_of_names", "open_tokenizer"]


class Examples(NamedTuple):
    """In-scope utterances with their intents."""

    token_ids: Sequence[Sequence[int]]
    """One row an utterance."""
    labels: Sequence[int]
    """One label number an utterance."""
    texts: Sequence[str] = ()
    """What the rows say; empty where nobody asks."""

    def joined(self, other: Examples) -> Examples:
        """These, and others after them."""
        return Examples(
            token_ids=[*self.token_ids, *other.token_ids],
            labels=[*self.labels, *other.labels],
            texts=[*self.texts, *other.texts],
        )


def open_tokenizer(base: BaseModel, *, max_tokens: int) -> Tokenizer:
    """Open a base model's tokenizer.

    Args:
        base: which.
        max_tokens: longer texts are cut to so many tokens, special ones included.

    Raises:
        BaseModelError: it cannot be read.
    """
    try:
        return Tokenizer(Path(base.location) / "tokenizer.json", max_tokens=max_tokens)
    except BundleDamagedError as error:
        raise BaseModelError(
            f"the tokenizer.json of base model {base.name} cannot be read; save it again "
            "(tokenizer.save_pretrained)",
            name=base.name,
        ) from error


def examples_of(split: Split, labels: Sequence[str], tokenizer: Tokenizer) -> Examples:
    """The utterances of a split that have an intent.

    Args:
        split: utterances out of scope are left out.
        labels: names in the order of the label numbers.
        tokenizer: of the model.
    """
    in_scope = split.in_scope()
    _, numbers = in_scope.truth(labels)
    return Examples(
        token_ids=tokenizer.encode_many(in_scope.texts),
        labels=numbers.tolist(),
        texts=in_scope.texts,
    )


def examples_of_names(labels: Sequence[str], tokenizer: Tokenizer) -> Examples:
    """The names of intents that hold words, as utterances."""
    named = [(number, words) for number, label in enumerate(labels) if (words := words_of(label))]
    texts = [words for _, words in named]
    return Examples(
        token_ids=tokenizer.encode_many(texts),
        labels=[number for number, _ in named],
        texts=texts,
    )
