"""The report's charts, as SVG that takes its colours from the page.

Drawn here and not by a plotting library: the page's style gives light, dark and print to one
picture, a chart is a few kilobytes, and equal numbers are equal bytes. Text goes through an XML
writer, so nothing in it can become markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

import msgspec

__all__ = ["Line", "Mark", "Row", "interval_chart", "line_chart", "reliability_chart"]

_WIDTH, _HEIGHT = 480, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 26, 14, 52
_ROW_HEIGHT, _ROW_LABEL = 44, 24
_TICKS = 5

Point = tuple[float, float]


class Line(msgspec.Struct, frozen=True):
    """A curve."""

    label: str
    points: Sequence[Point]
    """In the units of the axes."""


class Mark(msgspec.Struct, frozen=True):
    """A point that is pointed out."""

    label: str
    point: Point


class Row(msgspec.Struct, frozen=True):
    """A share with its interval."""

    label: str
    value: float
    low: float
    high: float


def line_chart(
    lines: Sequence[Line],
    *,
    name: str,
    title: str,
    x_label: str,
    y_label: str,
    top: float = 1.0,
    marks: Sequence[Mark] = (),
    diagonal: bool = False,
) -> str:
    """Curves over shares.

    Args:
        lines: at most two, drawn in different strokes.
        name: unique on the page, for the picture's title.
        title: what a screen reader says.
        x_label: of the horizontal axis, a share of 0 to 1.
        y_label: of the vertical axis.
        top: end of the vertical axis.
        marks: points to point out.
        diagonal: draw the line of chance.

    Returns:
        An ``<svg>`` element.
    """
    svg = _picture(name, title, _HEIGHT)
    _axes(svg, x_label, y_label, top)
    if diagonal:
        _draw_line(svg, [(0, 0), (1, top)], top, "chance")
    for number, line in enumerate(lines):
        _draw_line(svg, line.points, top, f"curve curve-{number}")
    for mark in marks:
        x, y = _place(mark.point, top)
        dot = ET.SubElement(svg, "circle", {"class": "mark", "cx": x, "cy": y, "r": "6"})
        ET.SubElement(dot, "title").text = mark.label
    return ET.tostring(svg, encoding="unicode")


def reliability_chart(
    bins: Sequence[tuple[float, float, float | None, int]], *, name: str, title: str
) -> str:
    """Accuracy by confidence, a bar a bin; its colour is the fuller the more utterances it has.

    Args:
        bins: lower and upper confidence, accuracy (``None`` when empty), utterances.
        name: unique on the page.
        title: what a screen reader says.

    Returns:
        An ``<svg>`` element.
    """
    svg = _picture(name, title, _HEIGHT)
    _axes(svg, "confidence", "accuracy", 1.0)
    total = max(1, sum(utterances for *_, utterances in bins))
    for low, high, accuracy, utterances in bins:
        if accuracy is None:
            continue
        x, y = _place((low, accuracy), 1.0)
        right, bottom = _place((high, 0), 1.0)
        # The square root: the last bin often holds nine of ten, and the others still show.
        strength = 0.25 + 0.75 * (utterances / total) ** 0.5
        bar = ET.SubElement(
            svg,
            "rect",
            {
                "class": "bar",
                "x": _number(float(x) + 1),
                "y": y,
                "width": _number(float(right) - float(x) - 2),
                "height": _number(float(bottom) - float(y)),
                "fill-opacity": _number(strength),
            },
        )
        ET.SubElement(
            bar, "title"
        ).text = (
            f"confidence {low:.2f} to {high:.2f}: {utterances} utterances, {accuracy:.1%} right"
        )
    _draw_line(svg, [(0, 0), (1, 1)], 1.0, "chance")
    return ET.tostring(svg, encoding="unicode")


def interval_chart(rows: Sequence[Row], *, name: str, title: str, x_label: str) -> str:
    """Shares below each other, each a dot on its interval.

    Args:
        rows: at least one.
        name: unique on the page.
        title: what a screen reader says.
        x_label: of the axis.

    Returns:
        An ``<svg>`` element.
    """
    height = _TOP + _ROW_HEIGHT * len(rows) + _BOTTOM
    svg = _picture(name, title, height)
    left = _RIGHT
    start, ticks = _zoomed(min(row.low for row in rows))
    bottom = height - _BOTTOM

    def across(value: float) -> str:
        width = _WIDTH - left - _RIGHT
        return _number(left + (value - start) / (1 - start) * width)

    for tick in ticks:
        x = across(tick)
        _straight(svg, (x, str(_TOP)), (x, str(bottom)), "grid")
        _text(svg, f"{tick:.0%}", x, _number(bottom + 19), "tick", "middle")
    _text(svg, x_label, _number(_WIDTH / 2), _number(height - 8), "axis", "middle")
    for number, row in enumerate(rows):
        y = _TOP + _ROW_HEIGHT * number + _ROW_LABEL + 8
        _text(svg, row.label, _number(left), _number(y - 11), "row", "start")
        _text(svg, f"{row.value:.1%}", _number(_WIDTH - _RIGHT), _number(y - 11), "row", "end")
        _straight(svg, (across(row.low), _number(y)), (across(row.high), _number(y)), "whisker")
        dot = ET.SubElement(
            svg,
            "circle",
            {"class": "dot", "cx": across(row.value), "cy": _number(y), "r": "5.5"},
        )
        ET.SubElement(
            dot, "title"
        ).text = f"{row.label}: {row.value:.1%} ({row.low:.1%} to {row.high:.1%})"
    return ET.tostring(svg, encoding="unicode")


def _picture(name: str, title: str, height: int) -> ET.Element:
    svg = ET.Element(
        "svg",
        {
            "class": "chart",
            "viewBox": f"0 0 {_WIDTH} {height}",
            "role": "img",
            "aria-labelledby": f"{name}-title",
        },
    )
    ET.SubElement(svg, "title", {"id": f"{name}-title"}).text = title
    return svg


def _axes(svg: ET.Element, x_label: str, y_label: str, top: float) -> None:
    for step in range(_TICKS + 1):
        share = step / _TICKS
        x, _ = _place((share, 0), top)
        _, y = _place((0, share * top), top)
        _straight(svg, (x, str(_TOP)), (x, str(_HEIGHT - _BOTTOM)), "grid")
        _straight(svg, (str(_LEFT), y), (str(_WIDTH - _RIGHT), y), "grid")
        _text(svg, f"{share:.0%}", x, str(_HEIGHT - _BOTTOM + 19), "tick", "middle")
        digits = 0 if top >= 0.1 else 1
        _text(
            svg, f"{share * top:.{digits}%}", str(_LEFT - 8), _number(float(y) + 5), "tick", "end"
        )
    middle = _number((_LEFT + _WIDTH - _RIGHT) / 2)
    _text(svg, x_label, middle, str(_HEIGHT - 8), "axis", "middle")
    upright = _number((_TOP + _HEIGHT - _BOTTOM) / 2)
    label = _text(svg, y_label, "15", upright, "axis", "middle")
    label.set("transform", f"rotate(-90 15 {upright})")


def _draw_line(svg: ET.Element, points: Sequence[Point], top: float, kind: str) -> None:
    places = (_place(point, top) for point in points)
    ET.SubElement(
        svg, "polyline", {"class": kind, "points": " ".join(f"{x},{y}" for x, y in places)}
    )


def _straight(svg: ET.Element, start: tuple[str, str], end: tuple[str, str], kind: str) -> None:
    (x1, y1), (x2, y2) = start, end
    ET.SubElement(svg, "line", {"class": kind, "x1": x1, "y1": y1, "x2": x2, "y2": y2})


def _text(svg: ET.Element, text: str, x: str, y: str, kind: str, anchor: str) -> ET.Element:
    attributes = {"class": kind, "x": x, "y": y, "text-anchor": anchor}
    element = ET.SubElement(svg, "text", attributes)
    element.text = text
    return element


def _place(point: Point, top: float) -> tuple[str, str]:
    x = _LEFT + point[0] * (_WIDTH - _LEFT - _RIGHT)
    y = _HEIGHT - _BOTTOM - min(point[1] / top, 1.0) * (_HEIGHT - _TOP - _BOTTOM)
    return _number(x), _number(y)


def _zoomed(lowest: float) -> tuple[float, list[float]]:
    """Where an axis of shares that ends at 1 starts, and its ticks."""
    for step in (0.01, 0.02, 0.05, 0.1, 0.2):
        start = 1 - step * _TICKS
        if lowest >= start:
            return start, [start + step * number for number in range(_TICKS + 1)]
    return 0.0, [0.2 * number for number in range(_TICKS + 1)]


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
