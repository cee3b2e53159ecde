"""The device's wheel, alone in an empty environment, answers, and loads nothing heavy."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from greengrass_components.wheels import (
    build_runtime_wheel,
    fetch_wheels,
    installed_requirements,
    unpack_wheels,
)

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "boto3", "invoke", "huggingface_hub", "llama_cpp", "onnx", "rich")
ASK = """
import json, sys
from edge_runtime import IntentClassifier
with IntentClassifier.open(sys.argv[1]) as classifier:
    answer = classifier.classify("lights on")
print(json.dumps({"intent": answer.intent, "modules": sorted(sys.modules)}))
"""


@pytest.mark.slow
def test_the_wheel_alone_in_an_empty_environment_answers(tiny_bundle: Path, tmp_path: Path) -> None:
    environment = tmp_path / "empty"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    wheels = fetch_wheels(
        installed_requirements(),
        architecture={"x86_64": "amd64"}.get(platform.machine(), platform.machine()),
        python=version,
        cache=ROOT / "build" / "cache" / "wheels",
    )
    wheels.append(build_runtime_wheel(ROOT / "edge-runtime", tmp_path / "wheel"))
    unpack_wheels(wheels, environment / "lib" / f"python{version}" / "site-packages")

    done = subprocess.run(
        [python, "-c", ASK, tiny_bundle],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["intent"] == "lights_on"
    loaded = {name.partition(".")[0] for name in told["modules"]}
    assert "edge_runtime" in loaded
    assert loaded.isdisjoint(HEAVY)
