"""What a training was made by: the code's commit and digest, and the versions of libraries."""

from __future__ import annotations

import functools
import hashlib
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import msgspec

import edge_runtime

__all__ = ["PACKAGES", "CodeVersion", "code_version", "library_versions"]

# The device's package too: texts are brought to their form, divided and scored by its code.
PACKAGES = (
    Path(__file__).resolve().parents[1],
    Path(edge_runtime.__file__).resolve().parent,
)
"""The folders of the packages that a training is made by."""
_LIBRARIES = (
    "accelerate",
    "codecarbon",
    "edgewise",
    "mlflow",
    "numpy",
    "peft",
    "torch",
    "transformers",
)
_SOURCES = frozenset({".py", ".toml"})
_GIT_TIMEOUT_S = 10


class CodeVersion(msgspec.Struct, frozen=True):
    """Which code it was."""

    sha256: str
    """SHA-256 over the names and contents of the packages' source files."""
    commit: str | None
    """The commit that is checked out; ``None`` outside of a git checkout."""
    dirty: bool | None
    """Whether files below differ from that commit, new ones included."""


@functools.cache
def code_version(*packages: Path) -> CodeVersion:
    """Tell the code of some packages' folders; by default what a training is made by."""
    packages = packages or PACKAGES
    digest = hashlib.sha256()
    for package in packages:
        for path in sorted(one for one in package.rglob("*") if one.suffix in _SOURCES):
            content = path.read_bytes()
            name = path.relative_to(package.parent).as_posix()
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
    commits = {_commit(package) for package in packages}
    commit = commits.pop() if len(commits) == 1 else None
    if commit is None:
        return CodeVersion(digest.hexdigest(), None, None)
    changed = [_git(package, "status", "--porcelain", "--", ".") for package in packages]
    return CodeVersion(digest.hexdigest(), commit, any(one != "" for one in changed))


def _commit(package: Path) -> str | None:
    # An installed copy may lie in somebody else's checkout, where git does not know its files.
    return _git(package, "rev-parse", "HEAD") if _git(package, "ls-files", "--", ".") else None


@functools.cache
def library_versions(*others: str) -> dict[str, str]:
    """Name -> version of what the result depends on, without importing any of it.

    Args:
        others: distributions besides those that every training depends on.
    """
    versions = {"python": platform.python_version()}
    for name in (*_LIBRARIES, *others):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says; ``None`` when it fails or is not there."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=_GIT_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
