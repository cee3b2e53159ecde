"""Out-of-scope scores and their fusions, compared on the validation split alone.

The default of ``calibration.scores`` was chosen with this; the test split is never read.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import SettingsError
from edge_runtime.head import Head, encode_head
from edge_runtime.scoring import ADDITION_ARRAYS, NEEDED_ARRAYS, SCORES, score_values
from trainer.checkpoint import read_checkpoint
from trainer.dataset import read_dataset
from trainer.evaluate import read_evaluation, settings_behind
from trainer.lexical_scores import lexical_scores
from trainer.measures import false_positive_rate
from trainer.resampling import Interval, percentile_interval, resample_separation

__all__ = ["ScoreBenchmark", "ScoreResult", "benchmark_scores"]

# Of the largest logit, its probability and the energy one is enough in a fusion of three: they are
# functions of the same numbers, as class means, prototypes and neighbours are.
_UNLIKE = ("energy", "class-mean-cosine", "nearest-prototype", "mahalanobis")


class ScoreResult(msgspec.Struct, frozen=True):
    """One score, or the mean of several that are standardised on in-scope utterances."""

    parts: tuple[str, ...]
    """Scores of ``edge_runtime.scoring``, or of ``trainer.lexical_scores``."""
    auroc: float
    auroc_interval: Interval
    auroc_gain: float
    """Over the default, on the same utterances."""
    auroc_gain_interval: Interval
    fpr95: float
    """Share of out-of-scope texts that pass where 95 % of those in scope do."""
    fpr95_interval: Interval
    fpr95_gain_interval: Interval
    """Of the default's share less this one's: above 0 it is better than the default."""
    bytes: int
    """What it adds to a bundle that has the largest logit alone, and in which intents can be
    added."""


class ScoreBenchmark(msgspec.Struct, frozen=True):
    """What ``bench.scores`` prints."""

    scores: tuple[ScoreResult, ...]
    """Best AUROC first."""
    default: tuple[str, ...]
    """What the evaluation was calibrated with."""
    in_scope: int
    """Validation utterances."""
    out_of_scope: int
    """Validation utterances."""
    addition_bytes: int
    """What every bundle carries so that intents can be added, whatever its score."""
    resamples: int
    """Draws of the bootstrap behind each interval, the same for all scores."""
    seed: int
    """Of the draws."""
    data: str
    """SHA-256 of the dataset."""
    checkpoint: str
    """SHA-256 of the checkpoint."""
    settings: dict[str, dict[str, Any]]
    """That the checkpoint and its evaluation were made with, by section."""


class _Part(msgspec.Struct, frozen=True):
    values: NDArray[np.float64]
    """Standardised by those of in-scope utterances, shape (utterances,)."""
    arrays: frozenset[str]
    """Of the head, that it needs."""
    bytes: int
    """Besides those arrays."""


def benchmark_scores(
    checkpoint_folder: Path,
    dataset_folder: Path,
    evaluation_folder: Path,
    *,
    resamples: int,
    seed: int,
    progress: Progress = no_progress,
) -> ScoreBenchmark:
    """Compare the scores of a checkpoint, alone and fused, and lexical ones beside them.

    Compared are: every score; all pairs of the model's; all threes of those that are unlike; the
    default; lexical ones with each of the model's and with the default.

    Args:
        checkpoint_folder: made by ``train``.
        dataset_folder: made by ``build_dataset``.
        evaluation_folder: made by ``evaluate`` of the two.
        resamples: draws of the bootstrap, at least 100.
        seed: of the draws.
        progress: told each step.

    Raises:
        ArtifactError: an input is missing or damaged, or does not belong to the others.
        SettingsError: too few resamples, or no out-of-scope validation utterance.
    """
    checkpoint = read_checkpoint(checkpoint_folder)
    dataset = read_dataset(dataset_folder)
    evaluation = read_evaluation(evaluation_folder, checkpoint=checkpoint, dataset=dataset)
    head = checkpoint.scoring_head()
    in_scope = np.array([intent is not None for intent in dataset.validation.intents], dtype=bool)
    if resamples < 100:
        raise SettingsError(f"--resamples is {resamples}; at least 100 are needed")
    if in_scope.all():
        raise SettingsError(
            f"the validation split of {dataset_folder} has no out-of-scope utterance, and scores "
            "are compared by how they tell these apart; add some to the utterances"
        )
    progress("comparing", 0, 3, "lexical features")
    parts = _model_parts(evaluation.embeddings["validation"], in_scope, head)
    lexical = lexical_scores(dataset.train, dataset.validation.texts)
    for name, one in lexical.items():
        parts[name] = _Part(_standardised(one.values, in_scope), frozenset(), one.bytes)
    progress("comparing", 1, 3, "resamples")
    default = tuple(evaluation.settings.scores)
    fusions = _fusions(default, tuple(lexical))
    values = np.stack([_fused(parts, names) for names in fusions])
    drawn = resample_separation(
        values[:, in_scope], values[:, ~in_scope], resamples=resamples, seed=seed
    )
    progress("comparing", 2, 3, "sizes")
    aurocs = [_auroc(row, in_scope) for row in values]
    base = fusions.index(default)
    results = [
        ScoreResult(
            parts=names,
            auroc=round(aurocs[place], 6),
            auroc_interval=percentile_interval(drawn.aurocs[place]),
            auroc_gain=round(aurocs[place] - aurocs[base], 6),
            auroc_gain_interval=percentile_interval(drawn.aurocs[place] - drawn.aurocs[base]),
            fpr95=round(false_positive_rate(values[place, in_scope], values[place, ~in_scope]), 6),
            fpr95_interval=percentile_interval(drawn.false_positive_rates[place]),
            fpr95_gain_interval=percentile_interval(
                drawn.false_positive_rates[base] - drawn.false_positive_rates[place]
            ),
            bytes=_bytes([parts[name] for name in names], head),
        )
        for place, names in enumerate(fusions)
    ]
    progress("comparing", 3, 3, f"{len(results)} scores")
    return ScoreBenchmark(
        scores=tuple(sorted(results, key=lambda one: (-one.auroc, one.parts))),
        default=default,
        in_scope=int(in_scope.sum()),
        out_of_scope=int((~in_scope).sum()),
        addition_bytes=_head_bytes(head, ADDITION_ARRAYS) - _head_bytes(head, frozenset()),
        resamples=resamples,
        seed=seed,
        data=dataset.digest,
        checkpoint=checkpoint.artifact.digest,
        settings=settings_behind(checkpoint, evaluation),
    )


def _model_parts(
    embeddings: NDArray[np.float32], in_scope: NDArray[np.bool_], head: Head
) -> dict[str, _Part]:
    logits = head.logits(embeddings)
    return {
        name: _Part(
            _standardised(score_values(name, embeddings, logits, head=head), in_scope),
            frozenset(NEEDED_ARRAYS.get(name, ())),
            0,
        )
        for name in SCORES
    }


def _standardised(values: NDArray[np.float64], in_scope: NDArray[np.bool_]) -> NDArray[np.float64]:
    own = values[in_scope]
    result: NDArray[np.float64] = (values - own.mean()) / (own.std() or 1.0)
    return result


def _fusions(default: tuple[str, ...], lexical: tuple[str, ...]) -> list[tuple[str, ...]]:
    """What is compared, each once."""
    found = [
        default,
        *((name,) for name in (*SCORES, *lexical)),
        *combinations(SCORES, 2),
        *combinations(_UNLIKE, 3),
        _UNLIKE,
        *((name, other) for name in SCORES for other in lexical),
        *((*default, other) for other in lexical),
    ]
    # The same scores in another order are the same fusion.
    return list({frozenset(names): names for names in reversed(found)}.values())[::-1]


def _fused(parts: dict[str, _Part], names: tuple[str, ...]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.mean([parts[name].values for name in names], axis=0)
    return result


def _auroc(values: NDArray[np.float64], in_scope: NDArray[np.bool_]) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(in_scope, values))


def _bytes(parts: list[_Part], head: Head) -> int:
    """The size of the head's file with these parts' arrays, over that of every bundle."""
    needed = ADDITION_ARRAYS.union(*(part.arrays for part in parts))
    grown = _head_bytes(head, needed) - _head_bytes(head, ADDITION_ARRAYS)
    return grown + sum(part.bytes for part in parts)


def _head_bytes(head: Head, kept: frozenset[str]) -> int:
    """The size of the head's file with these of its optional arrays."""
    optional = {name for names in NEEDED_ARRAYS.values() for name in names}
    return len(encode_head(msgspec.structs.replace(head, **dict.fromkeys(optional - kept))))
