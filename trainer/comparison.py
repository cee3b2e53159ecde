"""A challenger against the champion: the same utterances, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ArtifactError, QualityGateError
from trainer.champion import Answers, Champion
from trainer.dataset import Split
from trainer.resampling import Interval, difference_interval

__all__ = ["Comparison", "Difference", "IntentChange", "LostAnswer", "compare", "refuse_regression"]


class Difference(msgspec.Struct, frozen=True):
    """Two shares of right answers over the same utterances."""

    utterances: int
    challenger: float
    """Share that the challenger answers rightly, 0 to 1."""
    champion: float
    """Share that the champion answers rightly, 0 to 1."""
    gained: int
    """Utterances that the challenger alone answers rightly."""
    lost: int
    """Utterances that the champion alone answers rightly."""
    difference: float
    """challenger - champion."""
    interval: Interval
    """Of the difference, by the bootstrap."""
    p_value: float
    """Of McNemar's exact test, two-sided: how easily chance alone makes such a difference."""
    verdict: Literal["better", "worse", "no difference shown"]


class IntentChange(msgspec.Struct, frozen=True):
    """An intent of which some utterances got another answer."""

    intent: str
    support: int
    """Utterances of the intent."""
    challenger: int
    """Of them with the right largest logit."""
    champion: int
    gained: int
    lost: int


class LostAnswer(msgspec.Struct, frozen=True):
    """An utterance that the champion answers rightly and the challenger does not."""

    text: str
    intent: str | None
    """What is right; ``None`` is out of scope."""
    answer: str | None
    """What the challenger answers; ``None`` is out of scope."""


class Comparison(msgspec.Struct, frozen=True):
    """What the report says of a champion."""

    kind: Literal["checkpoint", "bundle"]
    name: str
    digest: str
    same_dataset: bool | None
    """Whether the champion was trained on the same dataset; ``None`` when it does not say. On
    another one it may have seen these utterances."""
    shared_intents: int
    only_challenger: tuple[str, ...]
    """Intents that the champion does not know; their utterances are left out."""
    only_champion: tuple[str, ...]
    """Intents that the challenger does not know."""
    too_long: int
    """Utterances longer than the champion takes; they are left out."""
    in_scope: Difference
    """By the largest logit, over utterances of shared intents."""
    overall: Difference
    """With the threshold, over utterances of shared intents and those out of scope."""
    intents: tuple[IntentChange, ...]
    """Worst change first."""
    lost: tuple[LostAnswer, ...]
    """The first of them, as answered with the threshold."""
    regression: bool
    """Whether the challenger is significantly worse in one of the two."""


def compare(
    champion: Champion,
    split: Split,
    answers: Answers,
    labels: Sequence[str],
    *,
    dataset: str,
    level: float,
    resamples: int,
    seed: int,
    examples: int,
) -> Comparison:
    """Let the champion answer a split, and compare.

    Source of the test: McNemar 1947, in its exact form: of the utterances that only one of the
    two answers rightly, each is as likely as the other.

    Args:
        champion: the model to beat.
        split: the utterances.
        answers: the challenger's.
        labels: the challenger's intents.
        dataset: SHA-256 of the dataset.
        level: p-value below which a difference is told.
        resamples: draws of the bootstrap.
        seed: of the draws.
        examples: lost answers to keep.

    Raises:
        ArtifactError: no utterance that the champion takes is of an intent that both know.
    """
    shared = set(labels) & set(champion.labels)
    of_task = [
        row for row, intent in enumerate(split.intents) if intent is None or intent in shared
    ]
    rows = [row for row in of_task if len(split.texts[row]) <= champion.max_characters]
    asked = split.rows(rows)
    in_scope = np.array([intent is not None for intent in asked.intents], dtype=bool)
    if not in_scope.any():
        raise ArtifactError(
            "the champion and the new model share no intent that the split asks for in texts "
            "short enough for the champion; compare models of the same task"
        )
    own = Answers(best=tuple(answers.best[row] for row in rows), rejected=answers.rejected[rows])
    other = champion.answer(asked.texts)
    best, given = _right(own, asked)
    champion_best, champion_given = _right(other, asked)

    def difference(one: NDArray[np.bool_], two: NDArray[np.bool_]) -> Difference:
        return _difference(one, two, level=level, resamples=resamples, seed=seed)

    by_logit = difference(best[in_scope], champion_best[in_scope])
    overall = difference(given, champion_given)
    lost = [row for row in range(len(rows)) if champion_given[row] and not given[row]]
    return Comparison(
        kind=champion.kind,
        name=champion.name,
        digest=champion.digest,
        same_dataset=champion.dataset == dataset if champion.dataset else None,
        shared_intents=len(shared),
        only_challenger=tuple(sorted(set(labels) - shared)),
        only_champion=tuple(sorted(set(champion.labels) - shared)),
        too_long=len(of_task) - len(rows),
        in_scope=by_logit,
        overall=overall,
        intents=_changes(asked, best, champion_best),
        lost=tuple(
            LostAnswer(
                text=asked.texts[row],
                intent=asked.intents[row],
                answer=None if own.rejected[row] else own.best[row],
            )
            for row in lost[:examples]
        ),
        regression="worse" in {by_logit.verdict, overall.verdict},
    )


