"""A challenger against its champion, on cases that can be counted by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from edge_runtime.errors import ArtifactError, QualityGateError
from trainer.champion import Answers, Champion
from trainer.comparison import Comparison, compare, refuse_regression
from trainer.dataset import Split


def answers(*said: str) -> Answers:
    """One word a text: the best intent; in brackets when the threshold rejects it."""
    return Answers(
        best=tuple(word.strip("()") for word in said),
        rejected=np.array([word.startswith("(") for word in said], dtype=bool),
    )


def split(*intents: str | None) -> Split:
    return Split(texts=[f"text {number}" for number in range(len(intents))], intents=list(intents))


def champion(
    said: Answers, *labels: str, dataset: str = "data", max_characters: int = 100
) -> Champion:
    def answer(texts: Sequence[str]) -> Answers:
        assert all(len(text) <= max_characters for text in texts)
        rows = [int(text.split()[1]) for text in texts]
        return Answers(best=tuple(said.best[row] for row in rows), rejected=said.rejected[rows])

    return Champion(
        kind="bundle",
        digest="d" * 64,
        name="old 1.0.0",
        labels=labels,
        dataset=dataset,
        max_characters=max_characters,
        answer=answer,
    )


def compared(
    own: Answers, other: Champion, utterances: Split, *labels: str, level: float = 0.05
) -> Comparison:
    return compare(
        other,
        utterances,
        own,
        labels,
        dataset="data",
        level=level,
        resamples=200,
        seed=1,
        examples=2,
    )


def test_right_answers_are_counted_with_and_without_the_threshold() -> None:
    asked = split("a", "a", "b", "b", None)
    own = answers("a", "(a)", "a", "b", "(b)")
    other = champion(answers("b", "a", "b", "b", "a"), "a", "b")
    found = compared(own, other, asked, "a", "b")
    assert (found.in_scope.utterances, found.in_scope.gained, found.in_scope.lost) == (4, 1, 1)
    assert (found.in_scope.challenger, found.in_scope.champion) == (0.75, 0.75)
    # The second is rejected though its intent is right; the last is rightly rejected.
    assert (found.overall.utterances, found.overall.gained, found.overall.lost) == (5, 2, 2)
    assert [(one.text, one.intent, one.answer) for one in found.lost] == [
        ("text 1", "a", None),
        ("text 2", "b", "a"),
    ]
    assert not found.regression


def test_intents_that_changed_are_listed_the_worst_change_first() -> None:
    asked = split("a", "a", "b", "b", "c")
    own = answers("a", "a", "a", "a", "c")
    other = champion(answers("b", "a", "b", "b", "c"), "a", "b", "c")
    rows = compared(own, other, asked, "a", "b", "c").intents
    assert [(row.intent, row.support, row.champion, row.challenger) for row in rows] == [
        ("b", 2, 2, 0),
        ("a", 2, 1, 2),
    ]
    assert [(row.gained, row.lost) for row in rows] == [(0, 2), (1, 0)]


def test_only_intents_that_both_know_are_compared() -> None:
    asked = split("a", "new", "old", None)
    own = answers("a", "new", "a", "(a)")
    other = champion(answers("a", "old", "old", "(a)"), "a", "old")
    found = compared(own, other, asked, "a", "new")
    assert (found.only_challenger, found.only_champion) == (("new",), ("old",))
    assert found.shared_intents == 1
    assert (found.in_scope.utterances, found.overall.utterances) == (1, 2)


def test_texts_that_the_champion_does_not_take_are_left_out_and_counted() -> None:
    asked = Split(texts=["text 0", "text 1 at length", "text 2"], intents=["a", "a", None])
    own = answers("a", "a", "(a)")
    said = answers("a", "b", "(a)")
    found = compared(own, champion(said, "a", "b", max_characters=6), asked, "a")
    assert found.too_long == 1
    assert (found.in_scope.utterances, found.overall.utterances) == (1, 2)
    assert found.in_scope.gained == 0
    whole = compared(own, champion(said, "a", "b", max_characters=16), asked, "a")
    assert (whole.too_long, whole.in_scope.utterances, whole.in_scope.gained) == (0, 2, 1)


def test_models_without_a_common_intent_cannot_be_compared() -> None:
    with pytest.raises(ArtifactError, match="share no intent"):
        compared(answers("a"), champion(answers("b"), "b"), split("a"), "a")


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(0, 30))
def test_the_p_value_is_that_of_a_fair_coin(gained: int, lost: int) -> None:
    asked = split(*["a"] * (gained + lost + 1))
    own = answers("a", *["a"] * gained, *["b"] * lost)
    other = champion(answers("a", *["b"] * gained, *["a"] * lost), "a", "b")
    found = compared(own, other, asked, "a", "b").in_scope
    tails = 2 * binom.cdf(min(gained, lost), gained + lost, 0.5)
    assert found.p_value == pytest.approx(min(1.0, tails), rel=1e-3)
    assert (found.gained, found.lost) == (gained, lost)
    assert found.interval.low <= found.difference <= found.interval.high
    expected = "better" if gained > lost else "worse"
    assert found.verdict == (expected if found.p_value < 0.05 else "no difference shown")


@pytest.mark.parametrize(
    ("lost", "level", "refused"), [(5, 0.05, False), (6, 0.05, True), (6, 0.01, False)]
)
def test_a_significant_loss_is_a_regression_and_refused(
    lost: int, level: float, refused: bool
) -> None:
    asked = split(*["a"] * 10)
    own = answers(*["b"] * lost, *["a"] * (10 - lost))
    other = champion(answers(*["a"] * 10), "a", "b")
    found = compared(own, other, asked, "a", "b", level=level)
    assert found.regression == refused
    if not refused:
        refuse_regression(found)
        return
    with pytest.raises(QualityGateError) as caught:
        refuse_regression(found)
    assert caught.value.exit_code == 3
    assert "in-scope accuracy 40.00% against 100.00% (6 answers lost, 0 gained, p 0.031)" in str(
        caught.value
    )


@pytest.mark.parametrize(("dataset", "same"), [("data", True), ("other", False), ("", None)])
def test_it_tells_whether_the_champion_learnt_from_the_same_dataset(
    dataset: str, same: bool | None
) -> None:
    other = champion(answers("a"), "a", dataset=dataset)
    assert compared(answers("a"), other, split("a"), "a").same_dataset is same
