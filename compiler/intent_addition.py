"""One more intent for a finished bundle, from a few examples and without a gradient step.

The encoder stays as it is. The new intent's row of the head is fitted in closed form, so that it
leaves the other intents their texts; see ``compiler.intent_row``. A training that knows the intent
does better; this is for the time until then.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from compiler.errors import IntentAdditionError, NotRecognisedError
from compiler.intent_golden import View, check_golden, embed_samples, record_golden
from compiler.intent_request import check_label, next_version
from compiler.intent_row import Others, Row, describe_others, fit_row, grow
from edge_runtime.bundle import Bundle, open_bundle, read_bundle_head, read_golden
from edge_runtime.errors import StorageError
from edge_runtime.head import Head, encode_head
from edge_runtime.manifest import (
    MANIFEST_NAME,
    Manifest,
    Variant,
    decode_manifest,
    encode_manifest,
)
from edge_runtime.session import choose_variant
from edge_runtime.storage import (
    canonical_json,
    file_entry,
    own_folder,
    replace_folder,
    write_atomically,
)
from trainer.calibration import predict
from trainer.config import DataSettings

__all__ = ["IntentAddition", "add_intent"]

_PROVENANCE = "added_intents"
# How far, in logits, the new intent stays behind the answer to a golden sample: with less, the
# confidence would differ between processors by more than the self-test allows.
_GOLDEN_LEAD = 1.0
# Rows that are made only to see how they answer examples that they do not know.
_MOST_TRIED = 20


class IntentAddition(msgspec.Struct, frozen=True):
    """A bundle with one more intent."""

    bundle: Bundle
    intent: str
    examples: int
    """Distinct examples that it was made from."""
    recognised: int
    """How many of them the new bundle answers with the intent: it is the best one, and the
    score is not below the threshold. Of the first variant that this machine can use."""
    recognised_unseen: int | None
    """How many are so answered by a row that was made from the other examples alone: what to
    expect of new texts. Of more than 20 examples a twentieth is left out at a time. ``None`` with
    one example."""
    variants: tuple[str, ...]
    """Variants that answer every golden sample as before."""
    untested: tuple[str, ...]
    """Variants that this machine cannot use."""
    warning: str
    """What is wrong with the addition, though it was made; empty when nothing is."""


def add_intent(
    bundle_folder: Path,
    folder: Path,
    *,
    intent: str,
    examples: Sequence[str],
    settings: DataSettings,
    taken: float,
    version: str | None = None,
) -> IntentAddition:
    """Write a bundle with one more intent.

    Files that stay the same are hard links to the old bundle's where the system can make them.
    Golden samples keep their texts and intents; their confidences are recorded anew, as one more
    intent takes a little of each.

    Args:
        bundle_folder: the bundle to start from; it is not changed.
        folder: the new bundle; what is there is replaced, if it is a bundle.
        intent: the new label.
        examples: texts of it; five or more are better.
        settings: what a label may be.
        taken: see ``compiler.config.IntentSettings``.
        version: of the new bundle, above the old one's; by default the next minor version.

    Raises:
        BundleError: the bundle is missing or damaged.
        IntentAdditionError: the name or the version cannot be taken, there is no example, or the
            bundle fails its self-test here.
        NotRecognisedError: none of the examples would be recognised.
        UtteranceError: an example is too long.
        VariantError: this machine can use no variant of the bundle.
        StorageError: the folder cannot be written.
    """
    check_label(intent, settings)
    bundle = open_bundle(bundle_folder)
    _check(bundle, folder, intent, examples)
    version = next_version(bundle.manifest.version, version)
    choose_variant(bundle.manifest)
    head = _fittable_head(bundle)
    samples = read_golden(bundle)
    views = embed_samples(bundle, head, examples, samples)
    check_golden(bundle, head, views, samples)
    others = describe_others(head, views[0].variant.calibration.spread)
    row = _fit(others, views, views[0].examples, taken)
    grown = grow(head, views[0].examples, row)
    answers = _answers(grown, views[0].variant, views[0].examples)
    recognised = answers.count(head.labels)
    if not recognised:
        raise NotRecognisedError(_none_recognised(intent, answers, bundle.manifest), intent=intent)
    unseen = _recognised_unseen(others, views, taken)
    untested = tuple(
        variant.name
        for variant in bundle.manifest.variants
        if all(variant.name != view.variant.name for view in views)
    )
    addition = {
        "intent": intent,
        "examples": len(examples),
        "examples_sha256": hashlib.sha256(canonical_json(list(examples))).hexdigest(),
        "bundle": bundle.manifest.digest,
        "taken": taken,
        "golden_confidences": "recorded anew",
        "untested": list(untested),
    }
    written = _write(
        bundle,
        folder,
        _next_manifest(bundle.manifest, intent, version, addition),
        head=encode_head(grown),
        golden=record_golden(samples, head, grown, views),
    )
    return IntentAddition(
        bundle=written,
        intent=intent,
        examples=len(examples),
        recognised=recognised,
        recognised_unseen=unseen,
        variants=tuple(view.variant.name for view in views),
        untested=untested,
        warning=_warning(intent, len(examples), recognised, unseen),
    )


def _check(bundle: Bundle, target: Path, intent: str, examples: Sequence[str]) -> None:
    if intent in bundle.manifest.labels:
        raise IntentAdditionError(
            f"the bundle has an intent {intent!r} already; train with the examples instead",
            intent=intent,
        )
    if not examples:
        raise IntentAdditionError("there is no example; five or more are better", intent=intent)
    if bundle.path.resolve() == target.resolve():
        raise IntentAdditionError(
            f"the new bundle cannot take the place of {bundle.path}; give another folder",
            folder=target,
        )
    if bundle.path.resolve() in target.resolve().parents:
        raise IntentAdditionError(
            f"the new bundle cannot lie inside {bundle.path}, which would then hold what its "
            "manifest does not list; give another folder",
            folder=target,
        )


def _fittable_head(bundle: Bundle) -> Head:
    head = read_bundle_head(bundle)
    if head.whitening is None or head.whitened_means is None:
        raise IntentAdditionError(
            f"{bundle.path} keeps too little of its training texts to guard its intents: its head "
            "has no whitening; make the bundle again with bundle.make",
            file=bundle.manifest.head,
        )
    return head


def _fit(others: Others, views: Sequence[View], examples: NDArray[np.float32], taken: float) -> Row:
    """Fit a row, and lower its bias until no golden sample gets another answer."""
    row = fit_row(others, examples, taken=taken)
    head = others.head
    limits = []
    for view in views:
        room = head.logits(view.golden).max(axis=1) - head.prepared(view.golden) @ row.weight
        limits += [float(one) - _GOLDEN_LEAD for one in room]
    return row._replace(bias=min([row.bias, *limits]))


def _answers(head: Head, variant: Variant, embeddings: NDArray[np.float32]) -> list[int]:
    found = predict(embeddings, head=head, calibration=variant.calibration).answers()
    return [int(number) for number in found]


def _recognised_unseen(others: Others, views: Sequence[View], taken: float) -> int | None:
    view = views[0]
    if len(view.examples) == 1:
        return None
    count = 0
    numbers = np.arange(len(view.examples))
    tried = min(len(numbers), _MOST_TRIED)
    for part in range(tried):
        is_unseen = numbers % tried == part
        rest = view.examples[~is_unseen]
        grown = grow(others.head, rest, _fit(others, views, rest, taken))
        answers = _answers(grown, view.variant, view.examples[is_unseen])
        count += answers.count(others.head.labels)
    return count


def _none_recognised(intent: str, answers: Sequence[int], manifest: Manifest) -> str:
    ((number, count),) = Counter(answers).most_common(1)
    instead = "out of scope" if number < 0 else manifest.labels[number]
    return (
        f"none of {len(answers)} examples would be answered with {intent!r} when the other intents "
        f"keep their texts: {count} would be answered {instead}; give other examples, allow "
        "more with --taken, or train with them"
    )


def _warning(intent: str, examples: int, recognised: int, unseen: int | None) -> str:
    if 2 * min(recognised, recognised if unseen is None else unseen) >= examples:
        return ""
    told = "" if unseen is None else f", {unseen} when it is made from the others alone"
    return (
        f"the bundle recognises {recognised} of {examples} examples of {intent!r}{told}: they lie "
        "close to other intents, which come first; train with them as soon as you can"
    )


def _next_manifest(
    manifest: Manifest, intent: str, version: str, addition: dict[str, object]
) -> Manifest:
    # Without "inputs" bundle.make sees that this is not what it would make.
    provenance = {name: value for name, value in manifest.provenance.items() if name != "inputs"}
    return msgspec.structs.replace(
        manifest,
        version=version,
        labels=(*manifest.labels, intent),
        provenance={
            "quality_of": manifest.digest,
            **provenance,
            _PROVENANCE: [*manifest.provenance.get(_PROVENANCE, []), addition],
        },
    )


def _write(
    bundle: Bundle, folder: Path, manifest: Manifest, *, head: bytes, golden: bytes
) -> Bundle:
    changed = {manifest.head: head, manifest.golden.file: golden}
    try:
        with (
            own_folder(folder, closing=MANIFEST_NAME) as own,
            replace_folder(own) as partial,
        ):
            for name in manifest.files:
                if name in changed:
                    write_atomically(partial / name, changed[name])
                else:
                    _link(bundle.path / name, partial / name)
            # What is linked has just been verified: its hashes are known.
            files = manifest.files | {name: file_entry(partial / name) for name in changed}
            content = encode_manifest(msgspec.structs.replace(manifest, files=files))
            write_atomically(partial / MANIFEST_NAME, content)
    except OSError as error:
        raise StorageError(
            f"cannot write {folder}: {error.strerror or error}; choose another folder", path=folder
        ) from error
    return Bundle(path=own, manifest=decode_manifest(content))


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:  # another file system, or one without such links
        shutil.copyfile(source, target)
