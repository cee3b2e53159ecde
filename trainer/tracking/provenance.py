"""What a training was made by: the code's commit and digest, and the versions of libraries."""

from __future__ import annotations

import functools
import hashlib
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import msgspec

__all__ = ["CodeVersion", "code_version", "library_versions"]

_PACKAGE = Path(__file__).resolve().parents[1]
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
    """SHA-256 over the names and contents of the trainer's source files."""
    commit: str | None
    """The commit that is checked out; ``None`` outside of a git checkout."""
    dirty: bool | None
    """Whether files below differ from that commit, new ones included."""


@functools.cache
def code_version(package: Path = _PACKAGE) -> CodeVersion:
    """Tell the code of a package's folder."""
    digest = hashlib.sha256()
    for path in sorted(one for one in package.rglob("*") if one.suffix in _SOURCES):
        content = path.read_bytes()
        name = path.relative_to(package).as_posix()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    commit = _git(package, "rev-parse", "HEAD")
    # An installed copy may lie in somebody else's checkout, where git does not know its files.
    if commit is None or not _git(package, "ls-files", "--", "__init__.py"):
        return CodeVersion(digest.hexdigest(), None, None)
    changed = _git(package, "status", "--porcelain", "--", ".")
    return CodeVersion(digest.hexdigest(), commit, changed != "")


@functools.cache
def library_versions() -> dict[str, str]:
    """Name -> version of what the result depends on, without importing any of it."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
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
