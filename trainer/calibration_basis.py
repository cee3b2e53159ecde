"""What a calibration is fitted on, and whether that was enough."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.head import Head
from edge_runtime.scoring import Calibration
from trainer.config import CalibrationSettings
from trainer.dataset import Dataset, Split

__all__ = [
    "CalibrationBasis",
    "CalibrationTexts",
    "ThresholdBasis",
    "calibration_texts",
    "describe_basis",
    "warn_of_basis",
]

logger = logging.getLogger(__name__)

# Fewer utterances, or mistakes, and the temperature rests on its prior as much as on them.
_ENOUGH_UTTERANCES, _ENOUGH_MISTAKES = 100, 3
# Training texts that stand in for validation, at most: more do not tell a mean better.
_MOST_SEEN = 1000

ThresholdBasis = Literal["in-scope", "out-of-scope", "default"]
"""What a threshold was fitted on: in-scope utterances alone, both kinds, or nothing."""


class CalibrationTexts(msgspec.Struct, frozen=True):
    """The utterances that a calibration is fitted on, for every form of a model alike."""

    split: Split
    """With an intent, and out of scope."""
    held_out: bool
    """Whether those with an intent are validation's. If not, the model learnt from them: they
    tell the scale of its logits, and nothing else is fitted on them."""
    out_of_scope_training: int
    """How many of those out of scope are the training's. The model did not learn from these."""

    def basis(self, settings: CalibrationSettings) -> ThresholdBasis:
        """Tell what the threshold is fitted on."""
        out_of_scope = sum(intent is None for intent in self.split.intents)
        if not self.held_out or len(self.split.intents) - out_of_scope < _enough(settings):
            return "default"
        enough = settings.out_of_scope_utterances
        return "out-of-scope" if enough and out_of_scope >= enough else "in-scope"


class CalibrationBasis(msgspec.Struct, frozen=True):
    """What decided a calibration; stands in the evaluation's document."""

    in_scope: int
    """Validation utterances with an intent, on which the temperature is fitted; 0: it is the
    default."""
    mistakes: int
    """How many of them the model answers wrongly. With few the temperature stays near its
    prior."""
    threshold: ThresholdBasis
    """What the threshold was fitted on."""
    out_of_scope_validation: int
    """Out-of-scope texts of validation that it was fitted on."""
    out_of_scope_training: int
    """Out-of-scope texts of the training that it was fitted on."""


def calibration_texts(dataset: Dataset, settings: CalibrationSettings) -> CalibrationTexts:
    """Choose the utterances that a calibration is fitted on.

    They are validation's. Where it has fewer out-of-scope texts than
    ``out_of_scope_utterances``, those of the training come behind them: no model learns from
    them. Where it has no utterance with an intent, training utterances stand in.

    Args:
        dataset: that the model was trained on.
        settings: how many out-of-scope texts are enough.
    """
    validation, train = dataset.validation, dataset.train
    held_out = bool(validation.in_scope().texts)
    if held_out:
        parts = [validation]
    else:
        seen = train.in_scope()
        every = math.ceil(len(seen.texts) / _MOST_SEEN)
        parts = [seen.rows(range(0, len(seen.texts), every)), validation]
    outside = 0
    if validation.intents.count(None) < settings.out_of_scope_utterances:
        more = train.rows([row for row, intent in enumerate(train.intents) if intent is None])
        parts.append(more)
        outside = len(more.texts)
    return CalibrationTexts(
        split=Split(
            texts=[text for part in parts for text in part.texts],
            intents=[intent for part in parts for intent in part.intents],
        ),
        held_out=held_out,
        out_of_scope_training=outside,
    )


def describe_basis(
    embeddings: NDArray[np.float32],
    texts: CalibrationTexts,
    labels: Sequence[str],
    *,
    head: Head,
    settings: CalibrationSettings,
) -> CalibrationBasis:
    """Tell what ``fit_calibration`` of the same arguments rests on."""
    is_in_scope, truth = texts.split.truth(labels)
    wrong = head.logits(embeddings[is_in_scope]).argmax(axis=1) != truth
    threshold = texts.basis(settings)
    training = texts.out_of_scope_training if threshold == "out-of-scope" else 0
    return CalibrationBasis(
        in_scope=len(truth) if texts.held_out else 0,
        mistakes=int(wrong.sum()) if texts.held_out else 0,
        threshold=threshold,
        out_of_scope_validation=int((~is_in_scope).sum()) - texts.out_of_scope_training
        if threshold == "out-of-scope"
        else 0,
        out_of_scope_training=training,
    )


def warn_of_basis(
    basis: CalibrationBasis, calibration: Calibration, settings: CalibrationSettings
) -> None:
    """Log what validation was too small to tell."""
    if not basis.in_scope:
        logger.warning(
            "no validation utterance has an intent: a text is out of scope when its largest logit "
            "is less than calibration.default_logit_share, %g, of the training's mean; the "
            "temperature is calibration.default_temperature, %g",
            settings.default_logit_share,
            settings.default_temperature,
        )
        return
    if basis.threshold == "default":
        logger.warning(
            "%d in-scope validation utterances are too few to fit an out-of-scope threshold "
            "(at least %d would be needed); it is set to calibration.default_threshold, %g",
            basis.in_scope,
            _enough(settings),
            settings.default_threshold,
        )
    if basis.in_scope < _ENOUGH_UTTERANCES or basis.mistakes < _ENOUGH_MISTAKES:
        logger.warning(
            "%d in-scope validation utterances with %d mistakes say little of the temperature; "
            "it is held near what models of more utterances get: %.3f",
            basis.in_scope,
            basis.mistakes,
            calibration.temperature,
        )


def _enough(settings: CalibrationSettings) -> int:
    """In-scope utterances of which at least one may be rejected."""
    if not settings.in_scope_rejections:
        return 1
    return math.ceil(1 / settings.in_scope_rejections)
