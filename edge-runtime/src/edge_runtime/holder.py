"""The model that is being served, and how another one takes its place.

A new bundle is verified, loaded and self-tested while the old one goes on answering. Only
then do they swap; a bundle that fails any of it is refused and the old one stays.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from edge_runtime.classifier import Answer, IntentClassifier
from edge_runtime.errors import BundleDamagedError, BundleNotFoundError, EdgeError, NotReadyError
from edge_runtime.manifest import MANIFEST_NAME
from edge_runtime.offers import read_offers

__all__ = ["HolderState", "ModelHolder", "follow_offers"]

_log = logging.getLogger(__name__)


class HolderState(msgspec.Struct, frozen=True):
    """What is being served; the body of ``/healthz``."""

    status: Literal["waiting", "serving", "degraded"]
    """``waiting``: no model yet; ``degraded``: a new bundle was refused, the old one serves."""
    name: str | None = None
    """Name of the bundle being served."""
    version: str | None = None
    """Version of the bundle being served."""
    variant: str | None = None
    """Variant being served."""
    error: str | None = None
    """Why the last offered bundle was refused, one line."""


class ModelHolder:
    """Owns the classifier in use; every method may be called from any thread.

    Args:
        variant: the variant to load; by default the first that this device can use.
        threads: processor threads for one answer.
    """

    def __init__(self, *, variant: str | None = None, threads: int = 1) -> None:
        self._variant = variant
        self._threads = threads
        self._classifier: IntentClassifier | None = None
        self._state = HolderState(status="waiting")
        self._answering = threading.Lock()
        self._swapping = threading.Lock()

    @property
    def state(self) -> HolderState:
        """What is being served; never waits for an answer or a swap in progress."""
        return self._state

    def swap(self, bundle: Path, *, manifest_sha256: str | None = None) -> HolderState:
        """Verify, load and self-test a bundle, and then serve it in place of the old one.

        Args:
            bundle: the bundle's folder.
            manifest_sha256: what its manifest must hash to; ``None`` accepts any.

        Raises:
            EdgeError: the bundle is refused; the old one, if any, goes on serving.
        """
        with self._swapping:
            try:
                classifier = self._load(bundle, manifest_sha256)
            except EdgeError as error:
                self._refuse(error.message)
                raise
            manifest = classifier.manifest
            with self._answering:
                old, self._classifier = self._classifier, classifier
                self._state = HolderState(
                    status="serving",
                    name=manifest.name,
                    version=manifest.version,
                    variant=classifier.variant.name,
                )
            if old is not None:
                old.close()
            _log.info("serving %s %s from %s", manifest.name, manifest.version, bundle)
            return self._state

    def refuse(self, problem: str) -> None:
        """Record that an offer could not even be read; what is being served stays."""
        with self._swapping:
            self._refuse(problem)

    def classify(self, text: str) -> Answer:
        """Answer one text.

        Raises:
            NotReadyError: no model is loaded yet.
            UtteranceError: the text is empty, too long or not text.
            SessionError: the engine failed.
        """
        return self.classify_many([text])[0]

    def classify_many(self, texts: Sequence[str]) -> list[Answer]:
        """Answer texts, all of them by the same model.

        Raises:
            NotReadyError: no model is loaded yet.
            UtteranceError: a text is empty, too long or not text.
            SessionError: the engine failed.
        """
        with self._answering:
            if self._classifier is None:
                why = self._state.error or "waiting for a bundle"
                raise NotReadyError(f"no model is loaded: {why}")
            return self._classifier.classify_many(texts)

    def close(self) -> None:
        """Free the model; afterwards the holder waits for another one."""
        with self._swapping, self._answering:
            if self._classifier is not None:
                self._classifier.close()
            self._classifier = None
            self._state = HolderState(status="waiting")

    def _load(self, bundle: Path, manifest_sha256: str | None) -> IntentClassifier:
        if manifest_sha256 is not None:
            _check_manifest(bundle / MANIFEST_NAME, manifest_sha256)
        classifier = IntentClassifier.open(bundle, variant=self._variant, threads=self._threads)
        try:
            classifier.self_test()
        except BaseException:
            classifier.close()
            raise
        return classifier

    def _refuse(self, problem: str) -> None:
        status: Literal["waiting", "degraded"] = "degraded" if self._classifier else "waiting"
        self._state = msgspec.structs.replace(self._state, status=status, error=problem)
        _log.warning("refused a bundle: %s", problem)


def follow_offers(
    holder: ModelHolder, offers: Path, *, stop: threading.Event, seconds: float = 1.0
) -> None:
    """Swap to the newest offer whenever it changes, until ``stop`` is set.

    A refused offer is not tried again until it is renewed: checking it reads every byte.

    Args:
        holder: what the offered bundles are given to.
        offers: the folder that model components write their offers to; it may come later.
        stop: ends the loop.
        seconds: pause between two looks.
    """
    seen = None
    while not stop.is_set():
        newest = next(iter(read_offers(offers)), None)
        if newest is not None and newest != seen:
            seen = newest
            if newest.problem:
                holder.refuse(newest.problem)
            else:
                _try_swap(holder, newest.bundle, newest.manifest_sha256)
        stop.wait(seconds)


def _try_swap(holder: ModelHolder, bundle: Path, manifest_sha256: str) -> None:
    try:
        holder.swap(bundle, manifest_sha256=manifest_sha256)
    except EdgeError:
        pass  # the holder has recorded and logged it
    except Exception:  # noqa: BLE001 - a bug in loading must not end the serving of the old model
        _log.exception("cannot load the offered bundle %s", bundle)
        holder.refuse(f"the offered bundle {bundle} cannot be loaded; see the log for the reason")


def _check_manifest(path: Path, expected: str) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise BundleNotFoundError(
            f"no bundle at {path.parent}: {path.name} cannot be read ({error.strerror}); "
            "start the model component again",
            path=path.parent,
        ) from error
    if found != expected:
        raise BundleDamagedError(
            f"{path} is not the manifest that was offered; start the model component again",
            file=path.name,
        )
