"""Start the runtime of edgewise on a device, with the wheels that lie beside this file.

Packed into the runtime component as ``run.py``, next to ``site/`` and ``device.json``. It
reads the Python and the processor that the wheels were built for, says in one line when
they do not fit, and hands over to ``edge_runtime``. ``run.py check`` only tries that.
"""  # noqa: INP001 - a program that travels alone, not a module of a package

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Check the device and run the command line; return the exit code."""
    device = json.loads((HERE / "device.json").read_text(encoding="utf-8"))
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    problem = ""
    if python != device["python"]:
        problem = f"python3 is Python {python}, this component was built for {device['python']}"
    elif platform.machine() not in device["machines"]:
        problem = f"the processor is {platform.machine()}, not {device['machines'][0]}"
    if problem:
        sys.stderr.write(f"error: {problem}; build the runtime component for this device\n")
        return 1
    # onnxruntime's wheels send usage data home unless this is set before they load.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    # Artifacts are read-only: compiled modules go to the component's work folder, which a
    # nucleus makes the current directory, so that later starts are faster. One folder for
    # each content, as dates of unpacked files tell nothing apart.
    compiled = Path.cwd() / "pycache"
    for old in compiled.glob("*"):
        if old.name != device["content"]:
            shutil.rmtree(old, ignore_errors=True)
    sys.pycache_prefix = str(compiled / device["content"])
    sys.path.insert(0, str(HERE / "site"))
    if sys.argv[1:] == ["check"]:
        try:
            import msgspec
            import numpy  # noqa: ICN001 - named in the report below
            import onnxruntime
            import tokenizers
        except ImportError as error:
            sys.stderr.write(f"error: the wheels do not load on this device: {error}\n")
            return 1
        parts = (msgspec, numpy, onnxruntime, tokenizers)
        found = ", ".join(f"{part.__name__} {part.__version__}" for part in parts)
        sys.stderr.write(f"this device can run the runtime: {found}\n")
        return 0
    from edge_runtime.__main__ import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
