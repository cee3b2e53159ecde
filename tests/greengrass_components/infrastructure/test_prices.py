"""The table of prices."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_runtime.errors import SettingsError
from greengrass_components.infrastructure.prices import Rate, Step, load_prices


def test_a_small_quantity_has_the_first_price() -> None:
    assert Rate(usd=2.0, checked=True, steps=(Step(10, 1.0),)).amount(10) == 20


def test_what_goes_beyond_a_step_has_the_lower_price() -> None:
    rate = Rate(usd=2.0, checked=True, steps=(Step(10, 1.0), Step(20, 0.5)))

    assert rate.amount(15) == 20 + 5
    assert rate.amount(30) == 20 + 10 + 5


def test_every_region_has_every_price() -> None:
    regions = [set(price.region) for price in load_prices().price.values()]

    assert all(one == {"eu-central-1", "us-east-1"} for one in regions)


def test_every_price_names_its_page_at_aws() -> None:
    assert [
        name
        for name, price in load_prices().price.items()
        if not re.fullmatch(r"aws\.amazon\.com/[a-z0-9-]+/pricing", price.source)
    ] == []


def test_the_steps_of_a_price_rise_in_quantity_and_fall_in_price() -> None:
    for price in load_prices().price.values():
        for rate in price.region.values():
            above = [0.0, *(step.above for step in rate.steps)]
            usd = [rate.usd, *(step.usd for step in rate.steps)]
            assert above == sorted(set(above))
            assert usd == sorted(set(usd), reverse=True)


def test_the_table_has_a_day() -> None:
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", load_prices().date)


def test_an_unreadable_table_is_an_error_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('date = "2026-01-01"\n', encoding="utf-8")

    with pytest.raises(SettingsError, match=r"prices\.toml"):
        load_prices(path)
