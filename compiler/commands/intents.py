"""Tasks of the namespace ``intent``."""

from __future__ import annotations

import sys
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from compiler.commands.locations import LINE
from edge_runtime.console import print_json, reporting_errors
from edge_runtime.settings import load_settings

__all__ = ["namespace"]


@task(
    help={
        "name": "the new intent",
        "examples": "a text file with one example a line; five or more are better",
        "bundle": "the bundle to start from; it is not changed",
        "folder": "the new bundle's folder; by default the bundle's with -with-NAME added",
        "version": "of the new bundle, above the old one's; by default the next minor version",
        "taken": "share of the other intents' texts that it may take, by estimate",
        "json": "print one JSON object",
    }
)
def add(
    _: Context,
    name: str,
    examples: str,
    bundle: str = str(LINE / "bundle"),
    folder: str | None = None,
    version: str | None = None,
    taken: float | None = None,
    *,
    json: bool = False,
) -> None:
    """Make a bundle with one more intent, from a few examples, without training."""
    from compiler.config import DEFAULTS as COMPILER_DEFAULTS
    from compiler.config import IntentSettings
    from compiler.intent_addition import add_intent
    from compiler.intent_request import beside, read_examples
    from trainer.config import DEFAULTS, DataSettings

    with reporting_errors():
        source = Path(bundle)
        of_intent = load_settings(
            IntentSettings,
            "intent",
            defaults=COMPILER_DEFAULTS,
            project_folder=Path.cwd(),
            flags={"taken": taken},
        )
        added = add_intent(
            source,
            Path(folder) if folder else beside(source, name),
            intent=name,
            examples=read_examples(Path(examples)),
            settings=load_settings(
                DataSettings, "data", defaults=DEFAULTS, project_folder=Path.cwd()
            ),
            taken=of_intent.taken,
            version=version,
        )
    if added.warning:
        print(f"warning: {added.warning}", file=sys.stderr)
    manifest = added.bundle.manifest
    if json:
        print_json(
            {
                "folder": str(added.bundle.path),
                "name": manifest.name,
                "version": manifest.version,
                "digest": manifest.digest,
                "intent": added.intent,
                "examples": added.examples,
                "recognised": added.recognised,
                "recognised_unseen": added.recognised_unseen,
                "variants": added.variants,
                "untested": added.untested,
                "warning": added.warning,
            }
        )
        return
    print(
        f"{added.bundle.path}: {manifest.name} {manifest.version}: {added.intent} from "
        f"{added.examples} examples, {added.recognised} of which it recognises"
    )
    if added.recognised_unseen is not None:
        print(
            f"  {added.recognised_unseen} of {added.examples} when each is left out in turn: what "
            "to expect of new texts"
        )
    for variant in added.untested:
        print(f"  {variant}: not tested, this machine cannot use it")


namespace = Collection("intent", add)
