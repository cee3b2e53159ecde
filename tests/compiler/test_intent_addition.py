"""One more intent, without a gradient step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from compiler.bundle import make_bundle
from compiler.config import BundleSettings
from compiler.errors import IntentAdditionError
from compiler.intent_addition import IntentAddition, add_intent, read_examples
from edge_runtime.bundle import open_bundle, read_bundle_head
from edge_runtime.classifier import IntentClassifier
from edge_runtime.errors import BundleError, StorageError, UtteranceError
from edge_runtime.manifest import Manifest
from edge_runtime.storage import file_entries

# Between the music and the weather: with four numbers there is no room beside the four intents.
EXAMPLES = ["tomorrow song", "song tomorrow please", "tomorrow a song"]


@pytest.fixture
def tiny_bundle(tmp_path: Path, make_tiny_bundle: Callable[..., Path]) -> Path:
    """The tiny bundle, whose golden samples may get less sure: its intents lie close together."""

    def loosen(manifest: Manifest) -> Manifest:
        golden = msgspec.structs.replace(manifest.golden, tolerance=0.5)
        return msgspec.structs.replace(manifest, golden=golden)

    return make_tiny_bundle(tmp_path / "tiny", change=loosen)


def added(bundle: Path, folder: Path, **changes: object) -> IntentAddition:
    given: dict[str, object] = {"intent": "music_alarm", "examples": EXAMPLES, **changes}
    return add_intent(bundle, folder, **given)  # type: ignore[arg-type]


def test_the_new_intent_is_answered_and_the_others_as_before(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    result = added(tiny_bundle, tmp_path / "new")
    assert (result.examples, result.recognised) == (3, 3)
    with IntentClassifier.open(tmp_path / "new") as classifier:
        assert classifier.self_test() == 4
        assert classifier.manifest.labels[-1] == "music_alarm"
        assert classifier.classify("a song tomorrow").candidates[0].intent == "music_alarm"
        for text, intent in [("lights on", "lights_on"), ("play a song", "play_music")]:
            assert classifier.classify(text).intent == intent


def test_every_variant_knows_it(tiny_bundle: Path, tmp_path: Path) -> None:
    added(tiny_bundle, tmp_path / "new")
    for variant in ("int8", "fp32"):
        with IntentClassifier.open(tmp_path / "new", variant=variant) as classifier:
            assert classifier.classify("tomorrow song").candidates[0].intent == "music_alarm"


def test_the_bundle_says_where_the_intent_comes_from(tiny_bundle: Path, tmp_path: Path) -> None:
    result = added(tiny_bundle, tmp_path / "new")
    before = open_bundle(tiny_bundle).manifest
    manifest = result.bundle.manifest
    assert (before.version, manifest.version) == ("1.0.0", "1.1.0")
    (addition,) = manifest.provenance["added_intents"]
    assert addition["intent"] == "music_alarm"
    assert addition["examples"] == 3
    assert addition["bundle"] == before.digest


def test_a_second_addition_stands_after_the_first(tiny_bundle: Path, tmp_path: Path) -> None:
    added(tiny_bundle, tmp_path / "one")
    second = added(tmp_path / "one", tmp_path / "two", intent="night", examples=["dark rain"])
    names = [one["intent"] for one in second.bundle.manifest.provenance["added_intents"]]
    assert names == ["music_alarm", "night"]
    assert second.bundle.manifest.labels[-2:] == ("music_alarm", "night")
    assert second.bundle.manifest.version == "1.2.0"


def test_nothing_but_the_head_and_the_manifest_changes(tiny_bundle: Path, tmp_path: Path) -> None:
    before = file_entries(tiny_bundle)
    added(tiny_bundle, tmp_path / "new")
    after = file_entries(tmp_path / "new")
    assert {name for name in before if before[name] != after[name]} == {
        "head.npz",
        "manifest.json",
    }
    assert file_entries(tiny_bundle) == before


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
        ({"intent": ""}, "is no name for an intent"),
        ({"intent": " night"}, "is no name for an intent"),
        ({"examples": []}, "there is no example"),
    ],
)
def test_what_cannot_be_added_is_refused_and_nothing_is_written(
    tiny_bundle: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(IntentAdditionError, match=said):
        added(tiny_bundle, tmp_path / "new", **changes)
    assert not (tmp_path / "new").exists()


def test_examples_of_another_intent_are_refused_with_what_they_would_change(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(IntentAdditionError, match="would answer 'lights on' in"):
        added(tiny_bundle, tmp_path / "new", examples=["lights on", "on lights"])
    assert not (tmp_path / "new").exists()


def test_an_example_that_is_too_long_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UtteranceError, match="at most 200"):
        added(tiny_bundle, tmp_path / "new", examples=["x" * 201])


def test_a_bundle_cannot_take_its_own_place(tiny_bundle: Path) -> None:
    before = file_entries(tiny_bundle)
    with pytest.raises(IntentAdditionError, match="give another folder"):
        added(tiny_bundle, tiny_bundle)
    assert file_entries(tiny_bundle) == before


def test_a_folder_with_something_else_is_left_alone(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "letter.txt").write_text("mine")
    with pytest.raises(StorageError):
        added(tiny_bundle, tmp_path / "new")
    assert (tmp_path / "new" / "letter.txt").read_text() == "mine"


def test_a_damaged_bundle_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    (tiny_bundle / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleError):
        added(tiny_bundle, tmp_path / "new")


def test_what_scores_need_grows_too(
    tiny_line: Any,
    built_compiled: Path,
    bundle_settings: BundleSettings,
    tmp_path: Path,
) -> None:
    make_bundle(
        built_compiled,
        tiny_line.checkpoint,
        tiny_line.dataset,
        tiny_line.evaluation,
        tmp_path / "bundle",
        name="small",
        settings=msgspec.structs.replace(bundle_settings, golden_samples=1, golden_tolerance=1.0),
    )
    before = read_bundle_head(open_bundle(tmp_path / "bundle"))
    after = read_bundle_head(
        added(tmp_path / "bundle", tmp_path / "new", examples=["page lamp", "lamp page"]).bundle
    )
    for name in ("weight", "bias", "whitened_means"):
        left, right = getattr(before, name), getattr(after, name)
        assert len(right) == len(left) + 1
        assert np.array_equal(right[:-1], left)
    assert np.array_equal(after.whitening, before.whitening)


def test_examples_are_read_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "examples.txt"
    path.write_text("\ufeffdim the lamp\n\n  dim  the lamp \nless light\r\n", encoding="utf-8")
    assert read_examples(path) == ["dim the lamp", "less light"]


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe\x00"])
def test_a_file_without_examples_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "examples.txt").write_bytes(content)
    with pytest.raises(IntentAdditionError, match="one example a line|write one a line"):
        read_examples(tmp_path / "examples.txt")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntentAdditionError, match="cannot read examples"):
        read_examples(tmp_path / "nothing.txt")
