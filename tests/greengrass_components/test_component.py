from __future__ import annotations

import hashlib
import json
import os
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edge_runtime.artifact import Artifact, read_artifact
from edge_runtime.bundle import open_bundle
from edge_runtime.errors import ArtifactError, BundleDamagedError, SettingsError
from greengrass_components.archive import list_archive, unpack
from greengrass_components.component import build_components, component_names, read_components
from greengrass_components.config import ComponentSettings, load_component_settings, targets
from greengrass_components.errors import ComponentError, WheelError
from greengrass_components.recipe import read_recipe

ROOT = Path(__file__).parents[2]
RUNTIME_VERSION = tomllib.loads((ROOT / "edge-runtime" / "pyproject.toml").read_text())["project"][
    "version"
]
RUNTIME_ZIP = f"artifacts/com.edgewise.runtime/{RUNTIME_VERSION}/runtime-amd64.zip"


def settings_for(platforms: str = "amd64", **changes: object) -> ComponentSettings:
    return load_component_settings(flags={"platforms": platforms, "python": "3.11", **changes})


@pytest.fixture
def build(
    tiny_wheels: Path, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Artifact]:
    """Build with wheels of a few bytes in the place of the real ones, and no network."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    for name in ("cache", "cache2"):
        shutil.copytree(tiny_wheels, tmp_path / name)

    def run(
        folder: str = "component",
        *,
        settings: ComponentSettings | None = None,
        project: Path = ROOT,
        cache: str = "cache",
    ) -> Artifact:
        return build_components(
            tiny_bundle,
            tmp_path / folder,
            settings=settings or settings_for(),
            project=project,
            cache=tmp_path / cache,
        )

    return run


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def copied_project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("edge-runtime", "greengrass-components/recipes"):
        shutil.copytree(ROOT / name, project / name, ignore=ignore)
    return project


def test_the_layout_is_what_a_local_deployment_takes(
    build: Callable[..., Artifact], tiny_bundle: Path
) -> None:
    folder = build().folder
    version = open_bundle(tiny_bundle).manifest.version
    model = f"com.edgewise.model.{open_bundle(tiny_bundle).manifest.name}"

    assert set(digests(folder)) == {
        "component.json",
        f"recipes/com.edgewise.runtime-{RUNTIME_VERSION}.yaml",
        f"recipes/{model}-{version}.yaml",
        f"artifacts/{model}/{version}/model.zip",
        RUNTIME_ZIP,
    }


def test_the_result_names_each_component_with_its_files_and_sizes(
    build: Callable[..., Artifact],
) -> None:
    artifact = build()

    found = read_artifact(artifact.folder, "component").document.result["components"]
    assert found == json.loads(msgspec.json.encode(read_components(artifact.folder)))
    for component in read_components(artifact.folder):
        assert (artifact.folder / component.recipe).is_file()
        sizes = [(artifact.folder / path).stat().st_size for path in component.artifacts]
        assert component.bytes == sum(sizes) > 0


def test_the_recipes_pass_the_strict_check(build: Callable[..., Artifact]) -> None:
    folder = build().folder
    runtime, model = (
        read_recipe(folder / component.recipe, artifacts=folder / "artifacts")
        for component in read_components(folder)
    )

    dependency = model.component_dependencies[runtime.component_name]
    assert dependency.dependency_type == "HARD"
    assert dependency.version_requirement == f"^{RUNTIME_VERSION}"
    assert runtime.default_configuration == {"port": 8765}


def test_the_model_archive_holds_the_bundle_byte_for_byte(
    build: Callable[..., Artifact], tiny_bundle: Path, tmp_path: Path
) -> None:
    folder = build().folder
    _, model = read_components(folder)
    unpack(folder / model.artifacts[0], tmp_path / "out")

    assert digests(tmp_path / "out" / "bundle") == digests(tiny_bundle)
    offers = ROOT / "edge-runtime" / "src" / "edge_runtime" / "offers.py"
    assert (tmp_path / "out" / "offers.py").read_bytes() == offers.read_bytes()


def test_the_runtime_archive_holds_the_runtime_and_its_four_wheels_and_no_more(
    build: Callable[..., Artifact],
) -> None:
    names = {member.name for member in list_archive(build().folder / RUNTIME_ZIP)}

    packages = {name.split("/")[1] for name in names if name.startswith("site/")}
    assert {name for name in packages if "." not in name} == {
        "edge_runtime",
        "msgspec",
        "numpy",
        "onnxruntime",
        "tokenizers",
    }
    assert {name for name in names if "/" not in name} == {"device.json", "run.py"}


def test_two_builds_give_the_same_bytes(build: Callable[..., Artifact]) -> None:
    first = build("first")
    second = build("second", cache="cache2")

    assert digests(first.folder) == digests(second.folder)
    assert first.digest == second.digest


def test_a_build_from_a_copy_of_the_project_gives_the_same_bytes(
    build: Callable[..., Artifact], tmp_path: Path
) -> None:
    project = copied_project(tmp_path)
    for path in project.rglob("*"):
        os.utime(path, (1, 1))

    assert digests(build("first").folder) == digests(
        build("second", project=project, cache="cache2").folder
    )


def test_a_second_build_is_skipped(build: Callable[..., Artifact]) -> None:
    assert not build().skipped
    assert build().skipped


def test_a_build_for_another_bundle_does_not_pack_the_runtime_again(
    build: Callable[..., Artifact], tmp_path: Path
) -> None:
    build()
    shutil.rmtree(tmp_path / "component")
    # Without these the runtime could not be packed again.
    for folder in (tmp_path / "cache").glob("amd64-*"):
        shutil.rmtree(folder)

    assert not build().skipped


@pytest.mark.parametrize(
    "changes", [{"port": 9000}, {"publisher": "someone"}, {"prefix": "org.example"}]
)
def test_a_changed_setting_builds_again(
    changes: dict[str, object], build: Callable[..., Artifact]
) -> None:
    before = build()
    after = build(settings=settings_for(**changes))

    assert not after.skipped
    assert after.digest != before.digest


@pytest.mark.parametrize(
    "changed",
    [
        "edge-runtime/src/edge_runtime/text.py",
        "greengrass-components/recipes/run.py",
        "greengrass-components/recipes/model.yaml.j2",
    ],
)
def test_a_changed_source_builds_again(
    changed: str, build: Callable[..., Artifact], tmp_path: Path
) -> None:
    project = copied_project(tmp_path)
    before = build(project=project)
    (project / changed).write_text((project / changed).read_text() + "\n# changed\n")
    after = build(project=project)

    assert not after.skipped
    assert after.digest != before.digest


def test_a_damaged_component_is_built_again(build: Callable[..., Artifact]) -> None:
    artifact = build()
    path = artifact.folder / RUNTIME_ZIP
    content = path.read_bytes()
    path.write_bytes(content[:-1])

    with pytest.raises(ArtifactError, match=r"runtime-amd64\.zip is missing or changed"):
        read_components(artifact.folder)
    assert not build().skipped
    assert path.read_bytes() == content


def test_each_platform_has_a_manifest_and_an_archive_of_its_own(
    build: Callable[..., Artifact],
) -> None:
    folder = build(settings=settings_for("aarch64,amd64")).folder
    runtime, _ = read_components(folder)
    recipe = read_recipe(folder / runtime.recipe, artifacts=folder / "artifacts")

    assert [item.platform.architecture for item in recipe.manifests] == ["aarch64", "amd64"]
    files = [item.artifacts[0].file for item in recipe.manifests]
    assert files == ["runtime-aarch64.zip", "runtime-amd64.zip"]


def test_the_order_of_platforms_changes_nothing() -> None:
    first = targets(settings_for("amd64,aarch64"))

    assert first == targets(settings_for("aarch64,amd64")) == (("aarch64", "amd64"), "3.11")


def test_names_begin_with_the_prefix() -> None:
    names = component_names(settings_for(prefix="org.example"), "kitchen")

    assert names == ("org.example.runtime", "org.example.model.kitchen")


def test_a_damaged_bundle_is_not_packed(
    build: Callable[..., Artifact], tiny_bundle: Path, tmp_path: Path
) -> None:
    (tiny_bundle / "tokenizer.json").write_text("{}")

    with pytest.raises(BundleDamagedError):
        build()
    assert not (tmp_path / "component").exists()


def test_a_failed_build_leaves_the_old_component(
    build: Callable[..., Artifact], tmp_path: Path
) -> None:
    before = digests(build().folder)
    shutil.rmtree(tmp_path / "cache")

    with pytest.raises(WheelError):
        build(settings=settings_for(port=9000))
    assert digests(tmp_path / "component") == before
    assert read_artifact(tmp_path / "component", "component")


def test_a_runtime_version_that_no_component_can_have_is_refused(
    build: Callable[..., Artifact], tmp_path: Path
) -> None:
    project = copied_project(tmp_path)
    path = project / "edge-runtime" / "pyproject.toml"
    path.write_text(path.read_text().replace(f'"{RUNTIME_VERSION}"', '"1.0.dev0"', 1))

    with pytest.raises(ComponentError, match=r"'1\.0\.dev0' is not a semantic version"):
        build(project=project)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prefix", "aws.greengrass"),
        ("prefix", "has space"),
        ("platforms", "arm64"),
        ("platforms", "amd64,"),
        ("python", "3"),
        ("port", 0),
        ("port", "many"),
        ("install_timeout_s", 0),
        ("publisher", ""),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"component.{name}"):
        load_component_settings(flags={name: value})
