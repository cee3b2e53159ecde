"""What a report holds: the form of ``report.json``'s result, and all that the page shows."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from edge_runtime.scoring import Calibration
from trainer.calibration_basis import CalibrationBasis
from trainer.comparison import Comparison
from trainer.gates import Gate
from trainer.measures import Measures
from trainer.resampling import Interval

__all__ = [
    "ConfidenceBin",
    "ConfusedPair",
    "ConfusedText",
    "IntentRow",
    "LengthBin",
    "NoiseRow",
    "Provenance",
    "Reliability",
    "Report",
    "RiskCoverage",
    "Roc",
]


class IntentRow(msgspec.Struct, frozen=True):
    """One intent, by the largest logit, in scope. A share over nothing is ``None``."""

    intent: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int
    """Utterances of the intent."""
    predicted: int
    """In-scope utterances that were given the intent."""
    rejected: int
    """Utterances of the intent that the threshold calls out of scope."""


class ConfusedText(msgspec.Struct, frozen=True):
    """An utterance that got a wrong answer."""

    text: str
    confidence: float
    """Calibrated probability of the best intent, 0 to 1."""


class ConfusedPair(msgspec.Struct, frozen=True):
    """What should have been answered and what was; ``None`` is out of scope."""

    intent: str | None
    answer: str | None
    count: int
    examples: tuple[ConfusedText, ...]
    """The surest first."""


class ConfidenceBin(msgspec.Struct, frozen=True):
    """Utterances whose confidence lies in (low, high]."""

    low: float
    high: float
    utterances: int
    confidence: float | None
    """Their mean confidence; ``None`` for an empty bin."""
    accuracy: float | None
    """Share of them that was right."""


class Reliability(msgspec.Struct, frozen=True):
    """Confidence against accuracy, in scope."""

    ece: float
    """Expected calibration error."""
    temperature: float
    bins: tuple[ConfidenceBin, ...]


class Roc(msgspec.Struct, frozen=True):
    """In scope against out of scope, for every threshold."""

    points: tuple[tuple[float, float], ...]
    """Share of out-of-scope texts that pass, share of in-scope texts that pass; at most 200."""
    at_threshold: tuple[float, float]
    """The point of the threshold that was chosen."""


class RiskCoverage(msgspec.Struct, frozen=True):
    """What share of answers is wrong when only the surest are given.

    Source: Geifman and El-Yaniv 2017, "Selective classification" (arXiv 1705.08500).
    """

    points: tuple[tuple[float, float], ...]
    """Share of utterances that is answered, share of those answers that is wrong; at most 200."""
    area: float
    """Area under the whole curve (AURC): mean risk over every coverage."""
    at_threshold: tuple[float, float] | None
    """The point of the threshold; ``None`` when it lets nothing pass."""


class LengthBin(msgspec.Struct, frozen=True):
    """In-scope utterances by length."""

    low: int
    """Fewest tokens before the text is cut, special ones included."""
    high: int | None
    """Most tokens; ``None`` is without end."""
    utterances: int
    accuracy: float
    interval: Interval
    """Of the accuracy, by Wilson."""


class NoiseRow(msgspec.Struct, frozen=True):
    """In-scope utterances, spoiled."""

    name: str
    """``none`` for the same utterances as they are, else one of ``trainer.noise.NOISES``."""
    title: str
    utterances: int
    accuracy: float
    """By the largest logit."""
    interval: Interval
    """Of the accuracy, by the bootstrap."""
    fall: float
    """Accuracy without noise less this one."""
    rejected: float
    """Share that the threshold calls out of scope."""
    example: tuple[str, str]
    """An utterance before and after."""


class Provenance(msgspec.Struct, frozen=True):
    """Where the numbers come from."""

    dataset: str
    """SHA-256 of the dataset's document."""
    checkpoint: str
    """SHA-256 of the checkpoint's document."""
    evaluation: str
    """SHA-256 of the evaluation's document."""
    base_model: dict[str, Any]
    train_settings: dict[str, Any]
    calibration_settings: dict[str, Any]


class Report(msgspec.Struct, frozen=True):
    """Everything that is known of a checkpoint on one split."""

    split: Literal["test", "validation"]
    in_scope: int
    """Utterances with an intent."""
    out_of_scope: int
    """Utterances without one."""
    measures: Measures
    intervals: dict[str, Interval]
    """Of some measures, by their names."""
    calibration: Calibration
    """Fitted on validation."""
    basis: CalibrationBasis
    """What decided the temperature and the threshold."""
    gates: tuple[Gate, ...]
    """Every gate that is set."""
    comparison: Comparison | None
    """With the champion, when one was named."""
    intents: tuple[IntentRow, ...]
    """Worst F1 first."""
    confusions: tuple[ConfusedPair, ...]
    """In scope, by the largest logit; most frequent first."""
    rejections: tuple[ConfusedPair, ...]
    """Intents whose utterances the threshold calls out of scope."""
    acceptances: tuple[ConfusedPair, ...]
    """Intents that out-of-scope utterances were given."""
    reliability_before: Reliability
    """At temperature 1."""
    reliability: Reliability
    """At the fitted temperature."""
    roc: Roc | None
    """``None`` without out-of-scope utterances."""
    risk_coverage: RiskCoverage
    """In scope, by the largest logit, the surest by the out-of-scope score first."""
    risk_coverage_overall: RiskCoverage | None
    """With out-of-scope utterances among them, each answer to which is wrong."""
    lengths: tuple[LengthBin, ...]
    max_tokens: int
    """Tokens that the model sees; longer texts are cut."""
    cut: int
    """In-scope utterances that were cut."""
    noise: tuple[NoiseRow, ...]
    """Empty when it was left out."""
    provenance: Provenance
