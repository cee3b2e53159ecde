from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_runtime.bundle import open_bundle
from edge_runtime.classifier import IntentClassifier
from edge_runtime.errors import (
    BundleDamagedError,
    SelfTestError,
    SessionError,
    UtteranceError,
    VariantError,
)
from edge_runtime.manifest import Manifest
from edge_runtime.scoring import ScorePart
from edge_runtime.session import FakeSession


def answering(bundle: Path, answer: Callable[[Sequence[int]], Sequence[float]]) -> IntentClassifier:
    """A classifier whose model is the given function."""
    opened = open_bundle(bundle)
    return IntentClassifier(opened, opened.manifest.variants[0], FakeSession(answer))


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("lights on", "lights_on"),
        ("Switch the LIGHTS off!", "lights_off"),
        ("  play\tthat song ", "play_music"),
        ("will it rain tomorrow", "weather"),
    ],
)
@pytest.mark.parametrize("variant", ["int8", "fp32"])
def test_a_text_gets_its_intent(tiny_bundle: Path, text: str, intent: str, variant: str) -> None:
    with IntentClassifier.open(tiny_bundle, variant=variant) as classifier:
        answer = classifier.classify(text)
    assert answer.intent == intent
    assert answer.text == text
    assert not answer.out_of_scope
    assert answer.confidence > 0.9


def test_a_text_that_no_intent_fits_is_out_of_scope(tiny_bundle: Path) -> None:
    with IntentClassifier.open(tiny_bundle) as classifier:
        answer = classifier.classify("open the door")
    assert answer.out_of_scope
    assert answer.intent is None
    assert answer.score == 0
    assert len(answer.candidates) == 3


def test_candidates_come_best_first(tiny_bundle: Path) -> None:
    with IntentClassifier.open(tiny_bundle) as classifier:
        answer = classifier.classify("play music on the bright lamp")
    confidences = [candidate.confidence for candidate in answer.candidates]
    assert confidences == sorted(confidences, reverse=True)
    assert answer.confidence == confidences[0]
    assert answer.intent == answer.candidates[0].intent


def test_many_texts_get_the_answers_of_one_by_one(tiny_bundle: Path) -> None:
    texts = ["lights on", "open the door", "rain"]
    with IntentClassifier.open(tiny_bundle) as classifier:
        assert classifier.classify_many(texts) == [classifier.classify(text) for text in texts]


def test_logits_have_one_value_for_each_label(tiny_bundle: Path) -> None:
    with IntentClassifier.open(tiny_bundle) as classifier:
        logits = classifier.logits("lights on")
    assert logits.shape == (4,)
    assert logits.dtype == np.float32


def test_a_text_longer_than_the_model_sees_is_cut(tiny_bundle: Path) -> None:
    with IntentClassifier.open(tiny_bundle) as classifier:
        assert classifier.classify("rain " + "song " * 30).intent == "play_music"


@pytest.mark.parametrize("text", ["", " \n", "x" * 201])
def test_a_text_that_cannot_be_classified_is_refused(tiny_bundle: Path, text: str) -> None:
    with IntentClassifier.open(tiny_bundle) as classifier, pytest.raises(UtteranceError):
        classifier.classify(text)


def test_the_first_variant_is_the_default(tiny_bundle: Path) -> None:
    with IntentClassifier.open(tiny_bundle) as classifier:
        assert classifier.variant.name == "int8"


def test_an_unknown_variant_is_refused_with_the_known_ones(tiny_bundle: Path) -> None:
    with pytest.raises(VariantError, match="no variant 'int4'; it has: int8, fp32"):
        IntentClassifier.open(tiny_bundle, variant="int4")


