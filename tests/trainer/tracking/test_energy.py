"""What a training costs: CodeCarbon really runs."""

from __future__ import annotations

import math
import threading
from pathlib import Path

import pytest

from edge_runtime.errors import SettingsError
from trainer.tracking.energy import Cost, CostMeter, check_country


def work() -> float:
    return sum(math.sqrt(number) for number in range(300_000))


def work_until_it_costs_more(meter: CostMeter, than: float = 0.0) -> Cost:
    """Work on: an estimate looks at the load so seldom that a moment's work may cost nothing."""
    for _ in range(1000):
        work()
        cost = meter.read()
        if cost.energy_wh is not None and cost.energy_wh > than:
            return cost
    pytest.fail(f"no work costs more than {than} Wh")


def test_energy_and_carbon_grow_with_work() -> None:
    meter = CostMeter(country="DEU")
    before = work_until_it_costs_more(meter)
    assert before.energy_wh is not None
    assert before.co2eq_g is not None
    work_until_it_costs_more(meter, than=before.energy_wh)
    after = meter.stop()
    assert after.energy_wh is not None
    assert after.co2eq_g is not None
    assert 0 < before.energy_wh < after.energy_wh
    assert 0 < before.co2eq_g < after.co2eq_g
    assert 0 < before.seconds < after.seconds
    assert (after.country, after.method in {"measured", "estimated"}) == ("DEU", True)


def test_the_carbon_is_that_of_the_country() -> None:
    intensity = {}
    for country in ("FRA", "POL"):
        meter = CostMeter(country=country)
        work()
        cost = meter.stop()
        assert cost.co2eq_g is not None
        assert cost.energy_wh is not None
        intensity[country] = cost.co2eq_g / cost.energy_wh
    assert intensity["FRA"] < intensity["POL"] / 3


def test_it_says_nothing_writes_nothing_and_leaves_no_thread(
    empty_current_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    # What a user has set for other programs sends nothing of ours anywhere.
    monkeypatch.setenv("CODECARBON_OUTPUT_METHODS", "csv,api")
    monkeypatch.setenv("CODECARBON_EMISSIONS_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("CODECARBON_ALLOW_MULTIPLE_RUNS", "false")
    before = set(threading.enumerate())
    first, second = CostMeter(country="DEU"), CostMeter(country="DEU")
    assert all(one.daemon for one in set(threading.enumerate()) - before)
    assert second.stop().energy_wh is not None
    assert first.stop().energy_wh is not None
    for one in set(threading.enumerate()) - before:
        one.join(timeout=30)
    assert set(threading.enumerate()) <= before
    assert capfd.readouterr() == ("", "")
    assert list(empty_current_directory.iterdir()) == []


def test_a_country_without_known_electricity_is_a_wrong_setting() -> None:
    check_country("DEU")
    with pytest.raises(SettingsError, match="track.country is 'XXX'"):
        check_country("XXX")


def test_the_cost_is_one_line() -> None:
    cost = Cost(seconds=60, energy_wh=3.14, co2eq_g=1.2, method="estimated", country="DEU")
    assert cost.in_words() == "3.1 Wh, 1.2 g CO2eq (estimated)"
    assert Cost(seconds=60).in_words() == ""


def test_earlier_starts_are_added() -> None:
    now = Cost(seconds=60, energy_wh=3.0, co2eq_g=1.5, method="measured", country="DEU")
    before = Cost(seconds=30, energy_wh=1.0, co2eq_g=0.5, method="measured", country="DEU")
    assert now.plus(before) == Cost(90, 4.0, 2.0, "measured", "DEU")
    assert now.plus(Cost(seconds=0)) == now
    assert Cost(seconds=1).plus(Cost(seconds=2)) == Cost(seconds=3)
