"""Ways to calibrate, compared by cross-validation on the validation split alone.

What ``trainer.calibration`` does was chosen with this; the test split is never read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.console import Progress, no_progress
from edge_runtime.errors import SettingsError
from edge_runtime.scoring import in_scope_scores
from trainer.calibration import PRIOR_TEMPERATURE, PRIOR_WEIGHT, fit_temperature
from trainer.checkpoint import read_checkpoint
from trainer.dataset import read_dataset
from trainer.evaluate import read_evaluation, settings_behind
from trainer.measures import expected_calibration_error
from trainer.threshold_benchmark import (
    DRAWS,
    LimitedThresholds,
    ThresholdMethod,
    compare_quantiles,
    compare_with_out_of_scope,
)

__all__ = [
    "METHODS",
    "CalibrationBenchmark",
    "ConfidenceMethod",
    "benchmark_calibration",
]

_FOLDS = 5
_HISTOGRAM_BINS = 10
# Without it, 2 numbers for each of 150 intents follow every chance of 3,000 utterances.
_VECTOR_PENALTY = 1e-2

Confidences = tuple[NDArray[np.float64], NDArray[np.bool_]]
Method = Callable[
    [NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]], Confidences
]
Fit = Callable[[NDArray[np.float64], NDArray[np.int64]], float]


class ConfidenceMethod(msgspec.Struct, frozen=True):
    """A way to make confidences of logits: means over the repeats, on folds it was not fitted on.

    The spread over repeats is that of other folds of the same utterances.
    """

    ece: float
    """Expected calibration error, 15 bins."""
    ece_sd: float
    """Its standard deviation over the repeats."""
    brier: float
    """Mean squared distance of the best intent's confidence from being right."""
    accuracy: float


class CalibrationBenchmark(msgspec.Struct, frozen=True):
    """What ``bench.calibration`` prints."""

    confidences: dict[str, ConfidenceMethod]
    thresholds: dict[str, dict[str, ThresholdMethod]]
    """By the number of utterances that it is fitted on, then by the method."""
    with_out_of_scope: tuple[LimitedThresholds, ...]
    """With and without a look at out-of-scope texts; empty when there are too few of them."""
    wanted: float
    """Share of in-scope utterances that may be rejected."""
    utterances: int
    """In-scope validation utterances."""
    folds: int
    repeats: int
    draws: int
    """Draws of utterances behind each threshold."""
    data: str
    """SHA-256 of the dataset."""
    checkpoint: str
    """SHA-256 of the checkpoint."""
    settings: dict[str, dict[str, Any]]
    """That the checkpoint and its evaluation were made with, by section."""


def benchmark_calibration(
    checkpoint_folder: Path,
    dataset_folder: Path,
    evaluation_folder: Path,
    *,
    repeats: int,
    progress: Progress = no_progress,
) -> CalibrationBenchmark:
    """Compare ways to calibrate a checkpoint.

    Args:
        checkpoint_folder: made by ``train``.
        dataset_folder: made by ``build_dataset``.
        evaluation_folder: made by ``evaluate`` of the two.
        repeats: how often the folds are drawn anew, seeded from 1 on.
        progress: told each repeat.

    Raises:
        ArtifactError: an input is missing or damaged, or does not belong to the others.
        SettingsError: no repeat, or fewer than two utterances a fold.
    """
    checkpoint = read_checkpoint(checkpoint_folder)
    dataset = read_dataset(dataset_folder)
    evaluation = read_evaluation(evaluation_folder, checkpoint=checkpoint, dataset=dataset)
    in_scope, truth = dataset.validation.truth(checkpoint.labels)
    if repeats < 1 or len(truth) < 2 * _FOLDS:
        raise SettingsError(
            f"{repeats} repeats over {len(truth)} in-scope validation utterances compare nothing; "
            f"take at least one repeat and {2 * _FOLDS} utterances"
        )
    head = checkpoint.scoring_head()
    embeddings = evaluation.embeddings["validation"]
    everything = head.logits(embeddings)
    scores = in_scope_scores(embeddings, everything, head=head, parts=evaluation.calibration.score)
    logits = everything[in_scope]
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in METHODS}
    for seed in range(1, repeats + 1):
        fold = np.random.default_rng(seed).permutation(len(truth)) % _FOLDS
        for name, method in METHODS.items():
            confidences, right = _held_out(method, logits.astype(np.float64), truth, fold)
            found[name].append(
                (
                    expected_calibration_error(confidences, right),
                    float(((confidences - right) ** 2).mean()),
                    float(right.mean()),
                )
            )
        progress("calibrating", seed, repeats, "")
    wanted = evaluation.settings.in_scope_rejections
    return CalibrationBenchmark(
        confidences={name: _method(values) for name, values in found.items()},
        thresholds=compare_quantiles(scores[in_scope], wanted=wanted) if wanted else {},
        with_out_of_scope=compare_with_out_of_scope(
            scores[in_scope],
            logits.argmax(axis=1) == truth,
            scores[~in_scope],
            wanted=wanted,
            folds=_FOLDS,
            repeats=repeats,
        ),
        wanted=wanted,
        utterances=len(truth),
        folds=_FOLDS,
        repeats=repeats,
        draws=DRAWS,
        data=dataset.digest,
        checkpoint=checkpoint.artifact.digest,
        settings=settings_behind(checkpoint, evaluation),
    )


