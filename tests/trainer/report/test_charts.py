"""The charts as SVG; how they look is a matter of the page in the browser."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.report.charts import Line, Mark, Row, interval_chart, line_chart, reliability_chart

SHARE = st.floats(0, 1)


def drawn(svg: str, kind: str) -> list[ET.Element]:
    return [one for one in ET.fromstring(svg).iter() if one.get("class") == kind]


@settings(deadline=None)
@given(st.lists(st.tuples(SHARE, SHARE), min_size=2, max_size=9), st.sampled_from([0.025, 0.1, 1]))
def test_a_curve_stays_inside_of_its_axes(points: list[tuple[float, float]], top: float) -> None:
    svg = line_chart(
        [Line("curve", points)], name="n", title="t", x_label="x", y_label="y", top=top
    )
    (curve,) = drawn(svg, "curve curve-0")
    for place in (curve.get("points") or "").split():
        x, y = (float(part) for part in place.split(","))
        assert 70 <= x <= 454
        assert 14 <= y <= 308


@settings(deadline=None)
@given(st.lists(st.tuples(SHARE, SHARE, SHARE).map(sorted), min_size=1, max_size=6))
def test_a_dot_lies_on_its_interval_and_inside_of_the_picture(rows: list[list[float]]) -> None:
    svg = interval_chart(
        [Row("row", value, low, high) for low, value, high in rows],
        name="n",
        title="t",
        x_label="share",
    )
    for dot, whisker in zip(drawn(svg, "dot"), drawn(svg, "whisker"), strict=True):
        start, at, end = (
            float(value or "nan") for value in (whisker.get("x1"), dot.get("cx"), whisker.get("x2"))
        )
        assert 26 <= start <= at <= end <= 454


def test_an_empty_bin_has_no_bar_and_a_full_one_is_darker() -> None:
    bins = [(0.0, 0.5, None, 0), (0.5, 0.9, 0.7, 10), (0.9, 1.0, 1.0, 90)]
    bars = drawn(reliability_chart(bins, name="n", title="t"), "bar")
    assert len(bars) == 2
    strengths = [float(bar.get("fill-opacity") or 0) for bar in bars]
    assert strengths[0] < strengths[1] <= 1
    assert [bar.findtext("title") for bar in bars] == [
        "confidence 0.50 to 0.90: 10 utterances, 70.0% right",
        "confidence 0.90 to 1.00: 90 utterances, 100.0% right",
    ]


def test_a_label_cannot_become_markup() -> None:
    attack = "</title><script>alert(1)</script>"
    svg = line_chart(
        [Line("curve", [(0, 0), (1, 1)])],
        name="n",
        title=attack,
        x_label=attack,
        y_label=attack,
        marks=[Mark(attack, (0.5, 0.5))],
    )
    assert "<script" not in svg
    assert ET.fromstring(svg).findtext("title") == attack


def test_equal_numbers_are_equal_bytes() -> None:
    rows = [Row("row", 0.5, 0.4, 0.6)]
    once, again = (interval_chart(rows, name="n", title="t", x_label="x") for _ in range(2))
    assert once == again
