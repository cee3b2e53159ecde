"""Which code made a training."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import edge_runtime
import trainer
from trainer.tracking.provenance import code_version, library_versions


def git(folder: Path, *words: str) -> str:
    names = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    done = subprocess.run(
        ["git", "-C", folder, *names, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package in a checkout, committed."""
    folder = tmp_path / "checkout" / "package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("one = 1\n")
    (folder / "defaults.toml").write_text("one = 1\n")
    git(tmp_path / "checkout", "init", "-q")
    git(tmp_path / "checkout", "add", "-A")
    git(tmp_path / "checkout", "commit", "-qm", "one")
    code_version.cache_clear()
    return folder


def test_a_checkout_has_a_commit(package: Path) -> None:
    code = code_version(package)
    assert (code.commit, code.dirty) == (git(package, "rev-parse", "HEAD"), False)


@pytest.mark.parametrize("name", ["__init__.py", "defaults.toml", "new.py"])
def test_a_changed_or_a_new_source_file_makes_it_dirty_and_another_digest(
    package: Path, name: str
) -> None:
    before = code_version(package)
    code_version.cache_clear()
    (package / name).write_text("two = 2\n")
    after = code_version(package)
    assert (after.commit, after.dirty) == (before.commit, True)
    assert after.sha256 != before.sha256


def test_what_is_no_source_file_changes_no_digest(package: Path) -> None:
    before = code_version(package)
    code_version.cache_clear()
    (package / "notes.txt").write_text("two")
    assert code_version(package).sha256 == before.sha256


def test_an_installed_copy_has_no_commit_even_in_somebody_elses_checkout(package: Path) -> None:
    copy = package.parent / "site-packages"
    copy.mkdir()
    (copy / "__init__.py").write_text("one = 1\n")
    code = code_version(copy)
    assert (code.commit, code.dirty, len(code.sha256)) == (None, None, 64)


def test_versions_are_of_what_the_result_depends_on() -> None:
    assert {"python", "torch", "transformers", "mlflow"} <= library_versions().keys()


def test_the_code_of_every_package_counts(package: Path) -> None:
    other = package.parent / "other"
    other.mkdir()
    (other / "__init__.py").write_text("one = 1\n")
    assert code_version(package, other).commit is None  # git does not know the second
    git(package.parent, "add", "-A")
    git(package.parent, "commit", "-qm", "two")
    code_version.cache_clear()
    before = code_version(package, other)
    code_version.cache_clear()
    (other / "__init__.py").write_text("two = 2\n")
    after = code_version(package, other)
    assert (before.dirty, after.dirty, after.commit) == (False, True, before.commit)
    assert after.sha256 != before.sha256


def test_the_device_s_code_belongs_to_what_a_training_is_made_by() -> None:
    code_version.cache_clear()
    packages = (Path(trainer.__file__).parent, Path(edge_runtime.__file__).parent)
    assert code_version() == code_version(*packages)
