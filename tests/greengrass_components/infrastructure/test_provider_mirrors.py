"""Where a local copy of the provider is found."""

from __future__ import annotations

from pathlib import Path

from greengrass_components.infrastructure.provider_mirrors import find_provider_mirrors


def make_mirror(folder: Path) -> Path:
    (folder / "registry.example/hashicorp/aws/5.100.0/linux_amd64").mkdir(parents=True)
    return folder


def search(home: Path, **environment: str) -> list[Path]:
    """Search with a home of one's own; what this machine itself has is left out."""
    found = find_provider_mirrors({"HOME": str(home), **environment})
    return [folder for folder in found if folder.is_relative_to(home)]


def test_nothing_is_found_in_an_empty_home(tmp_path: Path) -> None:
    assert search(tmp_path) == []


def test_the_folders_where_terraform_itself_looks_are_found(tmp_path: Path) -> None:
    own = make_mirror(tmp_path / ".terraform.d/plugins")
    shared = make_mirror(tmp_path / ".local/share/terraform/plugins")

    assert search(tmp_path) == [own, shared]


def test_the_folders_of_xdg_are_found(tmp_path: Path) -> None:
    data = make_mirror(tmp_path / "data/terraform/plugins")
    site = make_mirror(tmp_path / "site/terraform/plugins")

    found = search(
        tmp_path,
        XDG_DATA_HOME=str(tmp_path / "data"),
        XDG_DATA_DIRS=f"{tmp_path / 'nowhere'}:{tmp_path / 'site'}",
    )

    assert found == [data, site]


def test_the_plugin_cache_comes_first(tmp_path: Path) -> None:
    own = make_mirror(tmp_path / ".terraform.d/plugins")
    cache = make_mirror(tmp_path / "cache")

    assert search(tmp_path, TF_PLUGIN_CACHE_DIR=str(cache)) == [cache, own]


def test_a_mirror_among_installed_software_is_found(tmp_path: Path) -> None:
    mirror = make_mirror(tmp_path / ".local/share/some-mirror")

    assert search(tmp_path) == [mirror]


def test_a_folder_with_another_provider_is_passed_over(tmp_path: Path) -> None:
    other = tmp_path / ".terraform.d/plugins/registry.example/hashicorp/random/3.0.0/linux_amd64"
    other.mkdir(parents=True)

    assert search(tmp_path) == []
