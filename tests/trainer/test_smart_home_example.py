"""The smart-home example is large enough, unambiguous, and tested on other sentences."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hassil.intents import Intents
from hassil.sample import sample_intents, sample_sentence

EXAMPLE = Path(__file__).parents[2] / "trainer" / "examples" / "smart_home"
OUT_OF_SCOPE = "out_of_scope"


def plain(text: str) -> str:
    """Lower-case, without punctuation and doubled spaces, so that only words differ."""
    return " ".join(re.sub(r"[^\w\s']", " ", text.lower()).split())


@pytest.fixture(scope="module")
def templates() -> Intents:
    return Intents.from_files(sorted((EXAMPLE / "sentences").glob("*.yaml")))


@pytest.fixture(scope="module")
def texts(templates: Intents) -> dict[str, set[str]]:
    """Every text that the templates can give, by intent."""
    expanded: dict[str, set[str]] = defaultdict(set)
    for intent, text in sample_intents(templates):
        expanded[intent].add(text.strip())
    return dict(expanded)


@pytest.fixture(scope="module")
def spoken_rows() -> list[tuple[str, str]]:
    with (EXAMPLE / "test.csv").open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["intent"]) for row in csv.DictReader(file)]


def test_there_are_at_least_24_intents(texts: dict[str, set[str]]) -> None:
    assert len(texts) >= 24


def test_every_intent_gives_at_least_100_distinct_texts(texts: dict[str, set[str]]) -> None:
    assert {intent: len(found) for intent, found in texts.items() if len(found) < 100} == {}


def test_the_templates_give_2400_to_150000_distinct_texts(texts: dict[str, set[str]]) -> None:
    assert 2_400 <= len(set().union(*texts.values())) <= 150_000


def test_no_single_template_gives_more_than_64_texts(templates: Intents) -> None:
    """A template that gave far more than its neighbours would crowd them out of a sample."""
    sizes = {
        sentence.text: sum(
            1 for _ in sample_sentence(sentence, templates.slot_lists, templates.expansion_rules)
        )
        for intent in templates.intents.values()
        for data in intent.data
        for sentence in data.sentences
    }
    assert {template: size for template, size in sizes.items() if size > 64} == {}


def test_no_text_comes_out_under_two_intents(texts: dict[str, set[str]]) -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    for intent, found in texts.items():
        for text in found:
            owners[plain(text)].add(intent)
    assert {text: sorted(names) for text, names in owners.items() if len(names) > 1} == {}


def test_every_text_is_plain_lower_case_words(texts: dict[str, set[str]]) -> None:
    wrong = [
        text for text in set().union(*texts.values()) if not re.fullmatch(r"[a-z0-9' -]+", text)
    ]
    assert wrong == []


def test_the_test_set_is_at_least_240_in_scope_and_200_out_of_scope(
    spoken_rows: list[tuple[str, str]],
) -> None:
    out_of_scope = sum(intent == OUT_OF_SCOPE for _, intent in spoken_rows)
    assert out_of_scope >= 200
    assert len(spoken_rows) - out_of_scope >= 240


def test_every_intent_has_at_least_ten_test_utterances(
    texts: dict[str, set[str]], spoken_rows: list[tuple[str, str]]
) -> None:
    counts = Counter(intent for _, intent in spoken_rows)
    assert {intent: counts[intent] for intent in texts if counts[intent] < 10} == {}


def test_every_test_intent_exists_in_the_templates(
    texts: dict[str, set[str]], spoken_rows: list[tuple[str, str]]
) -> None:
    assert {intent for _, intent in spoken_rows} - {OUT_OF_SCOPE} <= texts.keys()
    assert OUT_OF_SCOPE not in texts


def test_no_test_utterance_equals_a_text_of_the_templates(
    texts: dict[str, set[str]], spoken_rows: list[tuple[str, str]]
) -> None:
    expanded = {plain(text) for text in set().union(*texts.values())}
    assert [text for text, _ in spoken_rows if plain(text) in expanded] == []


def test_no_test_utterance_stands_there_twice(spoken_rows: list[tuple[str, str]]) -> None:
    counts = Counter(plain(text) for text, _ in spoken_rows)
    assert [text for text, count in counts.items() if count > 1] == []


def test_the_readme_lists_every_intent_once(texts: dict[str, set[str]]) -> None:
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `([a-z_]+)` \|", readme, flags=re.MULTILINE)) == sorted(texts)
