from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from greengrass_components.errors import ArchiveError, WheelError
from greengrass_components.wheels import (
    PACKAGES,
    Requirement,
    build_runtime_wheel,
    fetch_wheels,
    installed_requirements,
    source_digest,
    unpack_wheels,
)

ROOT = Path(__file__).parents[2]
APP = Requirement("app", "1.0")


def fetch(cache: Path, *requirements: Requirement, architecture: str = "amd64") -> list[Path]:
    return fetch_wheels(requirements, architecture=architecture, python="3.11", cache=cache)


def write_parts(folder: Path, wheels: dict[str, dict[str, str]]) -> list[Path]:
    import zipfile

    paths = []
    for name, files in wheels.items():
        path = folder / f"{name}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as file:
            for member, content in files.items():
                file.writestr(member, content)
        paths.append(path)
    return paths


def test_a_wheel_is_fetched_once_and_then_found_without_pip(
    wheelhouse: Callable[..., Path], tmp_path: Path
) -> None:
    original = wheelhouse("app", "1.0")
    (first,) = fetch(tmp_path / "cache", APP)
    content = original.read_bytes()
    original.unlink()

    (second,) = fetch(tmp_path / "cache", APP)

    assert first == second
    assert second.read_bytes() == content


def test_a_damaged_wheel_in_the_cache_is_fetched_again(
    wheelhouse: Callable[..., Path], tmp_path: Path
) -> None:
    original = wheelhouse("app", "1.0")
    (kept,) = fetch(tmp_path / "cache", APP)
    kept.write_bytes(b"damaged")

    (again,) = fetch(tmp_path / "cache", APP)

    assert again.read_bytes() == original.read_bytes()


@pytest.mark.parametrize("document", ["", "{}", '{"file": "none.whl", "sha256": "", "bytes": 0}'])
def test_a_cache_that_was_not_finished_is_filled_again(
    document: str, wheelhouse: Callable[..., Path], tmp_path: Path
) -> None:
    wheelhouse("app", "1.0")
    (kept,) = fetch(tmp_path / "cache", APP)
    kept.with_name("wheel.json").write_text(document)

    assert fetch(tmp_path / "cache", APP) == [kept]
    assert kept.with_name("wheel.json").read_text() != document


def test_each_processor_has_wheels_of_its_own(
    wheelhouse: Callable[..., Path], tmp_path: Path
) -> None:
    wheelhouse("app", "1.0", machine="x86_64")
    wheelhouse("app", "1.0", machine="aarch64")

    (amd64,) = fetch(tmp_path / "cache", APP, architecture="amd64")
    (aarch64,) = fetch(tmp_path / "cache", APP, architecture="aarch64")

    assert amd64.name.endswith("_x86_64.whl")
    assert aarch64.name.endswith("_aarch64.whl")


def test_no_wheel_for_the_platform_is_one_clear_line(
    wheelhouse: Callable[..., Path], tmp_path: Path
) -> None:
    wheelhouse("app", "1.0", machine="x86_64")

    with pytest.raises(
        WheelError, match=r"no wheel of app==1\.0 for Linux on aarch64, Python 3\.11"
    ):
        fetch(tmp_path / "cache", APP, architecture="aarch64")
    assert list((tmp_path / "cache").rglob("*.whl")) == []


def test_no_network_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    # Port 1 of the loopback interface: nothing listens there.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")

    with pytest.raises(WheelError, match=r"cannot fetch app==1\.0: the package registry does not"):
        fetch(tmp_path / "cache", APP)


def test_the_device_gets_the_versions_that_are_installed_here() -> None:
    import numpy as np

    found = {item.name: item.version for item in installed_requirements()}

    assert tuple(found) == PACKAGES
    assert found["numpy"] == np.__version__


def test_the_runtime_wheel_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    digests = set()
    for number in (1, 2):
        source = tmp_path / f"source{number}"
        shutil.copytree(ROOT / "edge-runtime", source, ignore=shutil.ignore_patterns("__pycache__"))
        wheel = build_runtime_wheel(source, tmp_path / f"wheel{number}")
        digests.add(hashlib.sha256(wheel.read_bytes()).hexdigest())

    assert len(digests) == 1


def test_a_source_that_cannot_be_built_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")

    with pytest.raises(WheelError, match="hatchling cannot build") as caught:
        build_runtime_wheel(tmp_path, tmp_path / "out")
    assert "\n" not in caught.value.message


def test_the_source_digest_follows_the_source_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "src" / "package"
    source.mkdir(parents=True)
    (source / "a.py").write_text("a = 1\n")
    for name in ("pyproject.toml", "README.md"):
        (tmp_path / name).write_text(name)
    before = source_digest(tmp_path)
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "a.cpython-311.pyc").write_bytes(b"compiled")
    compiled = source_digest(tmp_path)
    (source / "a.py").write_text("a = 2\n")

    assert compiled == before
    assert source_digest(tmp_path) != before


def test_wheels_are_laid_out_as_an_installer_does(tmp_path: Path) -> None:
    wheels = write_parts(
        tmp_path,
        {
            "one": {
                "one/__init__.py": "",
                "one-1.0.data/platlib/one/native.so": "binary",
                "one-1.0.data/purelib/one/pure.py": "",
                "one-1.0.data/scripts/one": "#!python",
                "one-1.0.data/headers/one.h": "",
                "one-1.0.dist-info/METADATA": "",
            },
            "two": {"two.libs/lib.so.1": "binary", "two/py.typed": ""},
        },
    )
    unpack_wheels(wheels, tmp_path / "site")

    found = {
        path.relative_to(tmp_path / "site").as_posix()
        for path in (tmp_path / "site").rglob("*")
        if path.is_file()
    }
    assert found == {
        "one/__init__.py",
        "one/native.so",
        "one/pure.py",
        "one-1.0.dist-info/METADATA",
        "two.libs/lib.so.1",
        "two/py.typed",
    }


def test_what_a_device_does_not_need_is_left_out_and_licences_stay(tmp_path: Path) -> None:
    wheels = write_parts(
        tmp_path,
        {
            "one": {
                "one/core.py": "",
                "one/core.pyi": "",
                "one/lib/libone.a": "",
                "one/include/one.h": "",
                "one/tests/test_core.py": "",
                "one/LICENSE": "",
                "one-1.0.dist-info/licenses/one/include/LICENSE": "",
            }
        },
    )
    unpack_wheels(wheels, tmp_path / "site")

    found = {path.as_posix() for path in (tmp_path / "site").rglob("*") if path.is_file()}
    site = (tmp_path / "site").as_posix()
    assert found == {
        f"{site}/one/core.py",
        f"{site}/one/LICENSE",
        f"{site}/one-1.0.dist-info/licenses/one/include/LICENSE",
    }


def test_two_wheels_may_not_bring_one_file_with_two_contents(tmp_path: Path) -> None:
    wheels = write_parts(tmp_path, {"one": {"shared.py": "1"}, "two": {"shared.py": "2"}})

    with pytest.raises(WheelError, match=r"two-1\.0.* and an earlier wheel both bring shared\.py"):
        unpack_wheels(wheels, tmp_path / "site")


def test_a_damaged_wheel_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "one.whl").write_bytes(b"no zip")

    with pytest.raises(ArchiveError, match=r"one\.whl cannot be unpacked"):
        unpack_wheels([tmp_path / "one.whl"], tmp_path / "site")
