"""A component tried for real: both components started as their recipes say, and asked."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.bundle import open_bundle, read_golden
from greengrass_components.component import BuiltComponent, read_components
from greengrass_components.errors import NucleusError
from greengrass_components.local_nucleus import LocalNucleus, needs_quoting

__all__ = ["RunResult", "free_port", "run_components", "trial_root", "wait_until_serving"]

_HOST = "127.0.0.1"
_PAUSE_SECONDS = 0.1


class RunResult(msgspec.Struct, frozen=True):
    """The answer of a component that ran."""

    name: str
    """Name of the model component."""
    version: str
    """Version of the model component."""
    answer: dict[str, Any]
    """The runtime's answer to ``POST /v1/classify``."""


class _Health(msgspec.Struct, frozen=True):
    status: str
    error: str | None = None


def run_components(
    folder: Path, *, text: str | None = None, root: Path, timeout_s: float = 60.0
) -> RunResult:
    """Run the components of a folder on a local nucleus, ask one question, and stop them.

    Args:
        folder: what ``build_components`` made.
        text: the question; by default the first golden sample of the bundle.
        root: folder for the nucleus; it must be writable.
        timeout_s: seconds until the model must answer, from the start of both components.

    Raises:
        ArtifactError: the folder is missing, incomplete or damaged.
        NucleusError: a component does not run, or refuses the bundle or the question.
        StorageError: the disk is full or the root cannot be written.
    """
    built = {component.role: component for component in read_components(folder)}
    runtime, model = built["runtime"], built["model"]
    port = free_port()
    with LocalNucleus(root) as nucleus:
        nucleus.deploy(folder, configuration={runtime.name: {"port": port}})
        nucleus.wait_running(timeout_s=timeout_s)
        wait_until_serving(nucleus, runtime.name, port=port, timeout_s=timeout_s)
        question = _first_golden_text(nucleus, model) if text is None else text
        status, body = _request(port, "POST", "/v1/classify", {"text": question})
        if status != http.HTTPStatus.OK:
            reason = body.get("error", status)
            raise NucleusError(f"{runtime.name} refuses the question: {reason}", text=question)
    return RunResult(name=model.name, version=model.version, answer=body)


@contextlib.contextmanager
def trial_root(root: Path) -> Iterator[Path]:
    """Give an empty folder for a nucleus; it stays only when the trial fails, for its logs.

    It has a fixed place, so that what a killed trial left is cleared by the next one: the given
    one, or, where a nucleus cannot run there, one among the temporary files.

    Args:
        root: where it should be.
    """
    if needs_quoting(root):
        digest = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
        root = Path(tempfile.gettempdir()) / f"edgewise-nucleus-{digest}"
    _clear(root)
    root.mkdir(parents=True, mode=0o700)
    yield root
    _clear(root)


def _clear(root: Path) -> None:
    # A nucleus makes artifacts read-only: they are made ours again before they go.
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(0o700)
    if root.exists():
        shutil.rmtree(root)


def wait_until_serving(nucleus: LocalNucleus, runtime: str, *, port: int, timeout_s: float) -> None:
    """Wait until the runtime component serves a model.

    Raises:
        NucleusError: it died, refused the model, or the time is over.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        # A runtime that died is said so, with its last words, instead of waiting on.
        nucleus.wait_running(runtime, timeout_s=max(0.0, deadline - time.monotonic()))
        try:
            _, body = _request(port, "GET", "/healthz")
        except OSError:
            health = _Health(status="not listening yet")
        else:
            health = msgspec.convert(body, _Health)
        if health.status == "serving":
            return
        if health.error is not None:
            raise NucleusError(
                f"{runtime} refuses the model: {health.error}", log=nucleus.log(runtime)
            )
        if time.monotonic() > deadline:
            raise NucleusError(
                f"{runtime} did not serve within {timeout_s:g} s ({health.status}); "
                f"see {nucleus.log(runtime)}",
                log=nucleus.log(runtime),
            )
        time.sleep(_PAUSE_SECONDS)


def _first_golden_text(nucleus: LocalNucleus, model: BuiltComponent) -> str:
    archive = Path(model.artifacts[0]).stem
    bundle = open_bundle(nucleus.unarchived(model.name) / archive / "bundle")
    return read_golden(bundle)[0].text


def _request(
    port: int, method: str, path: str, document: dict[str, Any] | None = None
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(_HOST, port, timeout=30)
    try:
        body = None if document is None else msgspec.json.encode(document)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer: dict[str, Any] = msgspec.json.decode(response.read(), type=dict[str, Any])
        return response.status, answer
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()


def free_port() -> int:
    """Find a TCP port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port
