"""Temperature and threshold."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge_runtime.head import Head
from edge_runtime.scoring import Calibration, ScoreName, score_values
from trainer.calibration import (
    PRIOR_TEMPERATURE,
    fit_balanced_threshold,
    fit_calibration,
    fit_temperature,
    fit_threshold,
    predict,
)
from trainer.calibration_basis import (
    CalibrationBasis,
    CalibrationTexts,
    calibration_texts,
    describe_basis,
    warn_of_basis,
)
from trainer.config import CalibrationSettings
from trainer.dataset import Dataset, Split

SCORES = st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=200)


def drawn(rows: int, *, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are ``temperature`` times too large, and truths drawn from the right ones."""
    chance = np.random.default_rng(1)
    right = chance.normal(size=(rows, 5)) * 2
    shares = np.exp(right) / np.exp(right).sum(axis=1, keepdims=True)
    truth = np.array([chance.choice(5, p=share) for share in shares])
    return (right * temperature).astype(np.float32), truth


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_logits_were_stretched_by_is_found(temperature: float) -> None:
    logits, truth = drawn(6000, temperature=temperature)
    assert fit_temperature(logits, truth) == pytest.approx(temperature, rel=0.05)


def test_logits_twice_as_large_get_twice_the_temperature() -> None:
    logits, truth = drawn(300, temperature=1.0)
    once, twice = fit_temperature(logits, truth), fit_temperature(2 * logits, truth)
    assert twice == pytest.approx(2 * once, rel=1e-3)


@pytest.mark.parametrize(("truth", "bound"), [([0, 1], 0.05), ([1, 0], 20.0)])
def test_a_model_that_is_always_right_or_wrong_gets_a_temperature_within_bounds(
    truth: list[int], bound: float
) -> None:
    logits = np.array([[1, 0], [0, 1]], dtype=np.float32)
    found = fit_temperature(logits, np.array(truth))
    assert 0.05 <= found <= 20.0
    assert found == pytest.approx(bound, rel=0.5)


@given(SCORES, st.floats(0, 0.5))
def test_the_threshold_rejects_no_more_than_the_wanted_share(
    scores: list[float], share: float
) -> None:
    values = np.array(scores, dtype=np.float64)
    threshold = fit_threshold(values, in_scope_rejections=share)
    assert (values < threshold).sum() <= int(share * len(scores))


@given(st.integers(1, 200), st.floats(0, 0.5))
def test_the_threshold_rejects_exactly_the_wanted_share_of_distinct_scores(
    rows: int, share: float
) -> None:
    values = np.arange(rows) / 4
    threshold = fit_threshold(values, in_scope_rejections=share)
    assert (values < threshold).sum() == int(share * rows)


def test_the_threshold_lies_half_way_between_two_scores() -> None:
    values = np.array([1.0, 8.0, 4.0, 2.0])
    assert fit_threshold(values, in_scope_rejections=0.5) == 3.0
    assert fit_threshold(values, in_scope_rejections=0.0) == 0.999


def identity_head() -> Head:
    """A head whose logits are the embedding itself."""
    eye = np.eye(5, dtype=np.float32)
    return Head(
        weight=eye,
        bias=np.zeros(5, dtype=np.float32),
        normalized=False,
        whitening=eye,
        whitened_means=eye,
    )


def fitted(
    embeddings: np.ndarray, intents: Sequence[str | None], *scores: ScoreName
) -> Calibration:
    return fit_calibration(
        embeddings, held(intents), tuple("abcde"), head=identity_head(), settings=settings(*scores)
    )


def held(intents: Sequence[str | None], *, held_out: bool = True) -> CalibrationTexts:
    """Utterances with these intents, of validation or of the training."""
    split = Split(texts=["a text"] * len(intents), intents=list(intents))
    return CalibrationTexts(split=split, held_out=held_out, out_of_scope_training=0)


