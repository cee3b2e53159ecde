"""Tasks of the namespace ``component``: build, run."""

from __future__ import annotations

import contextlib
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from edge_runtime.console import print_json, reporting_errors, showing_progress
from greengrass_components.commands.checkout import CHECKOUT
from greengrass_components.commands.numbers import whole_number

__all__ = ["namespace"]

_BUILD = Path("build")
_CACHE = _BUILD / "cache" / "wheels"


@task(
    help={
        "bundle": "the bundle's folder",
        "folder": "the folder to make",
        "platforms": "processors of the devices: amd64, aarch64, host; several with commas",
        "json": "print one JSON object",
    }
)
def build(
    _: Context, bundle: str, folder: str, platforms: str | None = None, *, json: bool = False
) -> None:
    """Build the model component and the runtime component, ready to publish or to run."""
    from greengrass_components.component import build_components
    from greengrass_components.config import load_component_settings

    with reporting_errors(), showing_progress() as progress:
        settings = load_component_settings(
            project_folder=Path.cwd(), flags={"platforms": platforms}
        )
        artifact = build_components(
            Path(bundle),
            Path(folder),
            settings=settings,
            project=CHECKOUT,
            cache=Path.cwd() / _CACHE,
            progress=progress,
        )
    if json:
        print_json({"folder": folder, "skipped": artifact.skipped, **artifact.document.result})
        return
    print(f"{folder}: {'up to date' if artifact.skipped else 'built'}")
    for built in artifact.document.result["components"]:
        print(
            f"  {built['name']} {built['version']}: {built['contents']} files, "
            f"{built['bytes'] / 1e6:.1f} MB"
        )


@task(
    help={
        "folder": "what component.build made",
        "text": "the question; by default the first golden sample of the bundle",
        "root": "folder to run in and to keep; by default one that goes when all went well",
        "timeout": "seconds until the model must answer; 60 by default",
        "json": "print one JSON object",
    }
)
def run(
    _: Context,
    folder: str,
    text: str | None = None,
    root: str | None = None,
    timeout: str | None = None,
    *,
    json: bool = False,
) -> None:
    """Start both components as a core device would, ask one question, and stop them."""
    from greengrass_components.local_nucleus_trial import run_components, trial_root

    with reporting_errors():
        seconds = whole_number("timeout", timeout, default=60, least=0)
        built = Path(folder)
        place = (
            contextlib.nullcontext(Path(root))
            if root is not None
            else trial_root(built.with_name(f"{built.name}-nucleus"))
        )
        with place as nucleus:
            result = run_components(built, text=text, root=nucleus, timeout_s=seconds)
    if json:
        print_json(result)
        return
    answer = result.answer
    said = "out of scope" if answer["out_of_scope"] else answer["intent"]
    print(
        f"{result.name} {result.version}: {answer['text']!r}: {said} ({answer['confidence']:.1%})"
    )


namespace = Collection("component", build, run)
