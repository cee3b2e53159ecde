from __future__ import annotations

import pytest

from edge_runtime.errors import SettingsError
from greengrass_components.commands.numbers import whole_number


@pytest.mark.parametrize(("given", "number"), [(None, 20), ("3", 3), ("1", 1)])
def test_a_whole_number_is_read(given: str | None, number: int) -> None:
    assert whole_number("repeats", given, default=20) == number


@pytest.mark.parametrize("given", ["x", "", "1.5", "0", "-3"])
def test_anything_else_names_the_flag(given: str) -> None:
    with pytest.raises(SettingsError, match="--repeats"):
        whole_number("repeats", given, default=20)
