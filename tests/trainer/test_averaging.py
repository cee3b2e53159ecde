"""The running mean of weights."""

from __future__ import annotations

import pytest
import torch

from trainer.averaging import AveragedWeights


def moved(decay: float, *values: float) -> tuple[AveragedWeights, torch.Tensor]:
    """A weight that begins at 0 and takes values, one a step."""
    weight = torch.zeros(1, requires_grad=True)
    average = AveragedWeights({"weight": weight}, decay=decay)
    for step, value in enumerate(values, start=1):
        with torch.no_grad():
            weight.fill_(value)
        average.update(step)
    return average, weight


def test_no_decay_is_the_last_step() -> None:
    average, _ = moved(0.0, 3.0, 5.0)
    assert average.values["weight"].item() == 5.0


def test_early_steps_forget_the_start_faster_than_the_decay_says() -> None:
    average, _ = moved(0.999, 1.0)
    # (1 + 1) / (10 + 1) of the start, which is 0.
    assert average.values["weight"].item() == pytest.approx(1 - 2 / 11)


def test_a_small_decay_rules_from_the_start() -> None:
    average, _ = moved(0.1, 1.0, 2.0)
    assert average.values["weight"].item() == pytest.approx(0.1 * 0.9 + 0.9 * 2)


def test_the_mean_is_applied_for_a_while_and_taken_back() -> None:
    average, weight = moved(0.5, 4.0)
    with average.applied():
        assert weight.item() == average.values["weight"].item() != 4.0
    assert weight.item() == 4.0


def test_the_first_weights_have_their_share_in_what_is_applied() -> None:
    weight = torch.full((1,), 8.0, requires_grad=True)
    average = AveragedWeights({"weight": weight}, decay=0.0, initial_share=0.25)
    with torch.no_grad():
        weight.fill_(16.0)
    average.update(1)

    with average.applied():
        assert weight.item() == 14.0
    assert weight.item() == 16.0
    assert average.values["weight"].item() == 16.0


def test_what_has_no_share_of_the_first_weights_is_the_mean_alone() -> None:
    one, other = (torch.full((1,), 8.0, requires_grad=True) for _ in range(2))
    average = AveragedWeights(
        {"one": one, "other": other},
        decay=0.0,
        initial_share=0.25,
        has_share=lambda name: name == "one",
    )
    with torch.no_grad():
        one.fill_(16.0)
        other.fill_(16.0)
    average.update(1)

    assert {name: value.item() for name, value in average.result().items()} == {
        "one": 14.0,
        "other": 16.0,
    }


def test_a_result_stays_when_the_mean_goes_on() -> None:
    average, weight = moved(0.0, 3.0)
    result = average.result()
    with torch.no_grad():
        weight.fill_(7.0)
    average.update(2)

    assert (result["weight"].item(), average.values["weight"].item()) == (3.0, 7.0)


def test_it_is_taken_back_after_an_error() -> None:
    average, weight = moved(0.5, 4.0)
    with pytest.raises(RuntimeError), average.applied():
        raise RuntimeError
    assert weight.item() == 4.0