def test_a_variant_that_the_processor_cannot_run_is_passed_over(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    def demand(manifest: Manifest) -> Manifest:
        first, second = manifest.variants
        impossible = msgspec.structs.replace(first, requires=("warp-drive",))
        return msgspec.structs.replace(manifest, variants=(impossible, second))

    bundle = make_tiny_bundle(tmp_path / "bundle", change=demand)
    with IntentClassifier.open(bundle) as classifier:
        assert classifier.variant.name == "fp32"


def test_a_bundle_without_a_usable_variant_says_what_each_needs(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    def demand(manifest: Manifest) -> Manifest:
        variants = tuple(
            msgspec.structs.replace(variant, requires=("warp-drive",))
            for variant in manifest.variants
        )
        return msgspec.structs.replace(manifest, variants=variants)

    bundle = make_tiny_bundle(tmp_path / "bundle", change=demand)
    with pytest.raises(VariantError, match="int8 needs a CPU with warp-drive; fp32 needs"):
        IntentClassifier.open(bundle)


def test_a_file_that_is_no_model_is_refused(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    def exchange(manifest: Manifest) -> Manifest:
        wrong = msgspec.structs.replace(manifest.variants[0], file="tokenizer.json")
        return msgspec.structs.replace(manifest, variants=(wrong,))

    with pytest.raises(SessionError, match="onnxruntime cannot load"):
        IntentClassifier.open(make_tiny_bundle(tmp_path / "bundle", change=exchange))


def test_a_file_that_is_no_tokenizer_is_refused(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    def exchange(manifest: Manifest) -> Manifest:
        return msgspec.structs.replace(manifest, tokenizer="golden.jsonl")

    with pytest.raises(BundleDamagedError, match="cannot read the tokenizer"):
        IntentClassifier.open(make_tiny_bundle(tmp_path / "bundle", change=exchange))


def test_a_head_with_another_number_of_labels_is_refused(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    def add_label(manifest: Manifest) -> Manifest:
        return msgspec.structs.replace(manifest, labels=(*manifest.labels, "one_more"))

    bundle = make_tiny_bundle(tmp_path / "bundle", change=add_label)
    with pytest.raises(BundleDamagedError, match="gives 4 logits, the manifest has 5 labels"):
        IntentClassifier.open(bundle)


def test_a_head_that_lacks_what_the_score_needs_is_refused(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    def ask_for_more(manifest: Manifest) -> Manifest:
        first, second = manifest.variants
        calibration = msgspec.structs.replace(
            second.calibration, score=(ScorePart(name="mahalanobis"),)
        )
        other = msgspec.structs.replace(second, calibration=calibration)
        return msgspec.structs.replace(manifest, variants=(first, other))

    bundle = make_tiny_bundle(tmp_path / "bundle", change=ask_for_more)
    with pytest.raises(BundleDamagedError, match="lacks whitened_means, which .* 'fp32' needs"):
        IntentClassifier.open(bundle)


def test_a_model_of_another_width_is_refused(tiny_bundle: Path) -> None:
    with (
        answering(tiny_bundle, lambda _: [1.0, 2.0]) as classifier,
        pytest.raises(SessionError, match=r"embeddings of shape \(2,\), the head takes 4 numbers"),
    ):
        classifier.classify("lights on")


def test_the_self_test_answers_all_golden_samples(tiny_bundle: Path) -> None:
    with IntentClassifier.open(tiny_bundle) as classifier:
        assert classifier.self_test() == 4


def test_the_self_test_finds_another_confidence(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", golden_offset=-0.02)
    with (
        IntentClassifier.open(bundle) as classifier,
        pytest.raises(SelfTestError, match="variant 'int8' fails its self-test") as info,
    ):
        classifier.self_test()
    assert info.value.data == {"text": "switch the lights off", "variant": "int8"}


def test_the_self_test_finds_another_intent(tiny_bundle: Path) -> None:
    with (
        answering(tiny_bundle, lambda _: [0, 9, 0, 0]) as classifier,
        pytest.raises(SelfTestError, match="gave lights_on .* expected lights_off"),
    ):
        classifier.self_test()


def test_the_self_test_refuses_what_is_no_number(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    # Of logits that are no numbers the first counts as the best, so the intent is right here.
    bundle = make_tiny_bundle(tmp_path / "bundle", golden=["lights off"])
    with (
        answering(bundle, lambda _: [float("nan")] * 4) as classifier,
        pytest.raises(SelfTestError, match=r"gave lights_off \(nan\)"),
    ):
        classifier.self_test()


def test_the_threshold_itself_is_in_scope(tiny_bundle: Path) -> None:
    with answering(tiny_bundle, lambda _: [2.0, 0, 0, 0]) as classifier:
        assert not classifier.classify("anything").out_of_scope
    with answering(tiny_bundle, lambda _: [1.999, 0, 0, 0]) as classifier:
        assert classifier.classify("anything").out_of_scope


def test_closing_closes_the_session(tiny_bundle: Path) -> None:
    opened = open_bundle(tiny_bundle)
    session = FakeSession(lambda _: [0, 0, 0, 0])
    IntentClassifier(opened, opened.manifest.variants[0], session).close()
    assert session.closed


def test_a_closed_classifier_says_so(tiny_bundle: Path) -> None:
    with IntentClassifier.open(tiny_bundle) as classifier:
        pass
    with pytest.raises(SessionError, match="closed"):
        classifier.classify("lights on")
