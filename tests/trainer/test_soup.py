"""A model that is the mean of several trainings."""

from __future__ import annotations

import errno
import itertools
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from edge_runtime.artifact import Artifact
from edge_runtime.console import no_progress
from edge_runtime.errors import StorageError
from edge_runtime.storage import canonical_json
from trainer.checkpoint import load_model, read_checkpoint
from trainer.config import CalibrationSettings, SoupSettings, TrainSettings
from trainer.dataset import read_dataset
from trainer.errors import ResumeError
from trainer.evaluate import evaluate, read_evaluation, settings_behind
from trainer.examples import examples_of, open_tokenizer
from trainer.head import describe_head
from trainer.inference import embeddings_of
from trainer.soup import places_of_trainings, settings_of_trainings, train_soup
from trainer.train import state_folder, train

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
    assert [one["checkpoint"] for one in document.result["trainings"]] == [
        one.digest for one in members
    ]
    assert document.parents == members[0].document.parents
    assert [one["batch_parts"] for one in document.result["trainings"]] == [1, 1, 1]
    assert {one["precision"] for one in document.result["trainings"]} <= {"fp32", "bf16"}
    assert "precision" not in document.result
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


def test_a_mean_that_is_up_to_date_does_not_need_its_trainings_any_more(
    made: Path, train_in: Callable[..., Artifact], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(made, folder)
    same = train_in(folder)
    assert same.skipped
    assert same.digest == read_checkpoint(made).artifact.digest
    assert [one.name for one in tmp_path.iterdir()] == ["model"]


def test_another_number_of_trainings_is_another_mean_of_those_that_are_there(
    made: Path, train_in: Callable[..., Artifact], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    for one in (made, made.with_name("model.trainings")):
        shutil.copytree(one, tmp_path / one.name)
    shutil.rmtree(members_of(folder)[1])
    steps: list[int] = []
    fewer = train_in(
        folder,
        SoupSettings(trainings=2),
        progress=lambda what, done, *_: steps.append(done) if what == "training" else None,
    )
    assert not fewer.skipped
    assert fewer.document.settings["soup"] == {"trainings": 2}
    # One training, that of the lost second.
    assert steps.count(max(steps)) == 1
    assert len(members_of(folder)) == 3


def test_a_damaged_training_is_made_again(
    made: Path, train_in: Callable[..., Artifact], tmp_path: Path
) -> None:
    shutil.copytree(made.with_name("model.trainings"), tmp_path / "model.trainings")
    folder = tmp_path / "model"
    (members_of(folder)[2] / "weights.safetensors").write_bytes(b"cut")
    assert train_in(folder).digest == read_checkpoint(made).artifact.digest


def test_another_rate_makes_all_of_it_again(
    made: Path, tiny_line: Any, tiny_train_settings: TrainSettings, tmp_path: Path
) -> None:
    for one in (made, made.with_name("model.trainings")):
        shutil.copytree(one, tmp_path / one.name)
    again = train_soup(
        lambda place, settings: train(tiny_line.dataset, place, settings=settings),
        tiny_line.dataset,
        tmp_path / "model",
        settings=msgspec.structs.replace(tiny_train_settings, learning_rate=1e-4),
        soup=THREE,
    )
    before = read_checkpoint(made).artifact.document.result["trainings"]
    now = again.document.result["trainings"]
    assert not {one["checkpoint"] for one in now} & {one["checkpoint"] for one in before}


def test_an_unfinished_one_of_other_settings_is_refused_before_another_is_replaced(
    train_in: Callable[..., Artifact],
    tiny_line: Any,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "model"
    places = places_of_trainings(folder, THREE)

    def break_off(place: Path, settings: TrainSettings) -> Artifact:
        def stop(step: str, *_: object) -> None:
            if step == "training" and state_folder(place).exists():
                raise KeyboardInterrupt

        told = stop if place == places[1] else no_progress
        return train(tiny_line.dataset, place, settings=settings, save_every_s=0.0, progress=told)

    def soup(train_one: Callable[[Path, TrainSettings], Artifact], **change: float) -> Artifact:
        settings = msgspec.structs.replace(tiny_train_settings, **change)
        return train_soup(train_one, tiny_line.dataset, folder, settings=settings, soup=THREE)

    with pytest.raises(KeyboardInterrupt):
        soup(break_off)
    first = read_checkpoint(places[0]).artifact.digest
    others: list[Path] = []

    def train_one(place: Path, settings: TrainSettings) -> Artifact:
        others.append(place)
        return train(tiny_line.dataset, place, settings=settings)

    with pytest.raises(ResumeError, match=r"2\.training: settings\.learning_rate was"):
        soup(train_one, learning_rate=1e-4)
    assert others == [places[1]]
    assert read_checkpoint(places[0]).artifact.digest == first
    # With the same ones it goes on, and the mean is that of an unbroken run.
    resumed = soup(train_one)
    assert resumed.digest == train_in(tmp_path / "unbroken").digest


def test_where_something_else_stands_nothing_is_trained(
    train_in: Callable[..., Artifact], tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "letter.txt").write_text("dear")
    with pytest.raises(StorageError, match="holds something else"):
        train_in(tmp_path / "model")
    assert [one.name for one in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "letter.txt").read_text() == "dear"


def test_a_place_in_the_cloud_is_refused_by_its_own_name(
    train_in: Callable[..., Artifact],
) -> None:
    with pytest.raises(StorageError) as caught:
        train_in(Path("s3://bucket/model"))
    assert ".trainings" not in caught.value.message


def test_the_folder_one_is_in_may_be_the_model(
    train_in: Callable[..., Artifact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    train_in(Path(), SoupSettings(trainings=2))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["here", "here.trainings"]
    assert len(read_checkpoint(tmp_path / "here").artifact.document.result["trainings"]) == 2


def test_a_disk_that_is_full_while_the_mean_is_written_leaves_the_trainings(
    train_in: Callable[..., Artifact],
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(made.with_name("model.trainings"), tmp_path / "model.trainings")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("trainer.mean_weights.save_model", refuse)
        with pytest.raises(StorageError, match="disk is full"):
            train_in(folder)
    assert [one.name for one in tmp_path.iterdir()] == ["model.trainings"]
    assert train_in(folder).digest == read_checkpoint(made).artifact.digest


def test_merged_adapters_have_a_mean_too(
    tiny_line: Any, tiny_train_settings: TrainSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    train_soup(
        lambda place, settings: train(tiny_line.dataset, place, settings=settings),
        tiny_line.dataset,
        folder,
        settings=msgspec.structs.replace(tiny_train_settings, method="lora"),
        soup=SoupSettings(trainings=2),
    )
    single = [load_file(one / "weights.safetensors") for one in members_of(folder)]
    differing = 0
    for name, tensor in load_file(folder / "weights.safetensors").items():
        assert torch.allclose(tensor, (single[0][name] + single[1][name]) / 2, atol=1e-7)
        differing += not torch.equal(single[0][name], single[1][name])
    assert differing > 0
    assert all((one / "adapter").is_dir() for one in members_of(folder))
    assert not (folder / "adapter").exists()


def test_what_an_earlier_failure_left_goes_when_the_mean_is_made(
    train_in: Callable[..., Artifact], made: Path, tmp_path: Path
) -> None:
    for ending in ("", ".trainings"):
        shutil.copytree(made.with_name(f"model{ending}"), tmp_path / f"model{ending}")
    document = msgspec.json.decode((made / "checkpoint.json").read_bytes())
    document["result"]["ended_early"] = "step 6"
    shutil.move(tmp_path / "model", tmp_path / "model.last-good")
    (tmp_path / "model.last-good" / "checkpoint.json").write_bytes(canonical_json(document))
    train_in(tmp_path / "model")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["model", "model.trainings"]


@pytest.mark.slow
def test_a_soup_that_is_killed_in_the_mean_ends_with_the_same_bytes(
    made: Path,
    train_in: Callable[..., Artifact],
    tiny_line: Any,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(made.with_name("model.trainings"), tmp_path / "model.trainings")
    settings = tmp_path / "settings.json"
    settings.write_bytes(canonical_json(tiny_train_settings))
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "import msgspec\n"
        "from trainer import mean_weights\n"
        "from trainer.config import SoupSettings, TrainSettings\n"
        "from trainer.soup import train_soup\n"
        "from trainer.train import train\n"
        "save = mean_weights.save_model\n"
        "def stop(*rest, **named):\n"
        "    save(*rest, **named)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "mean_weights.save_model = stop\n"
        "dataset, folder, settings = map(Path, sys.argv[1:])\n"
        "train_soup(lambda place, own: train(dataset, place, settings=own), dataset, folder,\n"
        "    settings=msgspec.json.decode(settings.read_bytes(), type=TrainSettings),\n"
        "    soup=SoupSettings(trainings=3))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, tiny_line.dataset, folder, settings],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not folder.exists()
    assert train_in(folder).digest == read_checkpoint(made).artifact.digest
    # And what the killed one left is cleared.
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "model",
        "model.trainings",
        "settings.json",
    ]


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