def basis_of(
    embeddings: np.ndarray, texts: CalibrationTexts, *scores: ScoreName
) -> CalibrationBasis:
    known = {"head": identity_head(), "settings": settings(*scores)}
    found = fit_calibration(embeddings, texts, tuple("abcde"), **known)
    basis = describe_basis(embeddings, texts, tuple("abcde"), **known)
    warn_of_basis(basis, found, settings(*scores))
    return basis


def settings(*scores: ScoreName) -> CalibrationSettings:
    return CalibrationSettings(
        scores=scores,
        in_scope_rejections=0.1,
        out_of_scope_utterances=50,
        default_threshold=-2.5,
        default_logit_share=0.5,
        default_temperature=0.8,
    )


def test_a_few_texts_out_of_scope_change_nothing() -> None:
    logits, truth = drawn(200, temperature=2.0)
    intents = ["abcde"[number] for number in truth]
    alone = fitted(logits, intents, "max-logit", "energy")
    strange = np.full((40, 5), 30.0, dtype=np.float32)
    mixed = fitted(np.concatenate([strange, logits]), [None] * 40 + intents, "max-logit", "energy")
    assert mixed == alone
    found = predict(logits, head=identity_head(), calibration=alone)
    assert (found.answers() == -1).mean() == 0.1


@pytest.mark.parametrize("rejected", [0, 1, 7, 199, 200])
def test_a_form_of_a_model_rejects_as_many_as_the_one_that_it_stands_for(rejected: int) -> None:
    logits, truth = drawn(200, temperature=2.0)
    intents = ["abcde"[number] for number in truth]
    found = fit_calibration(
        logits,
        held(intents),
        tuple("abcde"),
        head=identity_head(),
        settings=settings("max-logit", "energy"),
        rejected=rejected,
    )
    answers = predict(logits, head=identity_head(), calibration=found).answers()
    assert (answers == -1).sum() == rejected


def test_with_too_few_texts_the_default_threshold_stays_whatever_another_form_rejects() -> None:
    logits, truth = drawn(9, temperature=2.0)
    found = fit_calibration(
        logits,
        held(["abcde"[number] for number in truth]),
        tuple("abcde"),
        head=identity_head(),
        settings=settings("max-logit"),
        rejected=4,
    )
    assert found.threshold == -2.5


def test_the_spread_says_how_far_out_held_out_texts_lie() -> None:
    chance = np.random.default_rng(3)
    # Around their own means as wide as texts of training are, then twice as wide.
    means, noise = 100 * np.eye(5)[np.arange(500) % 5], chance.standard_normal((500, 5))
    head = msgspec.structs.replace(
        identity_head(), whitened_means=100 * np.eye(5, dtype=np.float32)
    )
    for wide in (1.0, 2.0):
        texts = (means + wide * noise).astype(np.float32)
        found = fit_calibration(
            texts,
            held(["abcde"[row % 5] for row in range(500)]),
            tuple("abcde"),
            head=head,
            settings=settings("max-logit"),
        )
        assert found.spread == pytest.approx(wide, rel=0.05)


def test_without_held_out_texts_there_is_no_spread() -> None:
    logits, truth = drawn(200, temperature=1.0)
    texts = held(["abcde"[number] for number in truth], held_out=False)
    found = fit_calibration(
        logits, texts, tuple("abcde"), head=identity_head(), settings=settings("max-logit")
    )
    assert found.spread is None


def test_every_part_of_a_fused_score_weighs_the_same() -> None:
    logits, truth = drawn(300, temperature=1.0)
    calibration = fitted(logits, ["abcde"[number] for number in truth], "max-logit", "energy")
    for part in calibration.score:
        values = score_values(part.name, logits, logits, head=identity_head())
        standardised = (values - part.mean) / part.deviation
        assert standardised.mean() == pytest.approx(0, abs=1e-6)
        assert standardised.std() == pytest.approx(1, abs=1e-6)


