"""The settings of the trainer's stages; every default stands in ``defaults.toml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec

from edge_runtime.scoring import ScoreName

__all__ = [
    "DEFAULTS",
    "TIERS",
    "CalibrationSettings",
    "CheckSettings",
    "DataSettings",
    "DistillationSettings",
    "GateSettings",
    "ReportSettings",
    "SoupSettings",
    "TrackSettings",
    "TrainSettings",
]

DEFAULTS = Path(__file__).with_name("defaults.toml")

Share = Annotated[float, msgspec.Meta(ge=0, le=0.5)]
"""A part of the examples that is held out; 0 holds nothing out."""


class DataSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How utterances are read, checked and split: section ``[data]``."""

    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    """Seed of the split and of the sampling of templates."""
    validation_share: Share
    """Part of the training examples held out for validation; used when the source has none. 0
    learns from all; so does an intent with fewer than 20 examples, whatever the share."""
    validation_limit: Annotated[int, msgspec.Meta(ge=1)]
    """Utterances that are held out for validation, about, when its share would be more."""
    test_share: Share
    """Part of the examples held out for the test; used when the source and the call give none. 0
    learns from all."""
    max_characters: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    """Longest text, in characters after normalisation."""
    max_label_characters: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    """Longest intent label, in characters."""
    min_examples_per_intent: Annotated[int, msgspec.Meta(ge=2)]
    """Fewest distinct texts that an intent needs."""
    out_of_scope_labels: tuple[str, ...]
    """Labels that stand for "none of the intents"; compared in lower case."""
    template_samples_per_intent: Annotated[int, msgspec.Meta(ge=2, le=100_000)]
    """Distinct texts drawn from the sentence templates of each intent, when they give so many."""
    split_column: str
    """Column or key that names a row's split; a source need not have it."""
    text_column: str | None = None
    """Column or key of the text; without it text, utterance, sentence or query is looked for."""
    intent_column: str | None = None
    """Column or key of the intent; without it intent, label, category or class is looked for."""


Tier = Literal["layers-4", "layers-3", "layers-2", "static"]
TIERS: tuple[Tier, ...] = get_args(Tier)
"""A student's encoder: so many layers, or one vector a token, whatever stands beside it."""

Rate = Annotated[float, msgspec.Meta(gt=0, le=1)]
"""A learning rate at the top of the one-cycle schedule."""


class TrainSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model is trained: section ``[train]``."""

    base_model: Annotated[str, msgspec.Meta(min_length=1)]
    """``all-MiniLM-L6-v2`` (embedded), a local folder, or a hub id."""
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    """Seed of an adapter's first weights, of dropout and of the order of batches."""
    method: Literal["full", "lora", "qlora"]
    """What is trained besides the head: all of the encoder but its word vectors, or LoRA matrices
    beside it; with ``qlora`` its frozen weights are held in four bits."""
    precision: Literal["auto", "fp32", "bf16"]
    """Numbers of the matrix products; ``auto`` takes bf16 where the processor has it."""
    epochs: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    """Passes over the training utterances, at most."""
    early_stopping_epochs: Annotated[int, msgspec.Meta(ge=0, le=1000)]
    """Looks at validation without a better one after which training stops, and goes back to the
    best; 0 never looks at validation and keeps the last pass."""
    average_decay: Annotated[float, msgspec.Meta(ge=0, lt=1)]
    """Weight of the past in the running mean of the weights, at each step."""
    minimum_steps: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    """Small sets get more epochs until there are this many steps; validation is then looked at
    no more often than in a larger set, after several passes."""
    batch_size: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    """Utterances a step, over all processes together."""
    learning_rate: Rate
    """For an encoder of width 384 or less, when all of its weights are trained; a wider one gets
    it times (384 / width) squared."""
    lora_learning_rate: Rate
    """For the adapter of an encoder of width 384 or less; a wider one gets it times 384 / width."""
    head_learning_rate: Rate
    """For the classification head."""
    weight_decay: Annotated[float, msgspec.Meta(ge=0, le=1)]
    """AdamW's decoupled weight decay."""
    label_smoothing: Annotated[float, msgspec.Meta(ge=0, lt=1)]
    """Share of the target spread over all intents."""
    contrast: Annotated[float, msgspec.Meta(ge=0, le=100)]
    """Weight of a contrastive loss that draws texts of one intent together; 0 leaves it out. A
    student has a teacher instead."""
    initial_share: Annotated[float, msgspec.Meta(ge=0, lt=1)]
    """In a set so small that ``minimum_steps`` gives it more epochs: share of the weights before
    training in those that are kept (WiSE-FT). 0 keeps the trained ones alone; so does a student,
    whose first weights know little."""
    normalized: bool
    """Whether the head sees embeddings at length one; logits are then close to cosines."""
    intent_names: bool
    """Whether each intent's name is learnt from as one more utterance, where names tell."""
    head_scale: Annotated[float, msgspec.Meta(gt=0, le=1000)]
    """Logit of a text that lies exactly on its class mean, before the first step."""
    lora_rank: Annotated[int, msgspec.Meta(ge=1, le=1024)]
    """Rank of the adapter's matrices."""
    lora_alpha: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    """The adapter's product is scaled by alpha / rank."""
    lora_dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)]
    """Dropout before the adapter."""
    max_characters: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    """Longest text that the model will accept, in characters; no text of the dataset may be
    longer."""
    max_tokens: Annotated[int, msgspec.Meta(ge=4, le=8192)]
    """Tokens that the model sees, special tokens included; longer texts are cut."""
    device: Literal["auto", "cpu", "cuda"]
    """Where to train; ``auto`` takes an NVIDIA GPU when there is one."""
    threads: Annotated[int, msgspec.Meta(ge=0, le=1024)]
    """Processor threads; 0 leaves torch's own choice."""


class SoupSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many trainings a model is the mean of: section ``[soup]``."""

    trainings: Annotated[int, msgspec.Meta(ge=1, le=100)]
    """Trainings, each with a seed of its own; the model has the mean of their weights."""


class DistillationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a small student learns from a trained model: section ``[distillation]``."""

    tier: Tier
    """How much is left of the encoder."""
    teacher_weight: Annotated[float, msgspec.Meta(ge=0, le=1)]
    """Share of the loss that asks for the teacher's answers; the rest asks for the intents."""
    scrambled_forms: Annotated[int, msgspec.Meta(ge=0, le=100)]
    """Scrambled forms of each training text that the teacher answers too, one a pass in turn."""
    temperature: Annotated[float, msgspec.Meta(gt=0, le=100)]
    """The logits of both are divided by it before they are compared."""
    epochs: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    """Passes over the training utterances, at most; in place of ``train.epochs``."""
    learning_rate: Rate
    """For a student with layers of width 384 or less, in place of ``train.learning_rate``; a wider
    one gets it times (384 / width) squared."""
    static_learning_rate: Rate
    """For a static student, in place of ``train.learning_rate``."""
    static_width: Annotated[int, msgspec.Meta(ge=8, le=4096)]
    """Numbers in a static student's embedding."""


class CalibrationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model learns what is out of scope: section ``[calibration]``."""

    scores: Annotated[tuple[ScoreName, ...], msgspec.Meta(min_length=1)]
    """Out-of-scope scores, from ``edge_runtime.scoring.SCORES``; several are fused."""
    in_scope_rejections: Annotated[float, msgspec.Meta(ge=0, le=0.5)]
    """Share of in-scope validation utterances that the threshold may call out of scope."""
    out_of_scope_utterances: Annotated[int, msgspec.Meta(ge=0)]
    """Out-of-scope utterances from which on the threshold is fitted on them too; where validation
    has fewer, those of the training count as well. 0 never looks at them."""
    default_threshold: Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]
    """Taken when validation is too small to fit it: deviations from the mean in-scope score."""
    default_logit_share: Annotated[float, msgspec.Meta(ge=0, le=1)]
    """Without validation: a text is out of scope when its largest logit is less than this share of
    the mean one of training utterances; 0 rejects next to nothing."""
    default_temperature: Annotated[float, msgspec.Meta(ge=0.05, le=20)]
    """Taken without validation."""


class TrackSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is recorded of each training, and where: section ``[track]``."""

    enabled: bool
    """Whether trainings are recorded, with MLflow; ``MLFLOW_TRACKING_URI`` says where."""
    experiment: Annotated[str, msgspec.Meta(pattern=r"^\w[\w .-]{0,99}$")]
    """MLflow's experiment, and CloudWatch's dimension: letters, digits, blanks, dots, hyphens."""
    log_checkpoint: Literal["always", "never"]
    """Whether the checkpoint goes into the record: sent to a server; on a local disk linked."""
    country: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")]
    """Where the electricity comes from: ISO 3166-1 alpha-3."""
    cloudwatch_namespace: (
        Annotated[str, msgspec.Meta(pattern=r"^(?!AWS/)[A-Za-z0-9._/#-][A-Za-z0-9._/#:-]{0,254}$")]
        | None
    ) = None
    """Namespace in CloudWatch for five metrics of each evaluation; without it nothing is sent."""


class ReportSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the evaluation's report looks at: section ``[report]``."""

    split: Literal["test", "validation"]
    """The split that the report describes, the gates judge and a champion is compared on."""
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    """Seed of the bootstrap's draws and of the noise."""
    resamples: Annotated[int, msgspec.Meta(ge=100, le=100_000)]
    """Draws of the bootstrap behind each interval."""
    noisy_utterances: Annotated[int, msgspec.Meta(ge=0)]
    """In-scope utterances that are spoiled by each noise, at most, spread over the split; 0 leaves
    the noise out."""
    pairs: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    """Confused pairs of intents that are listed, most frequent first."""
    examples: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    """Utterances that are shown of each confused pair."""


MinimumShare = Annotated[float, msgspec.Meta(ge=0, le=1)]
"""A measure may not be below it; 0 to 1."""
MaximumShare = Annotated[float, msgspec.Meta(ge=0, le=1)]
"""A measure may not be above it; 0 to 1."""


class GateSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model must reach to be let through: section ``[gates]``. Not set: not judged."""

    worst_recall_support: Annotated[int, msgspec.Meta(ge=1)]
    """Utterances that an intent needs for its recall to be judged."""
    regression_level: Annotated[float, msgspec.Meta(gt=0, lt=1)]
    """A champion's lead with a smaller p-value of McNemar's test is a regression."""
    minimum_in_scope_accuracy: MinimumShare | None = None
    """Share of in-scope utterances whose largest logit is the right intent."""
    minimum_macro_f1: MinimumShare | None = None
    """Mean over intents of F1."""
    minimum_overall_accuracy: MinimumShare | None = None
    """Share of all utterances that get the right answer, an intent or out of scope."""
    minimum_worst_recall: MinimumShare | None = None
    """Recall of the worst intent."""
    minimum_oos_auroc: MinimumShare | None = None
    """Area under the ROC curve of the out-of-scope score."""
    minimum_oos_recall: MinimumShare | None = None
    """Share of out-of-scope utterances that the threshold finds."""
    maximum_in_scope_rejected: MaximumShare | None = None
    """Share of in-scope utterances that the threshold calls out of scope."""
    maximum_ece: MaximumShare | None = None
    """Expected calibration error in scope."""
    maximum_typo_fall: MaximumShare | None = None
    """Loss of in-scope accuracy by typos at 5 % of the characters."""
    maximum_recogniser_fall: MaximumShare | None = None
    """Loss of in-scope accuracy by the errors of a speech recogniser."""


class CheckSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``data.check`` looks for: section ``[check]``."""

    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    """Seed of the samples, of the folds and of the hashes."""
    examples: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    """Examples of each finding in the result; the report folder holds all of them."""
    imbalance_ratio: Annotated[float, msgspec.Meta(gt=1, le=1e6)]
    """An intent is small when the largest has more than this many times its training texts."""
    near_similarity: Annotated[float, msgspec.Meta(ge=0.5, le=1)]
    """Jaccard similarity of two texts' character trigrams from which they are nearly the same."""
    token_sample: Annotated[int, msgspec.Meta(ge=1)]
    """Texts whose tokens are counted for the median; those that may be too long are all counted."""
    language_sample: Annotated[int, msgspec.Meta(ge=0)]
    """Texts whose language is looked at, at most; 0 looks at none."""
    language_probability: Annotated[float, msgspec.Meta(ge=0, le=1)]
    """A text is in another language when the main one is less probable than this."""
    label_sample: Annotated[int, msgspec.Meta(ge=0)]
    """Texts whose labels are compared with out-of-fold predictions, at most; 0 compares none."""
