from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from edge_runtime.errors import SettingsError
from edge_runtime.settings import load_settings


class TrainSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    epochs: Annotated[int, msgspec.Meta(ge=1, le=100)]
    rate: float
    device: str


def load(
    defaults: Path,
    *,
    environment: dict[str, str] | None = None,
    project_folder: Path | None = None,
    flags: dict[str, object] | None = None,
) -> TrainSettings:
    return load_settings(
        TrainSettings,
        "train",
        defaults=defaults,
        project_folder=project_folder,
        environment=environment or {},
        flags=flags,
    )


def write_project(folder: Path, text: str) -> Path:
    (folder / "edgewise.toml").write_text(text, encoding="utf-8")
    return folder


def test_defaults_are_used(defaults_file: Path) -> None:
    assert load(defaults_file) == TrainSettings(epochs=4, rate=0.002, device="cpu")


def test_each_layer_wins_over_the_one_below(defaults_file: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path, '[train]\nepochs = 5\nrate = 0.5\ndevice = "project"\n')
    found = load(
        defaults_file,
        project_folder=project,
        environment={"EDGEWISE_TRAIN_EPOCHS": "6", "EDGEWISE_TRAIN_DEVICE": "environment"},
        flags={"epochs": 7, "device": None},
    )
    assert found == TrainSettings(epochs=7, rate=0.5, device="environment")


def test_a_project_without_its_file_has_the_defaults(defaults_file: Path, tmp_path: Path) -> None:
    assert load(defaults_file, project_folder=tmp_path / "empty").epochs == 4


def test_other_variables_of_the_environment_are_ignored(defaults_file: Path) -> None:
    assert (
        load(defaults_file, environment={"EDGEWISE_COMPILE_EPOCHS": "9", "EPOCHS": "9"}).epochs == 4
    )


def test_a_wrong_value_is_named_by_dotted_path_and_origin(defaults_file: Path) -> None:
    with pytest.raises(SettingsError) as info:
        load(defaults_file, environment={"EDGEWISE_TRAIN_EPOCHS": "many"})
    assert str(info.value) == "train.epochs: expected `int`, got 'many' from the environment"


def test_a_value_out_of_range_names_the_range(defaults_file: Path) -> None:
    with pytest.raises(SettingsError, match=r"train\.epochs: .* >= 1.*got 0 from the command line"):
        load(defaults_file, flags={"epochs": 0})


def test_a_wrong_value_in_the_project_file_names_the_file(
    defaults_file: Path, tmp_path: Path
) -> None:
    project = write_project(tmp_path, "[train]\nepochs = [1]\n")
    with pytest.raises(SettingsError, match=r"train\.epochs.*edgewise\.toml"):
        load(defaults_file, project_folder=project)


@pytest.mark.parametrize(
    ("environment", "flags", "origin"),
    [
        ({"EDGEWISE_TRAIN_EPOCH": "3"}, {}, "the environment"),
        ({}, {"epoch": 3}, "the command line"),
    ],
)
def test_an_unknown_setting_gets_a_suggestion(
    defaults_file: Path, environment: dict[str, str], flags: dict[str, object], origin: str
) -> None:
    with pytest.raises(SettingsError) as info:
        load(defaults_file, environment=environment, flags=flags)
    assert str(info.value) == f"unknown setting train.epoch in {origin}; did you mean train.epochs?"


def test_an_unknown_setting_like_no_other_points_to_the_docs(defaults_file: Path) -> None:
    with pytest.raises(SettingsError, match="docs/"):
        load(defaults_file, flags={"zzz": 3})


@pytest.mark.parametrize("text", ["[train\n", "train = 3\n"])
def test_a_project_file_that_cannot_be_read_is_named(
    defaults_file: Path, tmp_path: Path, text: str
) -> None:
    with pytest.raises(SettingsError, match=r"edgewise\.toml"):
        load(defaults_file, project_folder=write_project(tmp_path, text))


def test_a_missing_default_names_the_field(tmp_path: Path) -> None:
    defaults = tmp_path / "short.toml"
    defaults.write_text("[train]\nepochs = 4\nrate = 0.1\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="train: .*device"):
        load(defaults)


class CompileSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    variants: tuple[str, ...]


@pytest.mark.parametrize(
    ("written", "read"), [("fp32", ("fp32",)), ("int8, fp32", ("int8", "fp32"))]
)
def test_a_list_is_written_with_commas_in_the_environment(
    tmp_path: Path, written: str, read: tuple[str, ...]
) -> None:
    defaults = tmp_path / "defaults.toml"
    defaults.write_text('[compile]\nvariants = ["q8_0"]\n', encoding="utf-8")
    settings = load_settings(
        CompileSettings,
        "compile",
        defaults=defaults,
        environment={"EDGEWISE_COMPILE_VARIANTS": written},
    )
    assert settings.variants == read
