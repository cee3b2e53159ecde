"""What a training costs: seconds, electricity and carbon, by CodeCarbon and without a network.

Where the processor counts its own energy (RAPL on Linux) that is read; elsewhere it is estimated
from its load and its model's nominal power. Memory is always estimated from its size, NVIDIA GPUs
are always measured. All of it is of the whole machine. Method: https://docs.codecarbon.io.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from edge_runtime.errors import SettingsError

if TYPE_CHECKING:
    from codecarbon.output_methods.emissions_data import EmissionsData

__all__ = ["Cost", "CostMeter", "check_country"]

_MEASURE_EVERY_S = 15.0

_log = logging.getLogger(__name__)


class Cost(msgspec.Struct, frozen=True):
    """What a training took, with all of its starts."""

    seconds: float
    """Wall time."""
    energy_wh: float | None = None
    """Electricity of the whole machine, in watt-hours; ``None`` when it is not known."""
    co2eq_g: float | None = None
    """Carbon of that electricity, in grams of CO2 equivalents."""
    method: Literal["measured", "estimated"] | None = None
    """Whether the processor's energy was counted by the processor or estimated."""
    country: str | None = None
    """Whose electricity it was, ISO 3166-1 alpha-3."""

    def plus(self, before: Cost) -> Cost:
        """Add what earlier starts of the same training took."""
        return msgspec.structs.replace(
            self,
            seconds=self.seconds + before.seconds,
            energy_wh=_sum(self.energy_wh, before.energy_wh),
            co2eq_g=_sum(self.co2eq_g, before.co2eq_g),
        )

    def in_words(self) -> str:
        """One line, such as ``3.1 Wh, 1.2 g CO2eq (estimated)``; empty when it is not known."""
        if self.energy_wh is None or self.co2eq_g is None:
            return ""
        return f"{self.energy_wh:.2g} Wh, {self.co2eq_g:.2g} g CO2eq ({self.method})"


class CostMeter:
    """Measures from when it is made until ``stop``.

    Its threads end with the process, and it writes no file.

    Args:
        country: ISO 3166-1 alpha-3.
    """

    def __init__(self, *, country: str) -> None:
        self._begun = time.monotonic()
        self._country = country
        self._last: EmissionsData | None = None
        self._method: Literal["measured", "estimated"] = "estimated"
        self._tracker = self._start()

    def read(self) -> Cost:
        """What it cost until now."""
        if self._tracker is not None:
            self._tracker.flush()
        return self._cost()

    def stop(self) -> Cost:
        """What it cost in all; measures no more."""
        if self._tracker is not None:
            self._tracker.stop()
            self._tracker = None
        return self._cost()

    def _start(self) -> Any:
        from codecarbon import OfflineEmissionsTracker
        from codecarbon.core.cpu import is_rapl_available
        from codecarbon.output_methods.base_output import BaseOutput

        meter = self

        class Reader(BaseOutput):
            """Takes what ``flush`` and ``stop`` give to outputs."""

            def out(self, total: EmissionsData, _delta: EmissionsData) -> None:
                meter._last = total

        # It tells of estimates and of other instances; the result tells the first, and the
        # second is nothing wrong.
        logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
        # Everything that could reach a network or a file is given, so that neither
        # CODECARBON_... variables nor a .codecarbon.config turn it on.
        tracker = OfflineEmissionsTracker(
            country_iso_code=self._country,
            output_methods=[],
            output_handlers=[Reader()],
            emissions_endpoint=None,
            electricitymaps_api_token="",
            api_call_interval=-1,
            measure_power_secs=_MEASURE_EVERY_S,
            tracking_mode="machine",
            allow_multiple_runs=True,
            log_level="critical",
        )
        tracker.start()
        self._method = "measured" if is_rapl_available() else "estimated"
        return tracker

    def _cost(self) -> Cost:
        seconds = time.monotonic() - self._begun
        if self._last is None:
            # CodeCarbon never raises: that there is no reading is how it says that it failed.
            _log.info("the energy of this training is not known")
            return Cost(seconds=seconds)
        return Cost(
            seconds=seconds,
            energy_wh=self._last.energy_consumed * 1000,
            co2eq_g=self._last.emissions * 1000,
            method=self._method,
            country=self._country,
        )


def check_country(code: str) -> None:
    """Check that the carbon of a country's electricity is known.

    Raises:
        SettingsError: it is not.
    """
    from codecarbon.input import DataSource

    source: Any = DataSource
    known = source().get_global_energy_mix_data()
    if code not in known:
        raise SettingsError(
            f"track.country is {code!r}, and the carbon of its electricity is not known; give a "
            "code of ISO 3166-1 alpha-3, such as DEU, FRA or USA",
            section="track",
            name="country",
        )


def _sum(one: float | None, other: float | None) -> float | None:
    return one if other is None else other if one is None else one + other
