"""One more intent, without a gradient step."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from compiler.bundle import BundleResult
from compiler.errors import IntentAdditionError, NotRecognisedError
from compiler.intent_addition import IntentAddition, add_intent
from compiler.intent_row import Others, Row, fit_row
from edge_runtime.bundle import open_bundle, read_bundle_head, read_golden
from edge_runtime.classifier import IntentClassifier
from edge_runtime.cpu import capabilities
from edge_runtime.errors import BundleError, SessionError, StorageError, UtteranceError
from edge_runtime.head import Head
from edge_runtime.manifest import Manifest
from edge_runtime.settings import load_settings
from edge_runtime.storage import file_entries
from edge_runtime.verification import verify_bundle
from trainer.config import DEFAULTS, DataSettings

# Half-way between the lights and the weather: there the tiny model has room.
EXAMPLES = ["off rain", "rain off please", "weather off"]


def tiny_head(*, typical: float = 6.0, deviation: float = 0.5) -> Head:
    """The tiny bundle's head, with intents whose texts lie around ``typical`` on their axis."""
    unit = np.eye(4, dtype=np.float32)
    return Head(
        weight=unit,
        bias=np.zeros(4, dtype=np.float32),
        normalized=False,
        whitening=unit / np.float32(deviation),
        whitened_means=unit * np.float32(typical / deviation),
    )


@pytest.fixture
def tiny_bundle(tmp_path: Path, make_tiny_bundle: Callable[..., Path]) -> Path:
    """The tiny bundle with what an addition needs."""
    return make_tiny_bundle(tmp_path / "tiny", head=tiny_head())


def added(bundle: Path, folder: Path, **changes: object) -> IntentAddition:
    settings = load_settings(DataSettings, "data", defaults=DEFAULTS, environment={})
    given: dict[str, object] = {"intent": "storm", "examples": EXAMPLES, "settings": settings}
    given["taken"] = 0.001
    return add_intent(bundle, folder, **(given | changes))  # type: ignore[arg-type]


