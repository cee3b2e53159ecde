"""How a model component hands its bundle to the runtime: one small file for each model.

The model component writes ``<offers folder>/<model name>.json`` atomically::

    {"bundle": "/absolute/path", "manifest_sha256": "..."}

and the runtime reads it. The newest offer, by the file's modification time, is the one in
force: one model is served at a time.

This file is also packed into the model component, which brings no wheel along. So it uses
the standard library alone and runs by itself::

    python3 offers.py offer BUNDLE_DIR OFFERS_DIR
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

__all__ = ["Offer", "OfferError", "main", "offer_bundle", "read_offers"]

_MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class OfferError(Exception):
    """A bundle cannot be offered.

    Not an ``EdgeError``: this file must run where the rest of the package is not installed.
    """


class Offer(NamedTuple):
    """One offer, as found in the offers folder."""

    model: str
    """The model's name."""
    bundle: Path
    """Absolute path of the bundle."""
    manifest_sha256: str
    """SHA-256 of the bundle's ``manifest.json`` when it was offered."""
    problem: str
    """Why the offer cannot be used, one line; empty when it can be read."""
    offered_ns: int
    """When the offer was written, nanoseconds since the epoch by the file system's clock."""


def offer_bundle(bundle: Path, offers: Path) -> Path:
    """Offer a bundle to the runtime; return the offer's file.

    Only the manifest is read here: the runtime checks every byte before it swaps.

    Raises:
        OfferError: there is no readable manifest, or the offer cannot be written.
    """
    bundle = bundle.resolve()
    manifest = bundle / "manifest.json"
    try:
        content = manifest.read_bytes()
    except OSError as error:
        raise OfferError(
            f"no bundle at {bundle}: {manifest.name} cannot be read ({error.strerror}); "
            "give the folder that holds it"
        ) from error
    name = _model_name(content, manifest)
    offer = {"bundle": str(bundle), "manifest_sha256": hashlib.sha256(content).hexdigest()}
    target = offers.resolve() / f"{name}.json"
    # A fixed name: what a kill leaves behind is overwritten by the next offer.
    partial = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as file:
            file.write(json.dumps(offer, indent=2, sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise OfferError(
            f"cannot write {target}: {error.strerror}; mend the folder's rights or free some space"
        ) from error
    return target


def read_offers(offers: Path) -> list[Offer]:
    """Read the offers of a folder, newest first; a missing folder has none.

    A file that is not an offer is returned with its ``problem``, so that it can be reported.
    """
    found = []
    for path in offers.glob("*.json"):
        if path.name.startswith("."):
            continue
        # The model component may replace or withdraw its offer between the two looks.
        with contextlib.suppress(FileNotFoundError):
            found.append(_read_offer(path))
    return sorted(found, key=lambda offer: (-offer.offered_ns, offer.model))


def _model_name(content: bytes, manifest: Path) -> str:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise OfferError(f"{manifest} is damaged: {error}; fetch the bundle again") from error
    name = document.get("name") if isinstance(document, dict) else None
    if not isinstance(name, str) or not _MODEL_NAME.fullmatch(name):
        raise OfferError(f"{manifest} holds no usable model name; fetch the bundle again")
    return name


def _read_offer(path: Path) -> Offer:
    offered_ns = path.stat().st_mtime_ns
    bundle = digest = None
    problem = f"{path} is not an offer; start the model component again"
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        bundle, digest = document.get("bundle"), document.get("manifest_sha256")
        well_formed = (
            isinstance(bundle, str)
            and Path(bundle).is_absolute()
            and isinstance(digest, str)
            and _SHA256.fullmatch(digest) is not None
        )
        problem = "" if well_formed else problem
    return Offer(
        model=path.stem,
        bundle=Path() if problem else Path(str(bundle)),
        manifest_sha256="" if problem else str(digest),
        problem=problem,
        offered_ns=offered_ns,
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Offer a model's bundle to the runtime.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    offer = commands.add_parser("offer", help="write or renew the offer of one bundle")
    offer.add_argument("bundle", type=Path, help="the bundle's folder")
    offer.add_argument("offers", type=Path, help="the folder that the runtime watches")
    given = parser.parse_args(arguments)
    try:
        offer_bundle(given.bundle, given.offers)
    except OfferError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
