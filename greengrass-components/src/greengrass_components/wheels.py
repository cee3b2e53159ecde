"""The runtime's wheels, for the device: fetched once, kept, unpacked without pip.

The versions are those installed where the component is built, so that a device runs what
was tested. ``tokenizers`` declares huggingface-hub, which the runtime never imports: wheels
are fetched without their dependencies, and this list is the whole of it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import msgspec

from edge_runtime.console import Progress, no_progress
from edge_runtime.storage import canonical_json, file_entries, file_entry, replace_folder
from greengrass_components.archive import unpack
from greengrass_components.errors import WheelError

__all__ = [
    "MACHINES",
    "PACKAGES",
    "Requirement",
    "build_runtime_wheel",
    "fetch_wheels",
    "installed_requirements",
    "source_digest",
    "unpack_wheels",
]

PACKAGES = ("msgspec", "numpy", "onnxruntime", "tokenizers")
"""What ``edge_runtime`` needs on a device, and nothing else."""

MACHINES = {"amd64": "x86_64", "aarch64": "aarch64"}
"""A recipe's name of a processor -> the name in wheel tags and in ``uname``."""

# onnxruntime asks for glibc 2.28, which is that of Debian 10; wheels for older ones do as well.
_NEWEST_GLIBC, _OLDEST_GLIBC = 28, 17
_TIMEOUT_SECONDS = 900
# Of no use on a device: tests, types, headers and static libraries to link against.
_LEFT_OUT_FOLDERS = frozenset({"tests", "include", "__pycache__"})
_LEFT_OUT_SUFFIXES = frozenset({".a", ".h", ".pxd", ".pyc", ".pyi"})
_NO_NETWORK = (
    "connection broken",
    "connectionerror",
    "failed to establish",
    "name resolution",
    "network is unreachable",
    "proxyerror",
    "timed out",
)
# Any fixed moment will do: it makes hatchling's wheel the same each time.
_SOURCE_DATE_EPOCH = "1577836800"


class Requirement(msgspec.Struct, frozen=True):
    """A package at one version."""

    name: str
    version: str


class _Kept(msgspec.Struct, frozen=True):
    file: str
    sha256: str
    bytes: int


