"""A bundle that answers: text -> tokens -> embedding -> logits -> intent or out of scope.

This is the runtime's table of contents; training, the compiler's gates and the device
all answer through it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle import Bundle, open_bundle, read_bundle_head, read_golden
from edge_runtime.errors import SelfTestError, SessionError
from edge_runtime.manifest import Manifest, Variant
from edge_runtime.scoring import in_scope_scores, probabilities
from edge_runtime.session import Session, choose_variant, open_session
from edge_runtime.text import prepare
from edge_runtime.tokenization import Tokenizer

__all__ = ["Answer", "Candidate", "IntentClassifier"]

_CANDIDATES = 3


class Candidate(msgspec.Struct, frozen=True):
    """One possible intent."""

    intent: str
    confidence: float
    """Calibrated probability, 0 to 1."""


class Answer(msgspec.Struct, frozen=True):
    """The answer to one text."""

    text: str
    """The text as it was given."""
    intent: str | None
    """The best intent, or ``None`` when the text is out of scope."""
    confidence: float
    """Calibrated probability of the best intent, 0 to 1."""
    out_of_scope: bool
    """True when the score lies below the threshold."""
    score: float
    """The out-of-scope score; larger means more surely in scope."""
    candidates: tuple[Candidate, ...]
    """The best intents, best first, whether in scope or not."""


class IntentClassifier:
    """Answers texts with the model of a bundle. Not for several threads at once.

    Args:
        bundle: a verified bundle.
        variant: the variant that ``session`` has loaded.
        session: the loaded model.

    Raises:
        BundleDamagedError: the tokenizer or the head cannot be read, or does not fit.
    """

    def __init__(self, bundle: Bundle, variant: Variant, session: Session) -> None:
        self.bundle = bundle
        self.variant = variant
        self._session = session
        manifest = bundle.manifest
        self._head = read_bundle_head(bundle)
        self._tokenizer = Tokenizer(
            bundle.path / manifest.tokenizer, max_tokens=manifest.text.max_tokens
        )

    @classmethod
    def open(
        cls, path: str | Path, *, variant: str | None = None, threads: int = 1
    ) -> IntentClassifier:
        """Verify a bundle and load one variant of it.

        Args:
            path: the bundle's folder.
            variant: its name; by default the first that this device can use.
            threads: processor threads for one answer.

        Raises:
            BundleError: the bundle is missing, damaged or of another schema.
            VariantError: no such variant, or none that can be used here.
            SessionError: the engine refuses the model.
        """
        bundle = open_bundle(Path(path))
        manifest = bundle.manifest
        chosen = choose_variant(manifest, variant)
        session = open_session(
            chosen,
            bundle.path,
            max_tokens=manifest.text.max_tokens,
            threads=threads,
        )
        try:
            return cls(bundle, chosen, session)
        except BaseException:
            session.close()
            raise

    @property
    def manifest(self) -> Manifest:
        """The manifest of the bundle."""
        return self.bundle.manifest

    def embedding(self, text: str) -> NDArray[np.float32]:
        """The model's vector of one text, shape (hidden,).

        Raises:
            UtteranceError: the text is empty, too long or not text.
            SessionError: the engine failed, or the model does not fit the head.
        """
        token_ids = self._tokenizer.encode(prepare(text, self.manifest.text))
        embedding = self._session.embedding(token_ids)
        if embedding.shape != (self._head.hidden,):
            raise SessionError(
                f"variant {self.variant.name!r} gives embeddings of shape {embedding.shape}, the "
                f"head takes {self._head.hidden} numbers; make the bundle again",
                variant=self.variant.name,
            )
        return embedding

    def logits(self, text: str) -> NDArray[np.float32]:
        """Logits of one text, shape (labels,).

        Raises:
            UtteranceError: the text is empty, too long or not text.
            SessionError: the engine failed, or the model does not fit the head.
        """
        return self._head.logits(self.embedding(text))

    def classify(self, text: str) -> Answer:
        """Answer one text.

        Raises:
            UtteranceError: the text is empty, too long or not text.
            SessionError: the engine failed.
        """
        return self._answer(text, self.embedding(text))

    def classify_many(self, texts: Iterable[str]) -> list[Answer]:
        """Answer texts one after the other, exactly as ``classify`` does."""
        return [self.classify(text) for text in texts]

    def self_test(self) -> int:
        """Answer the golden samples and compare; return how many there are.

        Raises:
            SelfTestError: an intent or a confidence differs from what the bundle expects.
        """
        samples = read_golden(self.bundle)
        tolerance = self.manifest.golden.tolerance
        for sample in samples:
            best = self.classify(sample.text).candidates[0]
            expected = sample.confidence[self.variant.name]
            # A confidence that is no number must fail, so "not within", not "beyond".
            within = abs(best.confidence - expected) <= tolerance
            if best.intent != sample.intent or not within:
                raise SelfTestError(
                    f"variant {self.variant.name!r} fails its self-test here: {sample.text!r} gave "
                    f"{best.intent} ({best.confidence:.3f}), expected {sample.intent} "
                    f"({expected:.3f} +/- {tolerance}); use another variant on this device",
                    text=sample.text,
                    variant=self.variant.name,
                )
        return len(samples)

    def _answer(self, text: str, embedding: NDArray[np.float32]) -> Answer:
        calibration = self.variant.calibration
        logits = self._head.logits(embedding)
        confidences = probabilities(logits, calibration)
        best = np.argsort(-confidences, kind="stable")[:_CANDIDATES]
        candidates = tuple(
            Candidate(intent=self.manifest.labels[index], confidence=float(confidences[index]))
            for index in best
        )
        score = float(in_scope_scores(embedding, logits, head=self._head, parts=calibration.score))
        out_of_scope = score < calibration.threshold
        return Answer(
            text=text,
            intent=None if out_of_scope else candidates[0].intent,
            confidence=candidates[0].confidence,
            out_of_scope=out_of_scope,
            score=score,
            candidates=candidates,
        )

    def close(self) -> None:
        """Free the model."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
