"""Reads what AWS asks for what the stack uses: the table ``prices.toml``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edge_runtime.errors import SettingsError

__all__ = ["PRICES", "Price", "PriceTable", "Rate", "Step", "load_prices"]

PRICES = Path(__file__).with_name("prices.toml")
"""The price table of the package."""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A lower price for what goes beyond a quantity."""

    above: float
    """Quantity, in units of the price."""
    usd: float
    """US dollars for one unit."""


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A price in one region."""

    usd: float
    """US dollars for one unit."""
    checked: bool
    """Whether it was found in a copy of AWS's page or price list."""
    steps: tuple[Step, ...] = ()
    """Lower prices for larger quantities, rising."""

    def amount(self, quantity: float) -> float:
        """Return the US dollars for a quantity, step by step."""
        total, start, usd = 0.0, 0.0, self.usd
        for step in self.steps:
            if quantity <= step.above:
                break
            total += (step.above - start) * usd
            start, usd = step.above, step.usd
        return total + (quantity - start) * usd


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What AWS asks for one thing."""

    service: str
    """The service on the bill."""
    what: str
    """What is counted."""
    unit: str
    """What one unit is."""
    source: str
    """AWS's page with the price."""
    region: dict[str, Rate]
    """Price by region."""
    free: float = 0.0
    """Units that every account gets free each month, for ever."""


class PriceTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of ``prices.toml``."""

    date: str
    """Day that it was put together."""
    currency: str
    """Currency of all prices."""
    price: dict[str, Price]
    """Prices by name."""


def load_prices(path: Path = PRICES) -> PriceTable:
    """Read a price table.

    Raises:
        SettingsError: it cannot be read, or is no price table.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=PriceTable)
    except (OSError, msgspec.DecodeError) as error:
        raise SettingsError(f"cannot read prices from {path}: {error}", path=path) from error
