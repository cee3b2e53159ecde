from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greengrass_components.versions import parse_version, satisfies

versions = st.tuples(*[st.integers(0, 20)] * 3).map(lambda parts: ".".join(map(str, parts)))


def test_versions_are_ordered_as_semver_org_orders_them() -> None:
    written = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"]
    written += ["1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0"]

    assert sorted(set(written), key=parse_version) == written


@pytest.mark.parametrize("text", ["", "1", "1.0", "01.0.0", "1.0.0.0", "v1.0.0", "1.0.0-", "1.a.0"])
def test_what_is_no_semantic_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a semantic version"):
        parse_version(text)


@pytest.mark.parametrize(
    ("version", "requirement", "expected"),
    [
        ("1.4.0", "^1.2.0", True),
        ("2.0.0", "^1.2.0", False),
        ("0.1.9", "^0.1.2", True),
        ("0.2.0", "^0.1.2", False),
        ("0.0.4", "^0.0.3", False),
        ("1.2.9", "~1.2.3", True),
        ("1.3.0", "~1.2.3", False),
        ("1.9.0", "~1", True),
        ("1.2.3", "1.2.3", True),
        ("1.2.4", "=1.2.3", False),
        ("1.5.0", ">=1.0.0 <2.0.0", True),
        ("2.0.0", ">= 1.0.0 < 2.0.0", False),
        ("3.1.0", "^1.0.0 || 3.x", True),
        ("2.1.0", "^1.0.0 || 3.x", False),
        ("7.7.7", "*", True),
        ("1.3.0", ">1.2", True),
        ("1.2.9", ">1.2", False),
        ("1.2.9", "<=1.2", True),
        ("1.2.0-rc.1", "^1.0.0", False),
        ("1.2.0-rc.2", ">=1.2.0-rc.1", True),
    ],
)
def test_a_range_takes_what_npm_says(version: str, requirement: str, expected: bool) -> None:
    assert satisfies(version, requirement) is expected


@pytest.mark.parametrize("requirement", ["", "latest", "^", "1.x.3", ">=1 ||", "1.0.0 - 2.0.0"])
def test_a_range_that_cannot_be_read_is_refused(requirement: str) -> None:
    with pytest.raises(ValueError, match="range"):
        satisfies("1.0.0", requirement)


@given(versions)
def test_every_version_lies_in_its_own_caret_range(version: str) -> None:
    assert satisfies(version, f"^{version}")


@given(versions, versions)
def test_at_least_and_below_share_the_line_between_them(version: str, border: str) -> None:
    assert satisfies(version, f">={border}") is not satisfies(version, f"<{border}")
