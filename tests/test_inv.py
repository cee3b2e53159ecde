"""The bootstrap with a real venv and a real pip, on stand-ins for the packages, offline."""

from __future__ import annotations

import ast
import os
import random
import runpy
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Invoke's stand-in tells what it was started with.
INVOKE_MAIN = """
import os, sys
print("INVOKE", sys.argv[1:])
print("SPINS", os.environ["GOMP_SPINCOUNT"])
"""
# A build backend of a few lines: an editable wheel that holds nothing but its name.
BACKEND = """
import zipfile

def _wheel(folder, name):
    with zipfile.ZipFile(f"{folder}/{name}-1-py3-none-any.whl", "w") as wheel:
        info = f"{name}-1.dist-info"
        about = ("Metadata-Version: 2.1", f"Name: {name}", "Version: 1", "Provides-Extra: dev")
        wheel.writestr(f"{info}/METADATA", "\\n".join(about) + "\\n")
        form = ("Wheel-Version: 1.0", "Generator: t", "Root-Is-Purelib: true", "Tag: py3-none-any")
        wheel.writestr(f"{info}/WHEEL", "\\n".join(form) + "\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return f"{name}-1-py3-none-any.whl"

def build_wheel(folder, config_settings=None, metadata_directory=None):
    return _wheel(folder, NAME)

build_editable = build_wheel
"""


def write_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> None:
    """A minimal wheel of pure Python."""
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)


class Checkout:
    """A checkout with the real ``inv`` and stand-ins for everything that it installs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        wheels = root / "wheels"
        shutil.copy(ROOT / "inv", root / "inv")
        write_wheel(wheels, "torch", "1.0", {"torch.py": ""})
        write_wheel(wheels, "torch", "2.0", {"torch.py": ""})
        write_wheel(wheels, "llama_cpp_python", "1.0", {"llama_cpp/__init__.py": ""})
        write_wheel(
            wheels,
            "invoke",
            "1.0",
            {"invoke/__init__.py": "", "invoke/__main__.py": INVOKE_MAIN},
        )
        for folder, name in (
            ("edge-runtime", "runtime"),
            ("greengrass-components", "invoke_user"),
            (".", "host"),
        ):
            project = root / folder
            project.mkdir(exist_ok=True)
            (project / "backend.py").write_text(f"NAME = {name!r}\n{BACKEND}")
            (project / "pyproject.toml").write_text(
                '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            )
        self.pin("1.0")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_CONFIG_FILE": os.devnull,
        }

    def pin(self, torch: str) -> None:
        """Write constraints.txt; the stand-in of Invoke comes in beside llama.cpp's."""
        (self.root / "constraints.txt").write_text(
            f"invoke==1.0\nllama-cpp-python==1.0\ntorch=={torch}\n"
        )

    def start(self, *arguments: str, folder: Path | None = None) -> subprocess.Popen[str]:
        """Start ``inv`` in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, str(self.root / "inv"), *arguments],
            cwd=folder or self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def inv(self, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run ``inv`` to its end."""
        process = self.start(*arguments, folder=folder)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def install_invoke(self) -> None:
        """Bring in Invoke's stand-in as a requirement of the host project would."""
        python = self.root / ".venv" / "bin" / "python"
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "invoke"], env=self.environment, check=True
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout without a .venv."""
    return Checkout(tmp_path)


def installed_torch(checkout: Checkout) -> str:
    python = checkout.root / ".venv" / "bin" / "python"
    code = "import importlib.metadata as m; print(m.version('torch'))"
    return subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.slow
def test_first_use_installs_then_runs_and_later_starts_install_nothing(
    checkout: Checkout, tmp_path: Path
) -> None:
    first = checkout.inv("--list")
    assert "ready after" in first.stderr
    assert "C++" not in first.stderr
    checkout.install_invoke()

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    second = checkout.inv("train", "--epochs=3", folder=elsewhere)

    assert second.returncode == 0
    assert second.stderr == ""
    wanted = ["--search-root", str(checkout.root), "train", "--epochs=3"]
    assert second.stdout == f"INVOKE {wanted}\nSPINS 1000\n"

    # What the user sets stays.
    checkout.environment["GOMP_SPINCOUNT"] = "7"
    assert checkout.inv("--list").stdout.endswith("SPINS 7\n")


@pytest.mark.slow
def test_it_installs_again_only_when_pins_or_projects_change(checkout: Checkout) -> None:
    checkout.inv("--list")
    assert installed_torch(checkout) == "1.0"

    checkout.pin("2.0")
    assert "preparing .venv" in checkout.inv("--list").stderr
    assert installed_torch(checkout) == "2.0"

    project = checkout.root / "edge-runtime" / "pyproject.toml"
    project.write_text(project.read_text() + "# changed\n")
    assert "preparing .venv" in checkout.inv("--list").stderr
    assert "preparing .venv" not in checkout.inv("--list").stderr


@pytest.mark.slow
def test_an_interrupted_installation_is_repaired_by_the_next_start(checkout: Checkout) -> None:
    chance = random.Random(5)
    broken_off = 0
    for _ in range(5):
        process = checkout.start("--list")
        time.sleep(chance.uniform(0.2, 2.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        broken_off += not (checkout.root / ".venv" / ".edgewise-installed").exists()
    assert broken_off

    repaired = checkout.inv("--list")
    checkout.install_invoke()

    assert "error" not in repaired.stderr
    assert installed_torch(checkout) == "1.0"
    assert checkout.inv("--list").stderr == ""


def test_an_old_python_gets_one_sentence(checkout: Checkout) -> None:
    script = str(checkout.root / "inv")
    code = f"""if True:
        import sys
        sys.version_info = (3, 9, 1)
        __file__ = {script!r}
        exec(open(__file__).read())
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: Python 3.11 or newer is needed")
    assert len(done.stderr.splitlines()) == 1
    assert not (checkout.root / ".venv").exists()


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ([], []),
        (["--help"], ["--help"]),
        (["bench.training", "--help"], ["--help", "bench.training"]),
        (["intent.add", "lights", "-h"], ["--help", "intent.add"]),
        (["train", "data.csv"], ["train", "data.csv"]),
    ],
)
def test_help_may_be_asked_for_after_a_task(words: list[str], asked: list[str]) -> None:
    assert runpy.run_path(str(ROOT / "inv"))["in_order"](words) == asked