def test_too_few_validation_texts_get_the_default_threshold_and_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logits, truth = drawn(200, temperature=1.0)
    intents = ["abcde"[number] for number in truth]
    assert basis_of(logits, held(intents), "max-logit").threshold == "in-scope"
    assert caplog.messages == []
    # One of ten may be rejected, of nine none.
    assert fitted(logits[:10], intents[:10], "max-logit").threshold != -2.5
    assert fitted(logits[:9], intents[:9], "max-logit").threshold == -2.5
    assert basis_of(logits[:9], held(intents[:9]), "max-logit").threshold == "default"
    said, of_temperature = caplog.messages
    assert said.startswith("9 in-scope validation utterances are too few to fit an out-of-scope")
    assert said.endswith("10 would be needed); it is set to calibration.default_threshold, -2.5")
    assert of_temperature.startswith("9 in-scope validation utterances with ")
    assert "held near what models of more utterances get: 0." in of_temperature


def test_few_right_answers_leave_the_temperature_near_its_prior(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logits = np.eye(5, dtype=np.float32)[[0, 1, 2, 3, 4] * 2] * 8
    intents = list("abcde") * 2
    alone = fit_temperature(logits, np.array([0, 1, 2, 3, 4] * 2))
    assert alone < 0.3
    found = fitted(logits, intents, "max-logit").temperature
    assert found == pytest.approx(PRIOR_TEMPERATURE, abs=0.05)
    assert basis_of(logits, held(intents), "max-logit") == CalibrationBasis(
        in_scope=10,
        mistakes=0,
        threshold="in-scope",
        out_of_scope_validation=0,
        out_of_scope_training=0,
    )
    (said,) = caplog.messages
    assert said.startswith("10 in-scope validation utterances with 0 mistakes say little")


def test_many_utterances_outweigh_the_prior() -> None:
    logits, truth = drawn(6000, temperature=3.0)
    alone = fit_temperature(logits, truth)
    assert fit_temperature(logits, truth, believed=0.8, weight=10.0) == pytest.approx(
        alone, rel=0.01
    )


def test_texts_that_were_learnt_from_give_the_defaults_and_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logits, truth = drawn(200, temperature=1.0)
    texts = held(["abcde"[number] for number in truth], held_out=False)
    found = fit_calibration(
        logits, texts, tuple("abcde"), head=identity_head(), settings=settings("energy")
    )
    assert (found.temperature, found.threshold) == (0.8, 0.5)
    half = logits.max(axis=1) < logits.max(axis=1).mean() / 2
    assert 0 < half.sum() < 200
    answers = predict(logits, head=identity_head(), calibration=found).answers()
    assert np.array_equal(answers == -1, half)
    assert basis_of(logits, texts, "max-logit").in_scope == 0
    (said,) = caplog.messages
    assert said.startswith("no validation utterance has an intent: a text is out of scope when")


def dataset_of(train: list[str | None], validation: list[str | None]) -> Dataset:
    def split(name: str, intents: list[str | None]) -> Split:
        return Split(texts=[f"{name} {row}" for row in range(len(intents))], intents=intents)

    return Dataset(
        labels=("a", "b"),
        train=split("train", train),
        validation=split("validation", validation),
        test=split("test", []),
        digest="",
    )


@pytest.mark.parametrize(("of_validation", "taken"), [(26, 144), (49, 144), (50, 0), (100, 0)])
def test_training_texts_out_of_scope_count_where_validation_has_too_few(
    of_validation: int, taken: int
) -> None:
    dataset = dataset_of(["a", "b"] * 50 + [None] * 144, ["a", "b"] * 10 + [None] * of_validation)
    texts = calibration_texts(dataset, settings("max-logit"))
    assert texts.split.texts[: len(dataset.validation.texts)] == dataset.validation.texts
    assert texts.split.intents.count(None) == of_validation + taken
    assert texts.out_of_scope_training == taken
    assert (texts.held_out, texts.basis(settings("max-logit"))) == (True, "out-of-scope")


def test_no_text_out_of_scope_is_added_when_they_are_turned_off() -> None:
    off = msgspec.structs.replace(settings("max-logit"), out_of_scope_utterances=0)
    dataset = dataset_of(["a", "b", None], ["a", "b"])
    assert calibration_texts(dataset, off).split == dataset.validation


def test_training_texts_stand_in_for_a_validation_without_intents() -> None:
    dataset = dataset_of(["a", "b"] * 1500 + [None] * 60, [])
    texts = calibration_texts(dataset, settings("max-logit"))
    assert len(texts.split.in_scope().texts) == 1000
    assert texts.split.intents.count(None) == texts.out_of_scope_training == 60
    assert (texts.held_out, texts.basis(settings("max-logit"))) == (False, "default")


def test_one_validation_text_gives_a_finite_score() -> None:
    one = np.array([[3, 1, 0, 0, 0]], dtype=np.float32)
    calibration = fitted(one, ["a"], "max-logit", "energy")
    assert calibration.score[0].deviation == 1.0
    assert predict(one, head=identity_head(), calibration=calibration).answers().tolist() == [0]


@pytest.mark.parametrize(
    ("in_scope", "out_of_scope", "basis"),
    [(9, 50, "default"), (10, 49, "in-scope"), (10, 50, "out-of-scope")],
)
def test_the_threshold_is_fitted_on_what_there_is_enough_of(
    in_scope: int, out_of_scope: int, basis: str
) -> None:
    intents = ["a"] * in_scope + [None] * out_of_scope
    assert held(intents).basis(settings("max-logit")) == basis


def test_no_number_of_texts_out_of_scope_is_enough_when_they_are_turned_off() -> None:
    off = msgspec.structs.replace(settings("max-logit"), out_of_scope_utterances=0)
    assert held(["a"] * 10 + [None] * 1000).basis(off) == "in-scope"


def test_texts_out_of_scope_that_lie_far_away_cost_no_right_answer() -> None:
    logits, truth = drawn(200, temperature=0.2)
    intents = ["abcde"[number] for number in truth]
    strange = np.full((60, 5), -30.0, dtype=np.float32)
    calibration = fitted(
        np.concatenate([strange, logits]), [None] * 60 + intents, "max-logit", "energy"
    )
    alone = fitted(logits, intents, "max-logit", "energy")
    assert calibration.threshold < alone.threshold
    assert (calibration.temperature, calibration.score) == (alone.temperature, alone.score)
    assert set(predict(strange, head=identity_head(), calibration=calibration).answers()) == {-1}
    answers = predict(logits, head=identity_head(), calibration=calibration).answers()
    assert not ((answers == -1) & (logits.argmax(axis=1) == truth)).any()


@hypothesis_settings(deadline=None)
@given(SCORES, SCORES, st.floats(0, 0.5))
def test_texts_out_of_scope_never_let_more_in_scope_texts_be_rejected(
    scores: list[float], out_of_scope: list[float], share: float
) -> None:
    values, outside = np.array(scores), np.array(out_of_scope)
    right = np.arange(len(scores)) % 3 > 0
    threshold = fit_balanced_threshold(values, right, outside, in_scope_rejections=share)
    plain = fit_threshold(values, in_scope_rejections=share)
    assert threshold <= plain

    def balance(bound: float) -> float:
        answered = (right & (values >= bound)).mean()
        return float(answered + (outside < bound).mean())

    assert balance(threshold) >= balance(plain) - 1e-12


def test_rejecting_a_wrong_answer_costs_nothing() -> None:
    scores, outside = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.5, 1.6])
    kept = np.array([True, True, True, True])
    lowest_is_wrong = np.array([False, True, True, True])

    def threshold(right: np.ndarray) -> float:
        return fit_balanced_threshold(scores, right, outside, in_scope_rejections=0.5)

    assert threshold(lowest_is_wrong) == threshold(kept) == 1.8
    few = np.array([1.5, *[9.0] * 9])
    assert fit_balanced_threshold(scores, lowest_is_wrong, few, in_scope_rejections=0.5) == 1.75
    assert fit_balanced_threshold(scores, kept, few, in_scope_rejections=0.5) == 0.999
