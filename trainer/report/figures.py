"""The figures of a report, on one page: every measure of a checkpoint on one split."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.console import Progress, no_progress
from edge_runtime.scoring import probabilities
from edge_runtime.tokenization import Tokenizer
from trainer.calibration import Predictions, predict
from trainer.champion import Answers, Champion
from trainer.checkpoint import Checkpoint
from trainer.comparison import Comparison, compare
from trainer.config import GateSettings, ReportSettings
from trainer.dataset import Dataset, Split
from trainer.embedding import embed_texts
from trainer.evaluate import Evaluation
from trainer.gates import judge
from trainer.measures import Measures, measure, right_answers
from trainer.noise import NOISES, spoil
from trainer.report.content import IntentRow, NoiseRow, Provenance, Report, RiskCoverage
from trainer.report.curves import reliability, risk_coverage, roc
from trainer.report.tables import confused_pairs, intent_rows, length_bins
from trainer.resampling import (
    Interval,
    macro_f1_interval,
    percentile_interval,
    resample_separation,
    share_interval,
)

__all__ = ["gather_figures"]

_TYPOS = "typos-5"
_RECOGNISER = "recogniser"
_SHOWN_CHARACTERS = 60
# More tokens than any text has.
_UNCUT = 1_000_000


def gather_figures(
    checkpoint: Checkpoint,
    dataset: Dataset,
    evaluation: Evaluation,
    champion: Champion | None,
    settings: ReportSettings,
    gates: GateSettings,
    *,
    progress: Progress = no_progress,
) -> Report:
    """Measure everything that the report tells.

    Args:
        checkpoint: the model.
        dataset: whose split is described, and whose validation calibrates.
        evaluation: the model's embeddings of the dataset.
        champion: another model to compare with.
        settings: the split, the bootstrap, the noise.
        gates: what the model must reach.
        progress: told each step.

    Raises:
        ArtifactError: the champion shares no intent with the split.
    """
    split: Split = getattr(dataset, settings.split)
    labels = checkpoint.labels
    head = checkpoint.scoring_head()
    calibration = evaluation.calibration
    found = predict(evaluation.embeddings[settings.split], head=head, calibration=calibration)
    is_in_scope, truth = split.truth(labels)
    logits, scores = found.logits[is_in_scope], found.scores[is_in_scope]
    best = logits.argmax(axis=1)
    rejected = found.answers() < 0
    measures = measure(found, split.intents, labels)
    intents = intent_rows(truth, best, rejected[is_in_scope], labels)
    in_scope = split.in_scope()
    lengths = _lengths(checkpoint, in_scope.texts)
    noise = _noise(checkpoint, in_scope, truth, found, settings, progress)
    comparison = _compare(champion, dataset, split, found, labels, settings, gates)
    return Report(
        split=settings.split,
        in_scope=int(is_in_scope.sum()),
        out_of_scope=int((~is_in_scope).sum()),
        measures=measures,
        intervals=_intervals(found, is_in_scope, truth, settings),
        calibration=calibration,
        basis=evaluation.basis,
        gates=judge(
            _judged(measures, intents, noise, gates), gates, missing=_missing(settings, gates)
        ),
        comparison=comparison,
        intents=intents,
        **_confusions(split, found, labels, settings),
        reliability_before=reliability(logits, truth, temperature=1.0),
        reliability=reliability(logits, truth, temperature=calibration.temperature),
        roc=(
            None
            if is_in_scope.all()
            else roc(scores, found.scores[~is_in_scope], threshold=calibration.threshold)
        ),
        risk_coverage=risk_coverage(scores, best == truth, threshold=calibration.threshold),
        risk_coverage_overall=_overall_risk(found, is_in_scope, best == truth),
        lengths=length_bins(lengths, best == truth),
        max_tokens=checkpoint.text.max_tokens,
        cut=int((lengths > checkpoint.text.max_tokens).sum()),
        noise=noise,
        provenance=_provenance(checkpoint, dataset, evaluation),
    )


def _lengths(checkpoint: Checkpoint, texts: list[str]) -> NDArray[np.int64]:
    """Tokens of each text before it is cut, the special ones included, shape (texts,)."""
    tokenizer = Tokenizer(checkpoint.tokenizer, max_tokens=_UNCUT)
    return np.array([len(ids) for ids in tokenizer.encode_many(texts)], dtype=np.int64)


def _intervals(
    found: Predictions,
    in_scope: NDArray[np.bool_],
    truth: NDArray[np.int64],
    settings: ReportSettings,
) -> dict[str, Interval]:
    draws = {"resamples": settings.resamples, "seed": settings.seed}
    best = found.logits[in_scope].argmax(axis=1)
    rejected = found.answers() < 0
    intervals = {
        "in_scope_accuracy": share_interval(best == truth, **draws),
        "macro_f1": macro_f1_interval(truth, best, **draws),
        "in_scope_rejected": share_interval(rejected[in_scope], **draws),
        "overall_accuracy": share_interval(right_answers(found, in_scope, truth), **draws),
    }
    if not in_scope.all():
        drawn = resample_separation(
            found.scores[None, in_scope], found.scores[None, ~in_scope], **draws
        )
        intervals["oos_auroc"] = percentile_interval(drawn.aurocs[0])
        intervals["oos_fpr95"] = percentile_interval(drawn.false_positive_rates[0])
        intervals["oos_recall"] = share_interval(rejected[~in_scope], **draws)
    return intervals


def _confusions(
    split: Split, found: Predictions, labels: tuple[str, ...], settings: ReportSettings
) -> dict[str, Any]:
    best = [labels[number] for number in found.logits.argmax(axis=1)]
    rejected = found.answers() < 0
    common: dict[str, Any] = {
        "intents": split.intents,
        "texts": split.texts,
        "confidences": probabilities(found.logits, found.calibration).max(axis=1),
        "pairs": settings.pairs,
        "examples": settings.examples,
    }
    rows = list(enumerate(split.intents))
    wrong = [row for row, intent in rows if intent is not None and best[row] != intent]
    lost = [row for row, intent in rows if intent is not None and rejected[row]]
    let_in = [row for row, intent in rows if intent is None and not rejected[row]]
    return {
        "confusions": confused_pairs(wrong, answers=best, **common),
        "rejections": confused_pairs(lost, answers=[None] * len(best), **common),
        "acceptances": confused_pairs(let_in, answers=best, **common),
    }


def _overall_risk(
    found: Predictions, in_scope: NDArray[np.bool_], right: NDArray[np.bool_]
) -> RiskCoverage | None:
    if in_scope.all():
        return None
    everywhere = np.zeros(len(in_scope), dtype=bool)
    everywhere[in_scope] = right
    return risk_coverage(found.scores, everywhere, threshold=found.calibration.threshold)


def _noise(
    checkpoint: Checkpoint,
    in_scope: Split,
    truth: NDArray[np.int64],
    found: Predictions,
    settings: ReportSettings,
    progress: Progress,
) -> tuple[NoiseRow, ...]:
    if not settings.noisy_utterances:
        return ()
    count = min(settings.noisy_utterances, len(in_scope.texts))
    rows = np.linspace(0, len(in_scope.texts) - 1, count).round().astype(np.int64)
    texts = [in_scope.texts[row] for row in rows]
    spoiled = {noise.name: spoil(texts, noise, seed=settings.seed) for noise in NOISES}
    titles = {"none": "as they are"} | {noise.name: noise.title for noise in NOISES}
    asked = {"none": texts} | spoiled
    head = checkpoint.scoring_head()
    found_rows: list[NoiseRow] = []
    for name, embeddings in embed_texts(checkpoint, asked, progress=progress).items():
        noisy = predict(embeddings, head=head, calibration=found.calibration)
        right = noisy.logits.argmax(axis=1) == truth[rows]
        accuracy = float(right.mean())
        clean = found_rows[0].accuracy if found_rows else accuracy
        # The longest of the shorter ones: long enough to show what happens, and still read.
        shown = max(
            range(count), key=lambda row: (len(texts[row]) <= _SHOWN_CHARACTERS, len(texts[row]))
        )
        found_rows.append(
            NoiseRow(
                name=name,
                title=titles[name],
                utterances=count,
                accuracy=round(accuracy, 6),
                interval=share_interval(right, resamples=settings.resamples, seed=settings.seed),
                fall=round(clean - accuracy, 6),
                rejected=round(float((noisy.answers() < 0).mean()), 6),
                example=(texts[shown], asked[name][shown]),
            )
        )
    return tuple(found_rows)


def _compare(
    champion: Champion | None,
    dataset: Dataset,
    split: Split,
    found: Predictions,
    labels: tuple[str, ...],
    settings: ReportSettings,
    gates: GateSettings,
) -> Comparison | None:
    if champion is None:
        return None
    own = Answers(
        best=tuple(labels[number] for number in found.logits.argmax(axis=1)),
        rejected=found.answers() < 0,
    )
    return compare(
        champion,
        split,
        own,
        labels,
        dataset=dataset.digest,
        level=gates.regression_level,
        resamples=settings.resamples,
        seed=settings.seed,
        examples=settings.pairs,
    )


def _judged(
    measures: Measures,
    intents: tuple[IntentRow, ...],
    noise: tuple[NoiseRow, ...],
    gates: GateSettings,
) -> dict[str, float | None]:
    recalls = [
        row.recall
        for row in intents
        if row.recall is not None and row.support >= gates.worst_recall_support
    ]
    falls = {row.name: row.fall for row in noise}
    return {
        **msgspec.structs.asdict(measures),
        "worst_recall": min(recalls, default=None),
        "typo_fall": falls.get(_TYPOS),
        "recogniser_fall": falls.get(_RECOGNISER),
    }


def _missing(settings: ReportSettings, gates: GateSettings) -> dict[str, str]:
    """Why a measure that is none could not be taken, in words."""
    no_noise = (
        f"the {settings.split} has no utterance to spoil"
        if settings.noisy_utterances
        else "noise is switched off; set report.noisy_utterances above 0"
    )
    return {
        "worst_recall": (
            f"no intent has gates.worst_recall_support, {gates.worst_recall_support}, utterances "
            f"in the {settings.split}"
        ),
        "typo_fall": no_noise,
        "recogniser_fall": no_noise,
    }


def _provenance(checkpoint: Checkpoint, dataset: Dataset, evaluation: Evaluation) -> Provenance:
    return Provenance(
        dataset=dataset.digest,
        checkpoint=checkpoint.artifact.digest,
        evaluation=evaluation.artifact.digest,
        base_model=checkpoint.base_model,
        train_settings=checkpoint.artifact.document.settings,
        calibration_settings=msgspec.to_builtins(evaluation.settings),
    )
