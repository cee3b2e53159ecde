"""The tables of a report: intents, confused pairs, lengths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.report.content import ConfusedPair, ConfusedText, IntentRow, LengthBin
from trainer.resampling import wilson_interval

__all__ = ["confused_pairs", "intent_rows", "length_bins"]

_LENGTHS = (0, 5, 9, 13, 17, 25, 33, 65, 129)
"""Fewest tokens of each bin."""


def intent_rows(
    truth: NDArray[np.int64],
    best: NDArray[np.int64],
    rejected: NDArray[np.bool_],
    labels: Sequence[str],
) -> tuple[IntentRow, ...]:
    """Precision, recall and F1 of each intent, the worst F1 first.

    Args:
        truth: numbers of the right labels of in-scope utterances, shape (utterances,).
        best: numbers of the labels with the largest logits, same shape.
        rejected: which the threshold calls out of scope, same shape.
        labels: names.
    """
    count = len(labels)
    support = np.bincount(truth, minlength=count)
    predicted = np.bincount(best, minlength=count)
    found = np.bincount(truth[truth == best], minlength=count)
    lost = np.bincount(truth[rejected], minlength=count)
    rows = [
        IntentRow(
            intent=label,
            precision=_share(found[number], predicted[number]),
            recall=_share(found[number], support[number]),
            f1=_share(2 * found[number], support[number] + predicted[number]),
            support=int(support[number]),
            predicted=int(predicted[number]),
            rejected=int(lost[number]),
        )
        for number, label in enumerate(labels)
    ]
    # An intent without a single utterance comes last: it says nothing.
    return tuple(sorted(rows, key=lambda row: (2.0 if row.f1 is None else row.f1, row.intent)))


def confused_pairs(
    rows: Sequence[int],
    *,
    intents: Sequence[str | None],
    answers: Sequence[str | None],
    texts: Sequence[str],
    confidences: NDArray[np.float64],
    pairs: int,
    examples: int,
) -> tuple[ConfusedPair, ...]:
    """Group wrong answers by what was right and what was given, the most frequent pair first.

    Args:
        rows: numbers of the utterances with a wrong answer.
        intents: what is right, for every utterance; ``None`` is out of scope.
        answers: what was given, for every utterance.
        texts: of every utterance.
        confidences: of every utterance, shape (utterances,).
        pairs: how many to keep.
        examples: how many utterances to keep of each.
    """
    groups: dict[tuple[str | None, str | None], list[int]] = {}
    for row in rows:
        groups.setdefault((intents[row], answers[row]), []).append(row)
    ordered = sorted(groups.items(), key=lambda one: (-len(one[1]), str(one[0])))
    return tuple(
        ConfusedPair(
            intent=intent,
            answer=answer,
            count=len(members),
            examples=tuple(
                ConfusedText(text=texts[row], confidence=round(float(confidences[row]), 4))
                for row in sorted(members, key=lambda row: -round(float(confidences[row]), 4))
            )[:examples],
        )
        for (intent, answer), members in ordered[:pairs]
    )


def length_bins(tokens: NDArray[np.int64], right: NDArray[np.bool_]) -> tuple[LengthBin, ...]:
    """Accuracy by the number of tokens; bins without an utterance are left out.

    Args:
        tokens: of each in-scope utterance before it is cut, special ones included, shape
            (utterances,).
        right: whether its largest logit is right, same shape.
    """
    number = np.searchsorted(_LENGTHS, tokens, side="right") - 1
    found = []
    for place in np.unique(number):
        own = number == place
        count = int(right[own].sum())
        found.append(
            LengthBin(
                low=_LENGTHS[place],
                high=_LENGTHS[place + 1] - 1 if place + 1 < len(_LENGTHS) else None,
                utterances=int(own.sum()),
                accuracy=round(count / int(own.sum()), 6),
                interval=wilson_interval(count, int(own.sum())),
            )
        )
    return tuple(found)


def _share(part: int, whole: int) -> float | None:
    return round(float(part) / float(whole), 6) if whole else None
