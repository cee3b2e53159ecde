"""Running a model over many texts in batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from trainer.checkpoint import load_model, read_checkpoint
from trainer.inference import embeddings_of
from trainer.model import IntentModel

CPU = torch.device("cpu")
# More rows than one batch has, of many lengths.
ROWS = [[2, *range(40, 40 + length % 17 + 1), 3] for length in range(150)]


@pytest.fixture(scope="module")
def model(tiny_line) -> IntentModel:
    loaded: IntentModel = load_model(read_checkpoint(tiny_line.checkpoint))
    return loaded


def alone(model: IntentModel, row: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        ids = torch.tensor([row])
        return model.embed(ids, torch.ones_like(ids))[0]


def test_embeddings_stand_in_the_order_of_the_texts_and_padding_changes_nothing(
    model: IntentModel,
) -> None:
    found = embeddings_of(model, ROWS, padding_id=0, device=CPU)
    assert (found.shape, found.dtype) == ((len(ROWS), 64), torch.float32)
    for row in (0, 1, 16, 77, 149):
        torch.testing.assert_close(found[row], alone(model, ROWS[row]), atol=1e-5, rtol=1e-4)


def test_embeddings_are_what_the_head_reads(model: IntentModel, tiny_line) -> None:
    head = read_checkpoint(tiny_line.checkpoint).head()
    row = ROWS[7]
    ids = torch.tensor([row])
    with torch.inference_mode():
        logits = model(ids, torch.ones_like(ids)).logits[0].numpy()
    found = embeddings_of(model, [row], padding_id=0, device=CPU).numpy()
    np.testing.assert_allclose(head.logits(found)[0], logits, atol=1e-4)


def test_no_texts_give_no_embeddings(model: IntentModel) -> None:
    assert embeddings_of(model, [], padding_id=0, device=CPU).shape == (0, 64)


def test_progress_ends_at_the_number_of_texts(model: IntentModel) -> None:
    told: list[tuple[str, int, int]] = []

    def tell(what: str, done: int, total: int, _note: str = "") -> None:
        told.append((what, done, total))

    embeddings_of(model, ROWS, padding_id=0, device=CPU, progress=tell)
    assert told == [("embedding", 128, 150), ("embedding", 150, 150)]


@pytest.mark.parametrize("training", [True, False])
def test_a_model_in_training_answers_without_dropout_and_trains_on(
    tiny_line, training: bool
) -> None:
    model = load_model(read_checkpoint(tiny_line.checkpoint)).train(training)
    first = embeddings_of(model, ROWS, padding_id=0, device=CPU)
    assert torch.equal(first, embeddings_of(model, ROWS, padding_id=0, device=CPU))
    assert model.training is training
