"""Drawing texts from sentence templates."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hassil.intents import Intents
from hassil.sample import sample_sentence

from edge_runtime.text import normalize
from trainer.config import DataSettings
from trainer.errors import SourceFormatError
from trainer.utterances import Utterance, read_utterances
from trainer.utterances.expansion import Vocabulary, compile_template
from trainer.utterances.source_file import SourceFile
from trainer.utterances.templates import read_templates

EXAMPLE = Path(__file__).parents[2] / "trainer" / "examples" / "smart_home"


def yaml_file(text: str, name: str = "a.yaml") -> SourceFile:
    return SourceFile(name=name, content=text.encode())


def one_intent(*templates: str, more: str = "") -> SourceFile:
    sentences = json.dumps(list(templates))
    return yaml_file(f"intents:\n  x:\n    data:\n      - sentences: {sentences}\n{more}")


def read(settings: DataSettings, *files: SourceFile, **changes: Any) -> list[Utterance]:
    return read_templates(list(files), settings=msgspec.structs.replace(settings, **changes))


def refusal(settings: DataSettings, *files: SourceFile) -> str:
    with pytest.raises(SourceFormatError) as caught:
        read(settings, *files)
    return caught.value.message


@pytest.mark.parametrize(
    ("template", "texts"),
    [
        ("lights on", {"lights on"}),
        ("(turn|switch) on", {"turn on", "switch on"}),
        ("lights on [please]", {"lights on", "lights on please"}),
        ("light(s|) on", {"lights on", "light on"}),
        ("(a;b)", {"a b", "b a"}),
        ("the {room} light", {"the hall light", "the attic light", "the loft light"}),
        ("<on>", {"put on", "turn on"}),
        ("{n} percent", {"1 percent", "2 percent", "3 percent"}),
    ],
)
def test_a_template_gives_every_text_of_its_syntax(
    data_settings: DataSettings, template: str, texts: set[str]
) -> None:
    more = (
        'lists:\n  room:\n    values: [hall, "(attic|loft)"]\n'
        "  n:\n    range: {from: 1, to: 3, words: false}\n"
        'expansion_rules:\n  on: "(put|turn) on"\n'
    )
    drawn = read(data_settings, one_intent(template, more=more))
    assert {utterance.text for utterance in drawn} == texts
    assert len(drawn) == len(texts)


def test_every_number_gives_what_hassil_gives_for_the_example() -> None:
    files = sorted((EXAMPLE / "sentences").glob("*.yaml"))
    intents = Intents.from_files(files)
    vocabulary = Vocabulary(lists=intents.slot_lists, rules=intents.expansion_rules, language=None)
    for intent in intents.intents.values():
        for sentence in intent.data[0].sentences:
            expansion = compile_template(str(sentence.text), vocabulary, place="here")
            ours = Counter(normalize(expansion.text(n)) for n in range(expansion.count))
            theirs = sample_sentence(sentence, intents.slot_lists, intents.expansion_rules)
            assert ours == Counter(normalize(text) for text in theirs)


def test_numbers_are_written_as_words_of_the_language(data_settings: DataSettings) -> None:
    more = "language: en\nlists:\n  n:\n    range: {from: 1, to: 2, digits: false}\n"
    texts = {utterance.text for utterance in read(data_settings, one_intent("{n}", more=more))}
    assert {"one", "two"} <= texts
    assert not any(character.isdigit() for text in texts for character in text)


def test_as_many_texts_as_asked_for_are_drawn_and_all_differ(data_settings: DataSettings) -> None:
    file = one_intent("(a|b|c|d) (e|f|g|h)", "(k|l) (m|n|o)", "(a|b) (e|f)")
    drawn = read(data_settings, file, template_samples_per_intent=15)
    assert len({utterance.text for utterance in drawn}) == len(drawn) == 15


def test_no_template_gives_a_second_text_before_all_gave_one(data_settings: DataSettings) -> None:
    big = " ".join(["(a|b|c|d)"] * 6)
    sizes = {big: 4**6, "one [more]": 2, "two": 1, "(three|drei|trois)": 3}
    for wanted in range(2, 12):
        drawn = read(data_settings, one_intent(*sizes), template_samples_per_intent=wanted)
        counts = Counter(utterance.group for utterance in drawn)
        rounds = max(counts.values())
        assert sum(counts.values()) == wanted
        assert all(counts[name] >= min(size, rounds - 1) for name, size in sizes.items())


def test_a_template_of_a_billion_billion_texts_is_drawn_from_at_once(
    data_settings: DataSettings,
) -> None:
    template = " ".join(["(a|b|c|d|e|f|g|h|i|j)"] * 30)
    drawn = read(data_settings, one_intent(template))
    assert len(drawn) == data_settings.template_samples_per_intent


def test_another_seed_draws_other_texts(data_settings: DataSettings) -> None:
    file = one_intent(" ".join(["(a|b|c|d)"] * 6))
    assert read(data_settings, file, seed=1) == read(data_settings, file, seed=1)
    assert read(data_settings, file, seed=1) != read(data_settings, file, seed=2)


def test_another_process_draws_the_same_texts(data_settings: DataSettings) -> None:
    """Sets of strings have another order in every process; the texts must not."""
    program = (
        "import sys, msgspec\n"
        "from trainer.config import DataSettings\n"
        "from trainer.utterances import read_utterances\n"
        "settings = msgspec.json.decode(sys.argv[2], type=DataSettings)\n"
        "utterances = read_utterances(sys.argv[1], settings=settings)\n"
        "sys.stdout.buffer.write(msgspec.json.encode(utterances))\n"
    )
    encoded = msgspec.json.encode(data_settings).decode()
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program, str(EXAMPLE), encoded],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(EXAMPLE.parents[2])},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    ours = read_utterances(str(EXAMPLE), settings=data_settings)
    assert outputs == {msgspec.json.encode(ours)}


def test_a_change_to_one_intent_leaves_the_texts_of_the_others(data_settings: DataSettings) -> None:
    first = "intents:\n  x: {data: [{sentences: ['(a|b|c|d|e) (f|g|h|i)']}]}\n"
    second = "  y: {data: [{sentences: ['(q|r|s|t) (u|v|w)', 'y']}]}\n"
    alone = read(data_settings, yaml_file(first), template_samples_per_intent=5)
    both = read(data_settings, yaml_file(first + second), template_samples_per_intent=5)
    assert [u for u in both if u.intent == "x"] == alone


def test_a_text_knows_its_template_and_line(data_settings: DataSettings) -> None:
    (utterance,) = read(
        data_settings,
        yaml_file(
            "intents:\n  x:\n    data:\n      - sentences:\n          # hm\n          - 'hi'"
        ),
    )
    assert (utterance.place, utterance.group) == ("a.yaml, line 6", "hi")


def test_files_share_lists_and_rules_whatever_their_order(data_settings: DataSettings) -> None:
    common = yaml_file("intents: {}\nlists:\n  room: {values: [hall]}\n", "z.yaml")
    user = one_intent("the {room}")
    assert [u.text for u in read(data_settings, common, user)] == ["the hall"]
    assert read(data_settings, common, user) == read(data_settings, user, common)


def test_an_intent_may_have_lists_and_rules_of_its_own(data_settings: DataSettings) -> None:
    file = yaml_file(
        "intents:\n  x:\n    data:\n"
        "      - sentences: ['<go> {room}']\n"
        "        lists: {room: {values: [attic]}}\n"
        "        expansion_rules: {go: to the}\n"
        "lists:\n  room: {values: [hall]}\n"
    )
    assert [u.text for u in read(data_settings, file)] == ["to the attic"]


def test_on_off_yes_and_no_are_words_of_a_sentence(data_settings: DataSettings) -> None:
    file = yaml_file("intents: {no: {data: [{sentences: [on, off, yes, 'no']}]}}")
    found = {(utterance.intent, utterance.text) for utterance in read(data_settings, file)}
    assert found == {("no", "on"), ("no", "off"), ("no", "yes"), ("no", "no")}


def test_an_out_of_scope_intent_gives_texts_without_an_intent(data_settings: DataSettings) -> None:
    (utterance,) = read(data_settings, yaml_file("intents: {oos: {data: [{sentences: [hi]}]}}"))
    assert utterance.intent is None


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (one_intent("(a|b"), "a.yaml, line 4: wrong template syntax in '(a|b'; check its brackets"),
        (one_intent("{room}"), "a.yaml, line 4: there is no list {room}; add it to lists"),
        (one_intent("<on>"), "a.yaml, line 4: there is no rule <on>; add it to expansion_rules"),
        (
            one_intent("<on>", more="expansion_rules: {on: '<off>', off: 'a [<on>]'}"),
            "a.yaml, line 4: the rule <on> refers to itself; its texts have no end",
        ),
        *(
            (one_intent(empty), f"a.yaml, line 4: wrong template syntax in {empty!r}; check its")
            for empty in ("", " ", "a {}", "<>", "[]", "()")
        ),
        (
            one_intent("(" * 3000 + "a" + ")" * 3000),
            "a.yaml, line 4: wrong template syntax in '((((",
        ),
        (
            one_intent("{room}", more="lists: {room: {values: [hall, 'big {room}']}}"),
            "a.yaml, line 4: the list {room} refers to itself; its texts have no end",
        ),
        (
            one_intent("{any}", more="lists: {any: {wildcard: true}}"),
            "a.yaml, line 4: the list {any} is a wildcard; give it values to draw from",
        ),
        (
            one_intent("{none}", more="lists: {none: {values: []}}"),
            "a.yaml, line 4: the list {none} has no values; add some",
        ),
        (
            one_intent("{n}", more="lists: {n: {values: [1, 2]}}"),
            "a.yaml: a list or a rule is malformed (TypeError: ",
        ),
        (
            one_intent("{n}", more="language: xx\nlists: {n: {range: {from: 1, to: 2}}}"),
            "a.yaml, line 4: cannot write the numbers of {n}",
        ),
        (yaml_file("intents: [\n"), "a.yaml, line 1: malformed YAML ("),
        (yaml_file("a: 1\nintents: {x: 1, x: 2}"), "a.yaml, line 2: malformed YAML (the key 'x'"),
        (yaml_file("a: 2024-99-99"), "a.yaml: malformed YAML ("),
        (yaml_file("a: \x07"), "a.yaml: malformed YAML ("),
        (yaml_file("intents: {x: [hi]}"), "a.yaml is not in the form of sentence templates ("),
        (yaml_file("intents: {}"), "a.yaml: there are no sentences; add them below intents"),
    ],
)
def test_wrong_templates_are_refused(
    data_settings: DataSettings, file: SourceFile, message: str
) -> None:
    assert refusal(data_settings, file).startswith(message)


def test_a_list_in_two_files_is_refused(data_settings: DataSettings) -> None:
    files = [yaml_file("lists: {room: {values: [hall]}}", name) for name in ("a.yaml", "b.yaml")]
    assert refusal(data_settings, *files) == (
        "b.yaml: the list 'room' stands in another file too; keep one"
    )


def test_every_intent_of_the_example_gets_its_texts(data_settings: DataSettings) -> None:
    by_intent: dict[str | None, set[str]] = defaultdict(set)
    for utterance in read_utterances(str(EXAMPLE / "sentences"), settings=data_settings):
        by_intent[utterance.intent].add(utterance.text)
    assert len(by_intent) >= 24
    assert {len(texts) for texts in by_intent.values()} == {
        data_settings.template_samples_per_intent
    }