def installed_requirements() -> tuple[Requirement, ...]:
    """Give the packages of the device at the versions installed here.

    Raises:
        WheelError: one of them is not installed.
    """
    found = []
    for name in PACKAGES:
        try:
            found.append(Requirement(name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError as error:
            raise WheelError(
                f"{name} is not installed here, and a device gets the version that is; "
                "install the project again",
                name=name,
            ) from error
    return tuple(found)


def fetch_wheels(
    requirements: Sequence[Requirement],
    *,
    architecture: str,
    python: str,
    cache: Path,
    progress: Progress = no_progress,
) -> list[Path]:
    """Fetch wheels for a device, or find them where an earlier call kept them.

    Args:
        requirements: what to fetch; dependencies are not followed.
        architecture: a key of ``MACHINES``.
        python: the device's Python, such as ``3.11``.
        cache: folder to keep wheels in; each is checked by its SHA-256 when it is used again.
        progress: told of each wheel.

    Raises:
        WheelError: there is no network, or no such wheel for that platform.
        StorageError: the disk is full or the cache cannot be written.
    """
    what = f"wheels for {architecture}"
    wheels = []
    for done, requirement in enumerate(requirements, start=1):
        name = f"{requirement.name}-{requirement.version}"
        folder = cache / f"{architecture}-python{python}" / name
        wheel = _kept_wheel(folder)
        if wheel is None:
            progress(what, done - 1, len(requirements), f"fetching {name}")
            wheel = _download(requirement, architecture, python, folder)
        wheels.append(wheel)
        progress(what, done, len(requirements), name)
    return wheels


def build_runtime_wheel(project: Path, folder: Path) -> Path:
    """Build the wheel of ``edge_runtime`` from its source.

    Args:
        project: holds ``pyproject.toml`` and ``src/``.
        folder: where to write the wheel.

    Raises:
        WheelError: hatchling is missing or fails.
    """
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": _SOURCE_DATE_EPOCH}
    result = _run(command, folder=project, environment=environment)
    wheels = sorted(folder.glob("*.whl"))
    if result.returncode != 0 or len(wheels) != 1:
        if "No module named hatchling" in result.stderr:
            raise WheelError("hatchling is not installed here; install the project again")
        raise WheelError(
            f"hatchling cannot build {project}: {_last_line(result.stderr)}; "
            "mend its pyproject.toml",
            project=project,
        )
    return wheels[0]


def source_digest(project: Path) -> str:
    """SHA-256 over what the wheel of a project is built from."""
    files = {
        f"{top}/{name}" if top else name: entry
        for top in ("src", "")
        for name, entry in _source_entries(project, top).items()
    }
    return hashlib.sha256(canonical_json(files)).hexdigest()


def unpack_wheels(wheels: Sequence[Path], site: Path) -> None:
    """Unpack wheels side by side, as an installer does, less what a device does not need.

    Scripts and headers are left out; licences stay. Source of the layout: the binary
    distribution format of packaging.python.org.

    Raises:
        ArchiveError: a wheel is damaged.
        WheelError: two wheels bring the same file with different content.
        StorageError: the disk is full or the folder cannot be written.
    """
    site.mkdir(parents=True, exist_ok=True)
    for wheel in wheels:
        with tempfile.TemporaryDirectory(dir=site.parent, prefix=".wheel-") as temporary:
            folder = Path(temporary)
            unpack(wheel, folder)
            for path in sorted(folder.rglob("*")):
                name = path.relative_to(folder)
                target = _installed_name(PurePosixPath(name.as_posix()))
                if target is None or not path.is_file():
                    continue
                destination = site / target
                if destination.exists() and file_entry(destination) != file_entry(path):
                    raise WheelError(
                        f"{wheel.name} and an earlier wheel both bring {target}; "
                        "remove one of the packages",
                        wheel=wheel,
                    )
                destination.parent.mkdir(parents=True, exist_ok=True)
                path.replace(destination)


def _installed_name(name: PurePosixPath) -> PurePosixPath | None:
    parts = name.parts
    if parts[0].endswith(".data"):
        if len(parts) < 3 or parts[1] not in ("purelib", "platlib"):
            return None
        parts = parts[2:]
    metadata = parts[0].endswith(".dist-info")
    left_out = bool(_LEFT_OUT_FOLDERS.intersection(parts)) or name.suffix in _LEFT_OUT_SUFFIXES
    return None if left_out and not metadata else PurePosixPath(*parts)


def _kept_wheel(folder: Path) -> Path | None:
    try:
        kept = msgspec.json.decode((folder / "wheel.json").read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return None
    wheel = folder / kept.file
    if not wheel.is_file():
        return None
    entry = file_entry(wheel)
    return wheel if (entry.sha256, entry.bytes) == (kept.sha256, kept.bytes) else None


def _download(requirement: Requirement, architecture: str, python: str, folder: Path) -> Path:
    machine = MACHINES[architecture]
    tags = [f"manylinux_2_{minor}" for minor in range(_NEWEST_GLIBC, _OLDEST_GLIBC - 1, -1)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary=:all:", "--retries=2", "--timeout=30"]
    command += [f"--python-version={python}", "--implementation=cp"]
    command += [f"--platform={tag}_{machine}" for tag in [*tags, "manylinux2014"]]
    pinned = f"{requirement.name}=={requirement.version}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with replace_folder(folder) as partial:
        result = _run([*command, f"--dest={partial}", pinned], folder=partial)
        wheels = sorted(partial.glob("*.whl"))
        if result.returncode != 0 or len(wheels) != 1:
            raise _download_error(pinned, f"{machine}, Python {python}", result.stderr)
        entry = file_entry(wheels[0])
        kept = _Kept(file=wheels[0].name, sha256=entry.sha256, bytes=entry.bytes)
        (partial / "wheel.json").write_bytes(canonical_json(kept))
        name = wheels[0].name
    return folder / name


def _download_error(pinned: str, platform: str, output: str) -> WheelError:
    words = output.lower()
    if "no module named pip" in words:
        return WheelError("pip is not installed here, and it fetches the wheels; install pip")
    if any(word in words for word in _NO_NETWORK):
        return WheelError(
            f"cannot fetch {pinned}: the package registry does not answer; connect to the "
            "network and run again (what was fetched before is kept)",
            requirement=pinned,
        )
    if "no matching distribution" in words:
        return WheelError(
            f"there is no wheel of {pinned} for Linux on {platform}; install a version that has "
            "one, or set component.platforms and component.python to what the devices have",
            requirement=pinned,
        )
    return WheelError(
        f"pip cannot fetch {pinned} for {platform}: {_last_line(output)}; mend that and run again",
        requirement=pinned,
    )


def _run(
    command: Sequence[str], *, folder: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise WheelError(
            f"{' '.join(command[1:4])} took longer than {_TIMEOUT_SECONDS} s and was stopped; "
            "check the network and run again"
        ) from error


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _source_entries(project: Path, top: str) -> dict[str, object]:
    if not top:
        names = ("pyproject.toml", "README.md")
        return {name: file_entry(project / name) for name in names}
    return {
        name: entry
        for name, entry in file_entries(project / top).items()
        if "__pycache__" not in name and not name.endswith(".pyc")
    }
