"""The device stays light: what a host needs is never loaded there."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path


def test_a_device_answers_without_any_heavy_library(
    tiny_bundle: Path, start_python: Callable[..., subprocess.Popen[str]]
) -> None:
    code = """
        import json, sys
        import edge_runtime, edge_runtime.__main__
        with edge_runtime.IntentClassifier.open(sys.argv[1]) as classifier:
            answer = classifier.classify("lights on")
        print(json.dumps({"intent": answer.intent, "modules": sorted(sys.modules)}))
    """
    output, errors = start_python(code, tiny_bundle).communicate(timeout=60)
    assert errors == ""
    found = json.loads(output)
    assert found["intent"] == "lights_on"
    heavy = {"torch", "transformers", "boto3", "invoke", "huggingface_hub", "llama_cpp", "rich"}
    assert heavy.isdisjoint(found["modules"])


def test_importing_the_package_loads_no_engine(
    start_python: Callable[..., subprocess.Popen[str]],
) -> None:
    code = "import sys, edge_runtime; print('onnxruntime' in sys.modules)"
    output, _ = start_python(code).communicate(timeout=60)
    assert output == "False\n"
