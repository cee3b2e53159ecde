"""Which manifest a device takes, and what stands for the variables of its scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from greengrass_components.errors import NucleusError
from greengrass_components.local_nucleus_device import (
    Device,
    Places,
    choose_manifest,
    host_device,
    substitute,
)
from greengrass_components.recipe import validate_recipe

PLATFORMS = """\
RecipeFormatVersion: "2020-01-25"
ComponentName: a
ComponentVersion: "1.0.0"
Manifests:
  - Platform: {os: linux, architecture: amd64, runtime: aws_nucleus_lite}
    Lifecycle: {run: {Script: one}}
  - Platform: {os: linux, architecture: amd64, runtime: "*"}
    Lifecycle: {run: {Script: two}}
  - Platform: {os: linux, architecture: aarch64, runtime: "*"}
    Lifecycle: {run: {Script: three}}
"""


@pytest.mark.parametrize(
    ("architecture", "runtime", "expected"),
    [
        ("amd64", "aws_nucleus_lite", "one"),
        ("amd64", "aws_nucleus", "two"),
        ("aarch64", "aws_nucleus_lite", "three"),
    ],
)
def test_the_first_manifest_that_fits_is_taken(
    architecture: str, runtime: str, expected: str
) -> None:
    recipe = validate_recipe(PLATFORMS.encode(), where="a")
    device = Device("linux", architecture, runtime, "thing")

    assert choose_manifest(recipe, device).lifecycle.run.script == expected


def test_a_device_that_no_manifest_fits_is_told_what_to_build() -> None:
    recipe = validate_recipe(PLATFORMS.encode(), where="a")

    with pytest.raises(NucleusError, match=r"no manifest for linux on arm; build it with"):
        choose_manifest(recipe, Device("linux", "arm", "aws_nucleus", "thing"))


def test_variables_are_filled_in_as_on_a_device(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path / "a", tmp_path / "u", tmp_path / "w")
    text = (
        "{kernel:rootPath} {artifacts:path} {artifacts:decompressedPath} {work:path} "
        "{iot:thingName} {configuration:/n} {configuration:/b} {configuration:/o}"
    )
    configuration = {"n": 1, "b": True, "o": {"x": [1, 2]}}

    filled = substitute(
        text, places=places, device=host_device("thing"), configuration=configuration
    )

    assert filled == (
        f'{tmp_path} {tmp_path}/a {tmp_path}/u {tmp_path}/w thing 1 true {{"x":[1,2]}}'
    )


def test_a_variable_without_a_value_is_not_passed_over(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path, tmp_path, tmp_path)

    with pytest.raises(NucleusError, match="configuration:/nope"):
        substitute("x {configuration:/nope}", places=places, device=host_device(), configuration={})
