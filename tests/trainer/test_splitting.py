"""Dividing utterances into training, validation and test."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.config import DataSettings
from trainer.errors import UtterancesInvalidError
from trainer.splitting import Splits, check_held_out, split_utterances
from trainer.utterances import SplitName, Utterance


def utterance(
    text: str,
    intent: str | None,
    *,
    split: SplitName | None = None,
    group: str | None = None,
) -> Utterance:
    return Utterance(text=text, intent=intent, split=split, group=group, line=1, source="a.csv")


def many(count: int, intent: str | None, **more: Any) -> list[Utterance]:
    return [utterance(f"{intent} {number}", intent, **more) for number in range(count)]


def parts(splits: Splits) -> tuple[tuple[Utterance, ...], ...]:
    return splits.train, splits.validation, splits.test


# Intents with loose texts and with templates that give some texts each.
sources = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", None]),
        st.one_of(st.none(), st.sampled_from(["t1", "t2", "t3", "t4", "t5", "t6"])),
    ),
    max_size=120,
).map(
    lambda rows: [
        utterance(f"text {number}", intent, group=group)
        for number, (intent, group) in enumerate(rows)
    ]
)


@given(source=sources, seed=st.integers(0, 5), share=st.sampled_from([0.01, 0.15, 0.5]))
def test_the_splits_are_disjoint_complete_and_in_order(
    data_settings: DataSettings, source: list[Utterance], seed: int, share: float
) -> None:
    settings = msgspec.structs.replace(
        data_settings, seed=seed, test_share=share, validation_share=share
    )
    splits = split_utterances(source, settings)
    position = {one.text: number for number, one in enumerate(source)}
    found = [[position[one.text] for one in part] for part in parts(splits)]
    assert sorted(itertools.chain(*found)) == list(range(len(source)))
    assert all(part == sorted(part) for part in found)


@given(source=sources, seed=st.integers(0, 5), share=st.sampled_from([0.15, 0.5]))
def test_templates_stay_whole_and_every_intent_keeps_training_texts(
    data_settings: DataSettings, source: list[Utterance], seed: int, share: float
) -> None:
    settings = msgspec.structs.replace(
        data_settings, seed=seed, test_share=share, validation_share=share
    )
    splits = split_utterances(source, settings)
    sides: dict[tuple[str | None, str], set[int]] = defaultdict(set)
    for number, part in enumerate(parts(splits)):
        for one in part:
            if one.group is not None:
                sides[one.intent, one.group].add(number)
    assert all(len(numbers) == 1 for numbers in sides.values())
    assert {one.intent for one in source} == {one.intent for one in splits.train}


@given(source=sources, seed=st.integers(0, 3))
def test_the_order_of_the_source_does_not_matter(
    data_settings: DataSettings, source: list[Utterance], seed: int
) -> None:
    shuffled = random.Random(seed).sample(source, len(source))
    ours, theirs = (split_utterances(rows, data_settings) for rows in (source, shuffled))
    for first, second in zip(parts(ours), parts(theirs), strict=True):
        assert {one.text for one in first} == {one.text for one in second}


@given(counts=st.lists(st.integers(4, 60), min_size=1, max_size=6))
def test_loose_texts_are_divided_in_the_same_share_for_every_intent(
    data_settings: DataSettings, counts: list[int]
) -> None:
    source = [one for number, count in enumerate(counts) for one in many(count, f"intent {number}")]
    splits = split_utterances(source, data_settings)
    for number, count in enumerate(counts):
        sizes = [sum(one.intent == f"intent {number}" for one in part) for part in parts(splits)]
        test = max(1, round(count * 0.15))
        rest = count - test
        validation = round(rest * 0.15) if rest >= 20 else 0
        assert sizes == [rest - validation, validation, test]


def test_validation_takes_no_more_of_a_large_set_than_its_limit(
    data_settings: DataSettings,
) -> None:
    settings = msgspec.structs.replace(data_settings, validation_limit=100)
    source = [one for number in range(10) for one in many(400, f"intent {number}")]

    splits = split_utterances(source, settings)

    assert Counter(one.intent for one in splits.validation) == Counter(
        {f"intent {number}": 10 for number in range(10)}
    )
    assert len(splits.test) == 600
    assert len(splits.train) == 3300


def test_intents_with_few_texts_give_none_to_validation_beside_others_that_do(
    data_settings: DataSettings,
) -> None:
    splits = split_utterances([*many(5, "few"), *many(22, "less"), *many(40, "x")], data_settings)
    found = [Counter(one.intent for one in part) for part in parts(splits)]
    # 22 texts leave 19 beside the test, 40 leave 34.
    assert found == [
        {"few": 4, "less": 19, "x": 29},
        {"x": 5},
        {"few": 1, "less": 3, "x": 6},
    ]


def test_few_texts_keep_those_out_of_scope_company_in_training(
    data_settings: DataSettings,
) -> None:
    splits = split_utterances([*many(10, "a"), *many(10, "b"), *many(200, None)], data_settings)
    assert [len(part) for part in parts(splits)] == [16 + 170, 0, 4 + 30]


@pytest.mark.parametrize("name", ["validation", "test"])
def test_a_share_of_0_holds_nothing_out(data_settings: DataSettings, name: str) -> None:
    settings = msgspec.structs.replace(data_settings, **{f"{name}_share": 0.0})
    splits = split_utterances([*many(100, "a"), *many(100, "b"), *many(50, None)], settings)
    found = {"validation": splits.validation, "test": splits.test}
    assert [bool(found[one]) for one in ("validation", "test")] == [
        name != "validation",
        name != "test",
    ]
    assert sum(map(len, parts(splits))) == 250


@pytest.mark.parametrize("name", ["validation", "test"])
def test_a_given_split_without_an_intent_is_refused(
    data_settings: DataSettings, name: SplitName
) -> None:
    splits = split_utterances([*many(30, "a"), *many(2, None, split=name)], data_settings)
    with pytest.raises(UtterancesInvalidError, match=f"no utterance of the {name} has an intent"):
        check_held_out(splits)


def test_splits_that_hold_nothing_out_are_not_refused(data_settings: DataSettings) -> None:
    splits = split_utterances([*many(3, "a"), *many(3, "b"), *many(3, None)], data_settings)
    check_held_out(splits)
    assert len(splits.train) == 9


def test_templates_are_held_out_near_the_share(data_settings: DataSettings) -> None:
    source = [
        utterance(f"{template} {number}", "x", group=f"t{template}")
        for template in range(30)
        for number in range(4)
    ]
    splits = split_utterances(source, data_settings)
    # 15 % of 120 is 18, and whole templates of four texts come to 16.
    assert len(splits.test) == 16
    assert {Counter(one.group for one in splits.test)[name] for name in ("t0", "t1")} <= {0, 4}


def test_the_largest_part_of_an_intent_is_not_held_out_to_keep_a_template_whole(
    data_settings: DataSettings,
) -> None:
    source = many(50, "x", group="one") + [
        utterance(f"other {number}", "x", group="two") for number in range(50)
    ]
    assert len(split_utterances(source, data_settings).train) == 100


def test_texts_that_differ_in_case_alone_stay_together(data_settings: DataSettings) -> None:
    source = [
        utterance(text.format(number), "x") for number in range(40) for text in ("hi {}", "HI {}")
    ]
    splits = split_utterances(source, data_settings)
    keys = [{one.text.casefold() for one in part} for part in parts(splits)]
    assert keys[0].isdisjoint(keys[1] | keys[2])
    assert keys[1].isdisjoint(keys[2])
    assert all(keys)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_intents_with_very_few_texts_are_for_training_alone(
    data_settings: DataSettings, count: int
) -> None:
    splits = split_utterances(many(count, "x"), data_settings)
    assert [len(part) for part in parts(splits)] == [count, 0, 0]


def test_splits_of_the_source_are_kept(data_settings: DataSettings) -> None:
    source = [
        *many(40, "x", split="train"),
        *many(3, "x", split="validation"),
        *many(2, "x", split="test"),
        *many(5, "x"),
    ]
    splits = split_utterances(source, data_settings)
    assert splits.train == (*source[:40], *source[45:])
    assert splits.validation == tuple(source[40:43])
    assert splits.test == tuple(source[43:45])


def test_validation_is_carved_from_training_when_only_a_test_is_given(
    data_settings: DataSettings,
) -> None:
    source = [*many(40, "x"), *many(20, "y", split="test")]
    splits = split_utterances(source, data_settings)
    assert splits.test == tuple(source[40:])
    assert len(splits.validation) == 6
    assert set(splits.train) | set(splits.validation) == set(source[:40])


def test_another_seed_divides_in_another_way(data_settings: DataSettings) -> None:
    source = many(100, "x")
    first, second = (
        split_utterances(source, msgspec.structs.replace(data_settings, seed=seed))
        for seed in (1, 2)
    )
    assert set(first.test) != set(second.test)


def test_a_new_text_moves_few_of_the_others(data_settings: DataSettings) -> None:
    before = split_utterances(many(100, "x"), data_settings)
    after = split_utterances([*many(100, "x"), utterance("new", "x")], data_settings)
    assert len(set(before.test) - set(after.test)) <= 1
