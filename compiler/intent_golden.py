"""Golden samples of a bundle that gets one more intent: what each variant makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from compiler.errors import IntentAdditionError
from edge_runtime.bundle import Bundle, GoldenSample
from edge_runtime.errors import SessionError, UtteranceError
from edge_runtime.head import Head
from edge_runtime.manifest import Variant
from edge_runtime.scoring import probabilities
from edge_runtime.session import Session, open_session, why_unusable
from edge_runtime.text import TextSettings, prepare
from edge_runtime.tokenization import Tokenizer

__all__ = ["View", "check_golden", "embed_samples", "record_golden"]

_MOST_SHOWN = 40


class View(NamedTuple):
    """What one variant of a bundle makes of texts."""

    variant: Variant
    examples: NDArray[np.float32]
    """Embeddings, shape (examples, hidden); of the first variant alone."""
    golden: NDArray[np.float32]
    """Embeddings, shape (golden samples, hidden)."""


def embed_samples(
    bundle: Bundle, head: Head, examples: Sequence[str], samples: Sequence[GoldenSample]
) -> list[View]:
    """Embed the golden samples with every variant, and the examples with the first.

    Args:
        bundle: with a variant that this machine can use.
        head: the bundle's.
        examples: texts.
        samples: the bundle's golden samples.

    Returns:
        Of each variant that this machine can use, in the manifest's order.

    Raises:
        SessionError: a model cannot be loaded, or gives embeddings of another size.
        UtteranceError: an example is too long.
    """
    manifest = bundle.manifest
    tokenizer = Tokenizer(bundle.path / manifest.tokenizer, max_tokens=manifest.text.max_tokens)
    given = tokenizer.encode_many([_prepare_example(text, manifest.text) for text in examples])
    golden = tokenizer.encode_many([prepare(sample.text, manifest.text) for sample in samples])
    usable = [variant for variant in manifest.variants if not why_unusable(variant)]

    def view(number: int) -> View:
        variant = usable[number]
        session = open_session(variant, bundle.path, max_tokens=manifest.text.max_tokens, threads=1)
        try:
            return View(
                variant,
                _embed(session, given if number == 0 else [], head),
                _embed(session, golden, head),
            )
        finally:
            session.close()

    # The engines work outside Python's lock, so the variants share the processors.
    with ThreadPoolExecutor(len(usable)) as pool:
        return list(pool.map(view, range(len(usable))))


def _embed(session: Session, rows: Sequence[Sequence[int]], head: Head) -> NDArray[np.float32]:
    result = np.zeros((len(rows), head.hidden), dtype=np.float32)
    for number, ids in enumerate(rows):
        embedding = session.embedding(ids)
        if embedding.shape != (head.hidden,):
            raise SessionError(
                f"a model gives embeddings of shape {embedding.shape}, the head takes "
                f"{head.hidden} numbers; make the bundle again"
            )
        result[number] = embedding
    return result


def _prepare_example(text: str, settings: TextSettings) -> str:
    try:
        return prepare(text, settings)
    except UtteranceError as error:
        shown = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
        raise UtteranceError(f"the example {shown!r}: {error.message}") from error


def check_golden(
    bundle: Bundle, head: Head, views: Sequence[View], samples: Sequence[GoldenSample]
) -> None:
    """Check that each variant answers every golden sample with its intent.

    Raises:
        IntentAdditionError: one does not, so this machine computes too differently.
    """
    labels = bundle.manifest.labels
    for view in views:
        best = head.logits(view.golden).argmax(axis=1)
        for sample, number in zip(samples, best, strict=True):
            if labels[number] != sample.intent:
                raise IntentAdditionError(
                    f"variant {view.variant.name!r} of {bundle.path} fails its self-test on this "
                    f"machine: {sample.text!r} gave {labels[number]}, expected {sample.intent}; "
                    "add the intent on another machine",
                    variant=view.variant.name,
                    text=sample.text,
                )


def record_golden(
    samples: Sequence[GoldenSample], head: Head, grown: Head, views: Sequence[View]
) -> bytes:
    """The golden file with confidences recorded anew, as one more intent takes a little of each.

    Args:
        samples: the old bundle's.
        head: the old bundle's.
        grown: the head with one more intent.
        views: made by ``embed_samples``.

    Returns:
        JSON lines. What a variant that cannot be asked here is as sure of is estimated: it loses
        what the first one loses.
    """
    before, after = (
        {
            view.variant.name: probabilities(one.logits(view.golden), view.variant.calibration).max(
                axis=1
            )
            for view in views
        }
        for one in (head, grown)
    )
    first = views[0].variant.name
    lines = []
    for number, sample in enumerate(samples):
        # A variant that cannot be asked here loses what the first one loses.
        lost = before[first][number] - after[first][number]
        confidence = {
            name: round(
                float(after[name][number] if name in after else min(max(old - lost, 0.0), 1.0)), 6
            )
            for name, old in sample.confidence.items()
        }
        renewed = msgspec.structs.replace(sample, confidence=confidence)
        lines.append(msgspec.json.encode(renewed, order="deterministic") + b"\n")
    return b"".join(lines)
