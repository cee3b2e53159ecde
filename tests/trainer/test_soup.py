"""A model that is the mean of several trainings."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from edge_runtime.artifact import Artifact
from trainer.checkpoint import load_model, read_checkpoint
from trainer.config import CalibrationSettings, SoupSettings, TrainSettings
from trainer.dataset import read_dataset
from trainer.evaluate import evaluate, read_evaluation, settings_behind
from trainer.examples import examples_of, open_tokenizer
from trainer.head import describe_head
from trainer.inference import embeddings_of
from trainer.soup import settings_of_trainings, train_soup
from trainer.train import train

THREE = SoupSettings(trainings=3)


@pytest.fixture
def train_in(tiny_line: Any, tiny_train_settings: TrainSettings) -> Callable[..., Artifact]:
    """Train a soup into a folder; the tiny model's usual training, as often as asked."""

    def give(folder: Path, soup: SoupSettings = THREE, **options: Any) -> Artifact:
        def train_one(place: Path, settings: TrainSettings) -> Artifact:
            return train(tiny_line.dataset, place, settings=settings, **options)

        return train_soup(
            train_one, tiny_line.dataset, folder, settings=tiny_train_settings, soup=soup
        )

    return give


@pytest.fixture(scope="module")
def made(
    tiny_line: Any, tiny_train_settings: TrainSettings, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Three trainings and their mean, in ``model``; not to be changed."""
    folder = tmp_path_factory.mktemp("soup") / "model"
    train_soup(
        lambda place, settings: train(tiny_line.dataset, place, settings=settings),
        tiny_line.dataset,
        folder,
        settings=tiny_train_settings,
        soup=THREE,
    )
    return folder


def members_of(folder: Path) -> list[Path]:
    return sorted(folder.with_name(f"{folder.name}.trainings").iterdir())


def test_every_weight_is_the_mean_of_those_of_the_trainings(made: Path) -> None:
    members = members_of(made)
    assert [one.name for one in members] == ["1", "2", "3"]
    single = [load_file(one / "weights.safetensors") for one in members]
    mean = load_file(made / "weights.safetensors")
    assert mean.keys() == single[0].keys()
    for name, tensor in mean.items():
        assert torch.allclose(tensor, torch.stack([one[name] for one in single]).mean(0), atol=1e-7)
    changed = [name for name in mean if not torch.equal(single[0][name], single[1][name])]
    assert len(changed) > 5
    heads = [read_checkpoint(one).head() for one in members]
    own = read_checkpoint(made).head()
    assert np.allclose(own.weight, np.mean([one.weight for one in heads], axis=0), atol=1e-6)
    assert np.allclose(own.bias, np.mean([one.bias for one in heads], axis=0), atol=1e-6)


def test_the_first_training_is_that_of_the_seed_and_the_others_have_their_own(
    made: Path, tiny_train_settings: TrainSettings
) -> None:
    seeds = [
        read_checkpoint(one).artifact.document.settings["seed"] for one in [made, *members_of(made)]
    ]
    assert seeds[0] == seeds[1] == tiny_train_settings.seed
    assert len(set(seeds)) == 3


def test_its_statistics_are_of_its_own_embeddings(made: Path, tiny_line: Any) -> None:
    checkpoint, dataset = read_checkpoint(made), read_dataset(tiny_line.dataset)
    tokenizer = open_tokenizer(checkpoint.base, max_tokens=checkpoint.text.max_tokens)
    rows = examples_of(dataset.train, dataset.labels, tokenizer)
    model = load_model(checkpoint)
    embeddings = embeddings_of(
        model, rows.token_ids, padding_id=model.padding_id, device=torch.device("cpu")
    ).numpy()
    labels = np.array(rows.labels)
    described = describe_head(model.head, embeddings, labels, normalized=True).whitened_means
    found = read_checkpoint(made).head().whitened_means
    assert np.allclose(found, described, atol=1e-4)
    assert not np.allclose(read_checkpoint(members_of(made)[0]).head().whitened_means, found)


def test_its_document_tells_of_each_training(made: Path) -> None:
    document = read_checkpoint(made).artifact.document
    members = [read_checkpoint(one).artifact for one in members_of(made)]
    assert document.settings["soup"] == {"trainings": 3}
    assert [document.parents[f"training_{number}"] for number in (1, 2, 3)] == [
        one.digest for one in members
    ]
    assert document.parents["dataset"] == members[0].document.parents["dataset"]
    assert [one["epochs"] for one in document.result["trainings"]] == [
        one.document.result["epochs"] for one in members
    ]
    assert document.result["parameters"] == members[0].document.result["parameters"]


def test_an_evaluation_tells_what_it_was_made_with(
    made: Path,
    tiny_line: Any,
    calibration_settings: CalibrationSettings,
    tmp_path: Path,
) -> None:
    evaluate(made, tiny_line.dataset, tmp_path / "e", settings=calibration_settings)
    behind = settings_behind(read_checkpoint(made), read_evaluation(tmp_path / "e"))
    assert behind["soup"] == {"trainings": 3}
    assert "soup" not in behind["train"]


def test_one_training_is_a_training_as_ever(
    train_in: Callable[..., Artifact],
    tiny_line: Any,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
) -> None:
    once = train_in(tmp_path / "model", SoupSettings(trainings=1))
    assert [one.name for one in tmp_path.iterdir()] == ["model"]
    assert (
        once.digest
        == train(tiny_line.dataset, tmp_path / "other", settings=tiny_train_settings).digest
    )


def test_what_is_up_to_date_is_skipped_and_a_lost_training_is_made_again(
    made: Path, train_in: Callable[..., Artifact], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    for one in (made, made.with_name("model.trainings")):
        shutil.copytree(one, tmp_path / one.name)
    assert train_in(folder).skipped
    shutil.rmtree(members_of(folder)[1])
    again = train_in(folder)
    assert again.skipped
    assert len(members_of(folder)) == 3
    fewer = train_in(folder, SoupSettings(trainings=2))
    assert not fewer.skipped
    assert fewer.document.settings["soup"] == {"trainings": 2}


def test_a_killed_soup_goes_on_with_the_training_it_was_in(
    made: Path, train_in: Callable[..., Artifact], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    steps: list[int] = []

    def stop(what: str, done: int, _total: int, _note: str = "") -> None:
        if what == "training":
            steps.append(done)
            # In the second training; the first ended with its last step.
            if len(steps) > done == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_in(folder, progress=stop, save_every_s=0)
    assert not folder.exists()
    # The first is whole, the second a state alone.
    assert [one.name for one in members_of(folder)] == ["1", "2.training"]
    again: list[int] = []

    def note(what: str, done: int, *_: object) -> None:
        if what == "training":
            again.append(done)

    resumed = train_in(folder, progress=note)
    total = max(again)
    # The rest of the second, and the third.
    assert total < len(again) < 2 * total
    assert resumed.digest == read_checkpoint(made).artifact.digest
    assert [one.name for one in members_of(folder)] == ["1", "2", "3"]


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_seeds_are_far_apart_and_within_what_a_seed_may_be(
    tiny_train_settings: TrainSettings, seed: int
) -> None:
    first = msgspec.structs.replace(tiny_train_settings, seed=seed)
    found = settings_of_trainings(first, SoupSettings(trainings=100))
    # Checked as a file's would be.
    seeds = [msgspec.convert(msgspec.to_builtins(one), TrainSettings).seed for one in found]
    assert seeds[0] == seed
    assert min(abs(a - b) for a, b in itertools.pairwise(sorted(seeds))) > 1000