def test_an_old_python_can_at_least_read_it() -> None:
    ast.parse((ROOT / "inv").read_text(encoding="utf-8"), feature_version=(3, 7))


def test_an_environment_of_somebody_else_is_left_alone(checkout: Checkout) -> None:
    (checkout.root / ".venv").mkdir()
    (checkout.root / ".venv" / "mine").write_text("kept")
    done = checkout.inv("--list")
    assert done.returncode == 1
    assert "was not made by ./inv" in done.stderr
    assert (checkout.root / ".venv" / "mine").read_text() == "kept"


def test_a_missing_compiler_gets_one_sentence(checkout: Checkout, tmp_path: Path) -> None:
    checkout.environment["PATH"] = str(tmp_path)
    done = checkout.inv("--list")
    assert done.returncode == 1
    assert "error: no C++ compiler was found" in done.stderr
    assert "apt-get install g++" in done.stderr


@pytest.mark.slow
def test_no_network_gets_one_sentence(checkout: Checkout) -> None:
    del checkout.environment["PIP_NO_INDEX"], checkout.environment["PIP_FIND_LINKS"]
    # Nothing listens on the discard port of this machine.
    checkout.environment["PIP_INDEX_URL"] = "http://127.0.0.1:9/simple"
    checkout.environment["PIP_RETRIES"] = "1"
    done = checkout.inv("--list")
    assert done.returncode == 1
    assert "error: installing torch failed: no package registry could be reached" in done.stderr