def _held_out(
    method: Method,
    logits: NDArray[np.float64],
    truth: NDArray[np.int64],
    fold: NDArray[np.int64],
) -> Confidences:
    confidences, right = np.zeros(len(truth)), np.zeros(len(truth), dtype=bool)
    for number in range(_FOLDS):
        own = fold == number
        confidences[own], right[own] = method(logits[~own], truth[~own], logits[own], truth[own])
    return confidences, right


def _method(values: list[tuple[float, float, float]]) -> ConfidenceMethod:
    table = np.array(values)
    ece, brier, accuracy = (round(float(mean), 6) for mean in table.mean(axis=0))
    return ConfidenceMethod(
        ece=ece, ece_sd=round(float(table[:, 0].std()), 6), brier=brier, accuracy=accuracy
    )


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import softmax

    result: NDArray[np.float64] = softmax(logits, axis=1)
    return result


def _best(shares: NDArray[np.float64], truth: NDArray[np.int64]) -> Confidences:
    return shares.max(axis=1), shares.argmax(axis=1) == truth


def _none(
    _: NDArray[np.float64],
    __: NDArray[np.int64],
    logits: NDArray[np.float64],
    truth: NDArray[np.int64],
) -> Confidences:
    return _best(_softmax(logits), truth)


def _temperature(
    known: NDArray[np.float64],
    known_truth: NDArray[np.int64],
    logits: NDArray[np.float64],
    truth: NDArray[np.int64],
    *,
    fit: Fit,
) -> Confidences:
    return _best(_softmax(logits / fit(known, known_truth)), truth)


def _vector(
    known: NDArray[np.float64],
    known_truth: NDArray[np.int64],
    logits: NDArray[np.float64],
    truth: NDArray[np.int64],
    *,
    fit: Fit,
) -> Confidences:
    """A scale and a shift for each intent (Guo et al. 2017), held near one temperature."""
    from scipy.optimize import minimize

    rows, labels = known.shape
    start = 1 / fit(known, known_truth)
    right = np.eye(labels)[known_truth]

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scales, shifts = values[:labels], values[labels:]
        shares = _softmax(known * scales + shifts)
        errors = (shares - right) / rows
        likelihood = -np.log(np.maximum(shares[np.arange(rows), known_truth], 1e-300)).mean()
        penalty = _VECTOR_PENALTY * (((scales - start) ** 2).sum() + (shifts**2).sum())
        slope = np.concatenate([(errors * known).sum(axis=0), errors.sum(axis=0)])
        pull = 2 * _VECTOR_PENALTY * np.concatenate([scales - start, shifts])
        return float(likelihood + penalty), slope + pull

    first = np.concatenate([np.full(labels, start), np.zeros(labels)])
    found = minimize(loss, first, jac=True, method="L-BFGS-B").x
    return _best(_softmax(logits * found[:labels] + found[labels:]), truth)


def _isotonic(
    known: NDArray[np.float64],
    known_truth: NDArray[np.int64],
    logits: NDArray[np.float64],
    truth: NDArray[np.int64],
    *,
    fit: Fit,
) -> Confidences:
    """A rising step function of the tempered confidence (Zadrozny and Elkan 2002)."""
    from sklearn.isotonic import IsotonicRegression

    temperature = fit(known, known_truth)
    confidences, right = _best(_softmax(known / temperature), known_truth)
    steps = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(confidences, right)
    own, own_right = _best(_softmax(logits / temperature), truth)
    return np.asarray(steps.predict(own), dtype=np.float64), own_right


def _histogram(
    known: NDArray[np.float64],
    known_truth: NDArray[np.int64],
    logits: NDArray[np.float64],
    truth: NDArray[np.int64],
    *,
    fit: Fit,
) -> Confidences:
    """The accuracy of bins with equally many utterances (Zadrozny and Elkan 2001)."""
    temperature = fit(known, known_truth)
    confidences, right = _best(_softmax(known / temperature), known_truth)
    edges = np.quantile(confidences, np.linspace(0, 1, _HISTOGRAM_BINS + 1)[1:-1])
    number = np.searchsorted(edges, confidences)
    hits = np.bincount(number, weights=right, minlength=_HISTOGRAM_BINS)
    # One right and one wrong more: an empty bin says nothing, and a full one is not certain.
    shares = (hits + 1) / (np.bincount(number, minlength=_HISTOGRAM_BINS) + 2)
    own, own_right = _best(_softmax(logits / temperature), truth)
    return shares[np.searchsorted(edges, own)], own_right


def _fitted(
    logits: NDArray[np.float64], truth: NDArray[np.int64], *, believed: float, weight: float
) -> float:
    return fit_temperature(logits.astype(np.float32), truth, believed=believed, weight=weight)


_AS_CALIBRATED = partial(_fitted, believed=PRIOR_TEMPERATURE, weight=PRIOR_WEIGHT)

METHODS: dict[str, Method] = {
    "none": _none,
    "temperature": partial(_temperature, fit=_AS_CALIBRATED),
    "temperature-alone": partial(_temperature, fit=partial(_fitted, believed=1.0, weight=0.0)),
    "vector": partial(_vector, fit=_AS_CALIBRATED),
    "isotonic": partial(_isotonic, fit=_AS_CALIBRATED),
    "histogram": partial(_histogram, fit=_AS_CALIBRATED),
}
"""The methods by name. Every fitted temperature but that of ``temperature-alone`` is held near the
prior, as in ``fit_calibration``."""
