"""Checking utterances before training."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.text import normalize
from trainer.config import DataSettings
from trainer.errors import UtterancesInvalidError
from trainer.utterances import SplitName, Utterance
from trainer.validation import CheckedUtterances, check_utterances

Row = tuple[str, str | None] | tuple[str, str | None, SplitName]
GOOD: list[Row] = [
    ("lights on", "light"),
    ("lamp on", "light"),
    ("play a song", "music"),
    ("play jazz", "music"),
]


def utterances(rows: list[Row]) -> list[Utterance]:
    return [
        Utterance(
            text=row[0],
            intent=row[1],
            split=row[2] if len(row) == 3 else None,
            group=None,
            line=number,
            source="a.csv",
        )
        for number, row in enumerate(rows, start=2)
    ]


def check(rows: list[Row], settings: DataSettings, **changes: Any) -> CheckedUtterances:
    return check_utterances(utterances(rows), msgspec.structs.replace(settings, **changes))


def refusal(rows: list[Row], settings: DataSettings, **changes: Any) -> str:
    with pytest.raises(UtterancesInvalidError) as caught:
        check(rows, settings, **changes)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_good_utterances_pass_as_they_are(data_settings: DataSettings) -> None:
    checked = check(GOOD, data_settings)
    assert list(checked.utterances) == utterances(GOOD)
    assert (checked.report.read, checked.report.kept) == (4, 4)
    assert (checked.report.fewest_examples, checked.report.most_examples) == (2, 2)
    assert checked.report.longest_text == len("play a song")


def test_texts_are_normalised(data_settings: DataSettings) -> None:
    checked = check([*GOOD, ("  cafe\u0301 \n lights\x07 ", "light")], data_settings)
    assert checked.utterances[-1].text == "caf\u00e9 lights"


def test_a_single_intent_is_refused(data_settings: DataSettings) -> None:
    assert refusal([*GOOD[:2], ("pi", None)], data_settings) == (
        "there is only the intent 'light' to train on; a classifier needs at least two intents"
    )


def test_no_intent_at_all_is_refused(data_settings: DataSettings) -> None:
    assert refusal([("lights on", "light", "test")], data_settings) == (
        "there is no intent to train on; a classifier needs at least two intents"
    )


def test_an_intent_with_one_example_is_refused(data_settings: DataSettings) -> None:
    assert refusal([*GOOD, ("wake me", "alarm")], data_settings) == (
        "every intent needs at least 2 different training texts: 'alarm' has 1; "
        "add texts or remove the intent"
    )


def test_a_duplicate_and_a_test_text_do_not_count_as_examples(data_settings: DataSettings) -> None:
    rows: list[Row] = [
        *GOOD,
        ("wake me", "alarm"),
        ("wake  me", "alarm"),
        ("rouse me", "alarm", "test"),
    ]
    assert "'alarm' has 1;" in refusal(rows, data_settings)


def test_the_number_of_examples_needed_is_a_setting(data_settings: DataSettings) -> None:
    assert refusal(GOOD, data_settings, min_examples_per_intent=3).startswith(
        "every intent needs at least 3 different training texts: 'light' has 2, 'music' has 2;"
    )


def test_one_text_under_two_intents_is_refused_whatever_its_case(
    data_settings: DataSettings,
) -> None:
    assert refusal([*GOOD, ("Lights  ON", "music")], data_settings) == (
        "one text stands under two intents in train: 'lights on' is light in a.csv, line 2 and "
        "music in a.csv, line 6; give each text one intent"
    )


def test_a_text_both_in_and_out_of_scope_is_refused(data_settings: DataSettings) -> None:
    message = refusal([*GOOD, ("lamp on", None)], data_settings)
    assert "'lamp on' is light in a.csv, line 3 and out of scope in a.csv, line 6" in message


def test_many_contradictions_are_counted_and_five_are_listed(data_settings: DataSettings) -> None:
    rows: list[Row] = [(f"text {n}", label) for n in range(7) for label in ("a", "b")]
    with pytest.raises(UtterancesInvalidError) as caught:
        check(rows, data_settings)
    message = caught.value.message
    assert message.startswith("7 texts stand under two intents in train: 'text 0' is a in ")
    assert message.endswith(" and 2 more; give each text one intent")
    assert "'text 4'" in message
    assert "'text 5'" not in message
    assert caught.value.data["texts"] == [f"text {n}" for n in range(7)]


def test_a_contradiction_within_the_test_is_refused(data_settings: DataSettings) -> None:
    rows: list[Row] = [*GOOD, ("on", "light", "test"), ("on", "music", "test")]
    assert "under two intents in test: 'on' is" in refusal(rows, data_settings)


def test_a_contradiction_across_splits_is_only_reported(data_settings: DataSettings) -> None:
    checked = check([*GOOD, ("Lamp on", "music", "validation")], data_settings)
    found = checked.report.contradictions_across_splits
    assert found.count == 1
    assert found.examples == ("'lamp on' is light in a.csv, line 3 and music in a.csv, line 6",)
    assert len(checked.utterances) == 5


def test_duplicates_are_dropped_and_counted(data_settings: DataSettings) -> None:
    checked = check([*GOOD, ("lights  on", "light"), ("lights on", "light")], data_settings)
    assert list(checked.utterances) == utterances(GOOD)
    assert checked.report.duplicates_dropped.count == 2
    assert checked.report.duplicates_dropped.examples[0] == "'lights on' (a.csv, line 6)"
    assert (checked.report.read, checked.report.kept) == (6, 4)


def test_a_text_in_training_and_test_is_reported_and_kept(data_settings: DataSettings) -> None:
    rows: list[Row] = [*GOOD, ("Lights on", "light", "test"), ("lamp on", "light", "validation")]
    checked = check(rows, data_settings)
    assert len(checked.utterances) == 6
    assert checked.report.in_train_and_test.examples == ("'Lights on' (a.csv, line 6)",)
    assert checked.report.in_train_and_validation.examples == ("'lamp on' (a.csv, line 7)",)


def test_out_of_scope_texts_are_counted_by_split(data_settings: DataSettings) -> None:
    checked = check(
        [*GOOD, ("pi", None), ("e", None, "test"), ("tau", None, "test")], data_settings
    )
    assert checked.report.out_of_scope == {"train": 1, "validation": 0, "test": 2}


@pytest.mark.parametrize("split", ["validation", "test"])
def test_an_intent_that_training_lacks_is_refused(
    data_settings: DataSettings, split: SplitName
) -> None:
    assert refusal([*GOOD, ("wake me", "alarm", split)], data_settings) == (
        "training lacks an intent that another split has: 'alarm' (a.csv, line 6); "
        "add training texts or mend the label"
    )


def test_a_text_of_ten_thousand_characters_is_refused(data_settings: DataSettings) -> None:
    assert refusal([*GOOD, ("a" * 10_000, "light")], data_settings) == (
        "a.csv, line 6: the text has 10000 characters, at most 2000 are allowed; "
        "shorten it or raise data.max_characters"
    )


def test_a_text_of_the_longest_length_passes(data_settings: DataSettings) -> None:
    assert check([*GOOD, ("a" * 2000, "light")], data_settings).report.longest_text == 2000


@pytest.mark.parametrize("text", ["", "   ", "\x07"])
def test_an_empty_text_is_refused(data_settings: DataSettings, text: str) -> None:
    assert refusal([(text, "light"), *GOOD], data_settings) == (
        "a.csv, line 2: the text is empty; write one or remove the line"
    )


def test_a_nul_character_that_json_escaped_is_refused(data_settings: DataSettings) -> None:
    assert refusal([*GOOD, ("li\0ghts", "light")], data_settings) == (
        "a.csv, line 6: there is a NUL character in the text; remove it"
    )


def test_a_label_of_300_characters_is_refused(data_settings: DataSettings) -> None:
    message = refusal([*GOOD, ("hi", "x" * 300)], data_settings)
    assert message.startswith("a.csv, line 6: the label 'xxxxxx")
    assert "has 300 characters, at most 100 are allowed; shorten it" in message
    assert len(message) < 250


@pytest.mark.parametrize("character", ["\x07", "\n", "\x1b", "\u200b", "\u202e", "\ud800"])
def test_a_label_with_a_control_character_is_refused(
    data_settings: DataSettings, character: str
) -> None:
    message = refusal([*GOOD, ("hi", f"li{character}ght")], data_settings)
    assert message.startswith("a.csv, line 6: the label 'li\\")
    assert message.endswith(f"control or invisible character U+{ord(character):04X}; remove it")
    assert message.isprintable()


def test_an_empty_label_is_refused(data_settings: DataSettings) -> None:
    assert refusal([*GOOD, ("hi", "")], data_settings) == (
        "a.csv, line 6: the intent is empty; write one, or 'oos' for none of the intents"
    )


@given(
    rows=st.lists(
        st.tuples(st.text(), st.sampled_from(["a", "b", None]), st.sampled_from(["train", "test"]))
    )
)
def test_what_passes_is_normalised_unique_and_unambiguous(
    data_settings: DataSettings, rows: list[Row]
) -> None:
    start: list[Row] = [("first a", "a"), ("second a", "a"), ("first b", "b"), ("second b", "b")]
    try:
        checked = check([*start, *rows], data_settings)
    except UtterancesInvalidError:
        return
    kept = checked.utterances
    assert all(one.text == normalize(one.text) != "" for one in kept)
    owners = {(one.text.casefold(), one.split, one.intent) for one in kept}
    assert len({(text, split or "train") for text, split, _ in owners}) == len(
        {(text, split or "train", intent) for text, split, intent in owners}
    )
    assert checked.report.kept == len(kept)
    assert checked.report.read == len(kept) + checked.report.duplicates_dropped.count