def refuse_regression(comparison: Comparison) -> None:
    """Refuse a challenger that is significantly worse.

    Raises:
        QualityGateError: says in what, by how much, and how sure that is.
    """
    if not comparison.regression:
        return
    reasons = [
        f"{what} {found.challenger:.2%} against {found.champion:.2%} "
        f"({found.lost} answers lost, {found.gained} gained, p {found.p_value:.2g})"
        for what, found in (
            ("in-scope accuracy", comparison.in_scope),
            ("overall accuracy", comparison.overall),
        )
        if found.verdict == "worse"
    ]
    raise QualityGateError(
        f"the new model is worse than the champion {comparison.name}: {'; '.join(reasons)}; keep "
        "the champion, or train again",
        reasons=reasons,
        champion=comparison.digest,
    )


def _right(answers: Answers, split: Split) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the largest logit is right, and whether the answer with the threshold is."""
    best = np.array(
        [one == intent for one, intent in zip(answers.best, split.intents, strict=True)], dtype=bool
    )
    outside = np.array([intent is None for intent in split.intents], dtype=bool)
    return best, np.where(outside, answers.rejected, best & ~answers.rejected)


def _difference(
    one: NDArray[np.bool_],
    other: NDArray[np.bool_],
    *,
    level: float,
    resamples: int,
    seed: int,
) -> Difference:
    from scipy.stats import binomtest

    gained, lost = int((one & ~other).sum()), int((other & ~one).sum())
    p_value = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    told: Literal["better", "worse"] = "better" if gained > lost else "worse"
    return Difference(
        utterances=len(one),
        challenger=round(float(one.mean()), 6),
        champion=round(float(other.mean()), 6),
        gained=gained,
        lost=lost,
        difference=round((gained - lost) / len(one), 6),
        interval=difference_interval(one, other, resamples=resamples, seed=seed),
        p_value=float(f"{p_value:.4g}"),
        verdict=told if p_value < level else "no difference shown",
    )


def _changes(
    split: Split, right: NDArray[np.bool_], champion: NDArray[np.bool_]
) -> tuple[IntentChange, ...]:
    counts: dict[str, list[int]] = {}
    for intent, own, other in zip(split.intents, right.tolist(), champion.tolist(), strict=True):
        if intent is not None:
            row = counts.setdefault(intent, [0, 0, 0, 0, 0])
            for place, more in enumerate((1, own, other, own and not other, other and not own)):
                row[place] += more
    changes = (IntentChange(intent, *row) for intent, row in counts.items() if row[3] or row[4])
    return tuple(sorted(changes, key=lambda one: (one.gained - one.lost, one.intent)))