def test_the_new_intent_is_answered_and_the_others_as_before(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    result = added(tiny_bundle, tmp_path / "new")
    assert (result.examples, result.recognised, result.recognised_unseen) == (3, 3, 3)
    assert result.warning == ""
    with IntentClassifier.open(tmp_path / "new") as classifier:
        assert classifier.manifest.labels[-1] == "storm"
        assert classifier.classify("please rain off").intent == "storm"
        for text, intent in [("lights on", "lights_on"), ("rain tomorrow", "weather")]:
            assert classifier.classify(text).intent == intent


def test_every_variant_knows_it_and_passes_its_self_test(tiny_bundle: Path, tmp_path: Path) -> None:
    result = added(tiny_bundle, tmp_path / "new")
    assert (result.variants, result.untested) == (("int8", "fp32"), ())
    assert [one.samples for one in verify_bundle(tmp_path / "new").variants] == [4, 4]
    for variant in ("int8", "fp32"):
        with IntentClassifier.open(tmp_path / "new", variant=variant) as classifier:
            assert classifier.classify("rain off").intent == "storm"


def test_what_is_counted_as_recognised_is_what_the_device_answers(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    def raise_threshold(manifest: Manifest) -> Manifest:
        variants = tuple(
            msgspec.structs.replace(
                one, calibration=msgspec.structs.replace(one.calibration, threshold=6.0)
            )
            for one in manifest.variants
        )
        return msgspec.structs.replace(manifest, variants=variants)

    bundle = make_tiny_bundle(tmp_path / "tiny", head=tiny_head(), change=raise_threshold)
    result = added(bundle, tmp_path / "new")
    with IntentClassifier.open(tmp_path / "new") as classifier:
        answers = [classifier.classify(text) for text in EXAMPLES]
    assert all(answer.candidates[0].intent == "storm" for answer in answers)
    assert result.recognised == sum(answer.intent == "storm" for answer in answers) == 2


def test_confidences_of_golden_samples_are_recorded_anew_and_nothing_else_of_them(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    result = added(tiny_bundle, tmp_path / "new")
    before, after = read_golden(open_bundle(tiny_bundle)), read_golden(result.bundle)
    assert [(one.text, one.intent) for one in before] == [(one.text, one.intent) for one in after]
    falls = [one.confidence["int8"] - two.confidence["int8"] for one, two in zip(before, after)]  # noqa: B905
    # More than the bundle's tolerance: without a new record its self-test would fail.
    assert max(falls) > result.bundle.manifest.golden.tolerance
    (addition,) = result.bundle.manifest.provenance["added_intents"]
    assert addition["golden_confidences"] == "recorded anew"


def test_the_bias_is_lowered_until_no_golden_sample_is_taken(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    # The others' texts are said to lie far out, where the new row could have a large bias.
    head = tiny_head(typical=20.0, deviation=0.01)
    bundle = make_tiny_bundle(tmp_path / "tiny", head=head)
    examples = ["tomorrow tomorrow song", "song tomorrow tomorrow"]
    result = added(bundle, tmp_path / "new", examples=examples)
    grown = read_bundle_head(result.bundle)
    with IntentClassifier.open(tmp_path / "new") as classifier:
        assert classifier.self_test() == 4
        song = grown.logits(classifier.embedding("play a song"))
    assert song[2] - song[4] == pytest.approx(1.0, abs=1e-4)
    assert result.recognised == 2


def test_a_variant_that_cannot_run_here_is_named_and_its_confidences_follow(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    def demand(manifest: Manifest) -> Manifest:
        first, second = manifest.variants
        second = msgspec.structs.replace(second, requires=("warp-drive",))
        return msgspec.structs.replace(manifest, variants=(first, second))

    bundle = make_tiny_bundle(tmp_path / "tiny", head=tiny_head(), change=demand)
    result = added(bundle, tmp_path / "new")
    assert (result.variants, result.untested) == (("int8",), ("fp32",))
    assert result.bundle.manifest.provenance["added_intents"][0]["untested"] == ["fp32"]
    for sample in read_golden(result.bundle):
        assert sample.confidence["fp32"] == pytest.approx(sample.confidence["int8"], abs=1e-3)


def test_few_recognised_examples_give_a_warning(tiny_bundle: Path, tmp_path: Path) -> None:
    result = added(tiny_bundle, tmp_path / "new", examples=["off rain", "off", "rain"])
    assert (result.recognised, result.recognised_unseen) == (1, 1)
    assert result.warning.startswith("the bundle recognises 1 of 3 examples of 'storm'")


def test_a_single_example_has_no_others_to_be_tried_on(tiny_bundle: Path, tmp_path: Path) -> None:
    result = added(tiny_bundle, tmp_path / "new", examples=["rain off"])
    assert (result.recognised, result.recognised_unseen) == (1, None)


def test_many_examples_are_left_out_by_twentieths(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = []

    def fit(others: Others, embeddings: NDArray[np.float32], *, taken: float) -> Row:
        known.append(len(embeddings))
        return fit_row(others, embeddings, taken=taken)

    monkeypatch.setattr("compiler.intent_addition.fit_row", fit)
    # The same direction each time, so that each is recognised by any of the others.
    examples = [" ".join(["rain off"] * (number + 1)) for number in range(22)]
    result = added(tiny_bundle, tmp_path / "new", examples=examples)
    assert (result.recognised, result.recognised_unseen) == (22, 22)
    # With all of them, and twenty times without one or two.
    assert known == [22, *[20] * 2, *[21] * 18]


def test_the_bundle_says_where_the_intent_comes_from(tiny_bundle: Path, tmp_path: Path) -> None:
    result = added(tiny_bundle, tmp_path / "new")
    before = open_bundle(tiny_bundle).manifest
    manifest = result.bundle.manifest
    assert manifest == open_bundle(tmp_path / "new").manifest
    assert (before.version, manifest.version) == ("1.0.0", "1.1.0")
    (addition,) = manifest.provenance["added_intents"]
    assert addition["intent"] == "storm"
    assert addition["examples"] == 3
    assert addition["bundle"] == before.digest
    # The accuracies in it were measured without the new intent.
    assert manifest.provenance["quality_of"] == before.digest


def test_a_second_addition_stands_after_the_first(tiny_bundle: Path, tmp_path: Path) -> None:
    added(tiny_bundle, tmp_path / "one")
    second = added(tmp_path / "one", tmp_path / "two", intent="party", examples=["on music"])
    manifest = second.bundle.manifest
    names = [one["intent"] for one in manifest.provenance["added_intents"]]
    assert names == ["storm", "party"]
    assert manifest.labels[-2:] == ("storm", "party")
    assert manifest.version == "1.2.0"
    # Still those of the bundle that was measured.
    assert manifest.provenance["quality_of"] == open_bundle(tiny_bundle).manifest.digest


def test_nothing_but_head_golden_samples_and_manifest_changes(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    before = file_entries(tiny_bundle)
    added(tiny_bundle, tmp_path / "new")
    after = file_entries(tmp_path / "new")
    assert {name for name in before if before[name] != after[name]} == {
        "golden.jsonl",
        "head.npz",
        "manifest.json",
    }
    assert file_entries(tiny_bundle) == before


def test_models_take_no_more_room(tiny_bundle: Path, tmp_path: Path) -> None:
    added(tiny_bundle, tmp_path / "new")
    assert (tiny_bundle / "model.int8.onnx").samefile(tmp_path / "new" / "model.int8.onnx")
    assert not (tiny_bundle / "head.npz").samefile(tmp_path / "new" / "head.npz")


def test_files_are_copied_where_there_are_no_hard_links(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    added(tiny_bundle, tmp_path / "new")
    assert verify_bundle(tmp_path / "new").version == "1.1.0"
    assert not (tiny_bundle / "model.int8.onnx").samefile(tmp_path / "new" / "model.int8.onnx")


def test_equal_examples_give_equal_bytes(tiny_bundle: Path, tmp_path: Path) -> None:
    added(tiny_bundle, tmp_path / "one")
    added(tiny_bundle, tmp_path / "two")
    assert file_entries(tmp_path / "one") == file_entries(tmp_path / "two")


def test_the_version_can_be_chosen(tiny_bundle: Path, tmp_path: Path) -> None:
    assert added(tiny_bundle, tmp_path / "new", version="3.0.0").bundle.manifest.version == "3.0.0"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"intent": "weather"}, "has an intent 'weather' already; train with the examples"),
        ({"intent": "oos"}, "'oos' is no name for an intent: it stands for texts that no intent"),
        ({"intent": "x" * 300}, "it has 300 characters, at most 100"),
        ({"version": "1.0.0"}, "version 1.0.0 is not above 1.0.0"),
        ({"examples": []}, "there is no example"),
    ],
)
def test_what_cannot_be_added_is_refused_and_nothing_is_written(
    tiny_bundle: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(IntentAdditionError, match=said) as refused:
        added(tiny_bundle, tmp_path / "new", **changes)
    assert not isinstance(refused.value, NotRecognisedError)
    assert not (tmp_path / "new").exists()


def test_what_lies_among_the_others_is_refused_with_an_error_of_its_own(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(NotRecognisedError, match="none of 2 examples .* answered lights_on"):
        added(tiny_bundle, tmp_path / "new", examples=["lights on", "on lights"])
    assert not (tmp_path / "new").exists()


def test_a_bundle_without_a_covariance_is_refused(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    with pytest.raises(IntentAdditionError, match="make the bundle again with bundle.make"):
        added(make_tiny_bundle(tmp_path / "tiny"), tmp_path / "new")


def test_a_bundle_that_answers_otherwise_here_is_refused(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    head = msgspec.structs.replace(tiny_head(), weight=np.eye(4, dtype=np.float32)[::-1])
    bundle = make_tiny_bundle(tmp_path / "tiny", head=head)
    with pytest.raises(IntentAdditionError, match="'int8' of .* fails its self-test on this mach"):
        added(bundle, tmp_path / "new")


def test_a_head_that_does_not_fit_the_model_is_refused(
    tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    wide = Head(
        weight=np.ones((4, 5), dtype=np.float32),
        bias=np.zeros(4, dtype=np.float32),
        normalized=False,
        whitening=np.eye(5, dtype=np.float32),
        whitened_means=np.ones((4, 5), dtype=np.float32),
    )
    bundle = make_tiny_bundle(tmp_path / "tiny", head=wide)
    with pytest.raises(SessionError, match=r"of shape \(4,\), the head takes 5 numbers"):
        added(bundle, tmp_path / "new")


def test_an_example_that_is_too_long_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UtteranceError, match=r"the example 'x{40}\.\.\.': .* at most 200"):
        added(tiny_bundle, tmp_path / "new", examples=["x" * 201])


def test_a_bundle_cannot_take_its_own_place(tiny_bundle: Path) -> None:
    before = file_entries(tiny_bundle)
    with pytest.raises(IntentAdditionError, match="give another folder"):
        added(tiny_bundle, tiny_bundle)
    assert file_entries(tiny_bundle) == before


def test_a_bundle_is_not_made_inside_the_one_that_it_comes_from(tiny_bundle: Path) -> None:
    before = file_entries(tiny_bundle)
    with pytest.raises(IntentAdditionError, match="cannot lie inside .*; give another folder"):
        added(tiny_bundle, tiny_bundle / "inner" / "new")
    assert file_entries(tiny_bundle) == before


def test_a_folder_with_something_else_is_left_alone(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "letter.txt").write_text("mine")
    with pytest.raises(StorageError):
        added(tiny_bundle, tmp_path / "new")
    assert (tmp_path / "new" / "letter.txt").read_text() == "mine"


def test_a_folder_with_too_long_a_name_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="choose another folder"):
        added(tiny_bundle, tmp_path / ("x" * 300))


def test_a_damaged_bundle_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    (tiny_bundle / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleError):
        added(tiny_bundle, tmp_path / "new")


def test_a_trained_bundle_gets_a_row_in_every_array(
    bundle_line: Callable[[Path], BundleResult], line_bundle: Path, tmp_path: Path
) -> None:
    before = read_bundle_head(open_bundle(line_bundle))
    examples = ["page lamp", "lamp page"]
    # An encoder that was never pretrained scatters new texts among the others.
    result = added(line_bundle, tmp_path / "new", intent="page", examples=examples, taken=0.4)
    after = read_bundle_head(result.bundle)
    for name in ("weight", "bias", "whitened_means"):
        left, right = getattr(before, name), getattr(after, name)
        assert len(right) == len(left) + 1
        assert np.array_equal(right[:-1], left)
    assert np.array_equal(np.asarray(after.whitening), np.asarray(before.whitening))
    # int8 is tried where the processor has what it asks for.
    tried, untested = ("int8", "q8_0", "fp32"), ()
    if "int8-dot" not in capabilities():
        tried, untested = tried[1:], tried[:1]
    assert (result.variants, result.untested) == (tried, untested)
    verified = {one.name: one.samples > 0 for one in verify_bundle(tmp_path / "new").variants}
    assert verified == {name: name in tried for name in ("int8", "q8_0", "fp32")}
    # bundle.make does not take it for the bundle that it would make.
    assert not bundle_line(tmp_path / "new").skipped
    assert bundle_line(tmp_path / "new").skipped


def test_the_more_it_may_take_the_larger_is_its_bias(tiny_bundle: Path, tmp_path: Path) -> None:
    biases = [
        read_bundle_head(added(tiny_bundle, tmp_path / "new", taken=taken).bundle).bias[-1]
        for taken in (0.0001, 0.001, 0.01)
    ]
    assert biases == sorted(biases)
    assert len(set(biases)) == 3
