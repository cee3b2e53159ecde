"""Draws the boxes and arrows of a stack as SVG.

Areas stand in columns, from who comes in to who watches. Same stack, same bytes: nothing is shown
that AWS makes up.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape
from itertools import chain, combinations, pairwise
from typing import Any

import msgspec

from greengrass_components.infrastructure.architecture import (
    OUTSIDE,
    Architecture,
    Arrow,
    Box,
    read_architecture,
)

__all__ = ["draw_architecture"]

# Areas from left to right: who comes, by which right, over what, to which data, watched by whom.
# An area that is not named here comes last.
_COLUMNS = ((OUTSIDE,), ("identity",), ("fleet", "keys"), ("storage",), ("audit", "watch"))
_MARGIN, _COLUMN_GAP, _AREA_GAP = 24, 92, 24
_AREA_TOP, _AREA_PAD = 32, 14
_BOX_WIDTH, _BOX_GAP, _LINE = 180, 18, 15
_LINE_LETTERS = 27
_LANE = 5
# What is used by so many, and by most of an area, is told in their boxes: as arrows it would
# hide all else. So is an area of which a box uses so many.
_HUB, _WHOLE_AREA = 6, 5
_COLOURS = {
    # area: (line in light mode, line in dark mode)
    OUTSIDE: ("#57606a", "#9ea7b3"),
    "identity": ("#8250df", "#b58bff"),
    "fleet": ("#1a7f64", "#4fd1a8"),
    "keys": ("#9a6700", "#e3b341"),
    "storage": ("#0969da", "#6cb6ff"),
    "audit": ("#a0522d", "#e0a57a"),
    "watch": ("#cf222e", "#ff8f8f"),
}
_OTHER_COLOUR = _COLOURS[OUTSIDE]


class _Place(msgspec.Struct):
    box: Box
    column: int
    lines: list[str]
    tags: list[list[tuple[str, str]]]
    x: float = 0.0
    y: float = 0.0

    @property
    def height(self) -> float:
        return _LINE * (len(self.lines) + bool(self.box.kind) + len(self.tags)) + 12

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def draw_architecture(shown: Mapping[str, Any]) -> str:
    """Draw a stack as SVG, in colours for light and for dark.

    Args:
        shown: a plan or a state, as ``terraform show -json`` prints it.

    Returns:
        The document; the same for the same stack.

    Raises:
        TerraformError: it is neither, or there is nothing in it.
    """
    found = read_architecture(shown)
    hubs = _hubs(found)
    drawn, tags = _told_apart(found, hubs)
    columns = _columns(found)
    places = {
        box.key: _Place(box, column, _wrapped(box.names), _tag_lines(sorted(tags[box.key])))
        for column, areas in enumerate(columns)
        for _, boxes in areas
        for box in boxes
    }
    height = _arrange(columns, places, drawn)
    width = max(place.x for place in places.values()) + _BOX_WIDTH + _AREA_PAD + _MARGIN
    parts = [_style(area for areas in columns for area, _ in areas)]
    parts.append(f'<rect class="paper" width="{width:g}" height="{height:g}" rx="8"/>')
    for areas in columns:
        for area, boxes in areas:
            parts.append(_draw_area(area, [places[box.key] for box in boxes]))
    parts += _draw_arrows(drawn, places)
    parts += [_draw_box(place, hubs) for _, place in sorted(places.items())]
    parts.append(f'<text class="kind" x="{_MARGIN}" y="{height - 10:g}">{escape(_LEGEND)}</text>')
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img" aria-label="The cloud side">'
    )
    return "\n".join((opening, *parts, "</svg>\n"))


_LEGEND = (
    "a \u2192 b: a uses b, or comes in by it.  \u25cf is used by so many that it is told in "
    "their boxes instead."
)


def _hubs(found: Architecture) -> set[str]:
    area = {box.key: box.area for box in found.boxes}
    sizes = Counter(area.values())
    users: dict[str, Counter[str]] = {}
    for arrow in found.arrows:
        users.setdefault(arrow.target, Counter())[area[arrow.source]] += 1
    return {
        key
        for key, by_area in users.items()
        if by_area.total() >= _HUB and any(n > sizes[one] / 2 for one, n in by_area.items())
    }


def _told_apart(
    found: Architecture, hubs: set[str]
) -> tuple[list[Arrow], dict[str, list[tuple[str, str]]]]:
    """Return the arrows to draw, and what is told in each box instead: (area, text)."""
    boxes = {box.key: box for box in found.boxes}
    tags: dict[str, list[tuple[str, str]]] = {key: [] for key in boxes}
    arrows = [arrow for arrow in found.arrows if arrow.target not in hubs]
    for arrow in found.arrows:
        if arrow.target in hubs:
            hub = boxes[arrow.target]
            # "data" says too little, "data key" is as short.
            text = f"{hub.names[0]} {hub.kind}" if len(hub.kind) <= 3 else hub.names[0]
            tags[arrow.source].append((hub.area, text))
    into = Counter((arrow.source, boxes[arrow.target].area) for arrow in arrows)
    for (source, area), number in into.items():
        if number >= _WHOLE_AREA:
            tags[source] = [tag for tag in tags[source] if tag[0] != area] + [(area, area)]
            arrows = [
                arrow
                for arrow in arrows
                if (arrow.source, boxes[arrow.target].area) != (source, area)
            ]
    return arrows, tags


def _columns(found: Architecture) -> list[list[tuple[str, list[Box]]]]:
    """Sort the boxes into areas, and the areas into columns."""
    areas: dict[str, list[Box]] = {}
    for box in found.boxes:
        areas.setdefault(box.area, []).append(box)
    named = {area for column in _COLUMNS for area in column}
    others = tuple(sorted(area for area in areas if area not in named))
    columns = (*_COLUMNS[:-1], _COLUMNS[-1] + others)
    filled = [[(area, areas[area]) for area in column if area in areas] for column in columns]
    return [column for column in filled if column]


def _wrapped(names: tuple[str, ...]) -> list[str]:
    lines = [""]
    for place, name in enumerate(names):
        word = name if place == len(names) - 1 else f"{name},"
        if lines[-1] and len(lines[-1]) + len(word) >= _LINE_LETTERS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".lstrip()
    return lines


def _tag_lines(tags: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    lines: list[list[tuple[str, str]]] = []
    for tag in tags:
        # A dot and its spaces are as wide as three letters.
        if lines and sum(len(text) + 3 for _, text in [*lines[-1], tag]) <= _LINE_LETTERS:
            lines[-1].append(tag)
        else:
            lines.append([tag])
    return lines


def _arrange(
    columns: list[list[tuple[str, list[Box]]]], places: dict[str, _Place], arrows: list[Arrow]
) -> float:
    """Give each box its place, so that the arrows are short; the height of all."""
    for column, areas in enumerate(columns):
        for box in chain.from_iterable(boxes for _, boxes in areas):
            places[box.key].x = (
                _MARGIN + _AREA_PAD + column * (_BOX_WIDTH + 2 * _AREA_PAD + _COLUMN_GAP)
            )
    orders = [boxes for areas in columns for _, boxes in areas]

    def length() -> float:
        _stack(columns, places)
        return sum(abs(places[one.source].middle - places[one.target].middle) for one in arrows)

    # Boxes of an area change places as long as that makes the arrows shorter, by a whole unit:
    # so the order does not hang on the last bit of a sum, and there is an end.
    shortest, before = length(), float("inf")
    while shortest < before:
        before = shortest
        for boxes in orders:
            for one, other in combinations(range(len(boxes)), 2):
                boxes[one], boxes[other] = boxes[other], boxes[one]
                if (now := length()) <= shortest - 1:
                    shortest = now
                else:
                    boxes[one], boxes[other] = boxes[other], boxes[one]
    return _stack(columns, places)


def _stack(columns: list[list[tuple[str, list[Box]]]], places: dict[str, _Place]) -> float:
    """Put the boxes below each other in their order, each column in the middle; the height."""
    ends = []
    for areas in columns:
        y = float(_MARGIN)
        for _, boxes in areas:
            y += _AREA_TOP
            for box in boxes:
                places[box.key].y = y
                y += places[box.key].height + _BOX_GAP
            y += _AREA_PAD - _BOX_GAP + _AREA_GAP
        ends.append(y - _AREA_GAP)
    for areas, end in zip(columns, ends, strict=True):
        for _, boxes in areas:
            for box in boxes:
                places[box.key].y += (max(ends) - end) / 2
    return max(ends) + _MARGIN + _LINE


def _draw_area(area: str, places: list[_Place]) -> str:
    x, y = places[0].x - _AREA_PAD, min(place.y for place in places) - _AREA_TOP
    bottom = max(place.y + place.height for place in places) + _AREA_PAD
    return (
        f'<g class="{_css(area)}"><rect class="area" x="{x:g}" y="{y:g}" rx="8" '
        f'width="{_BOX_WIDTH + 2 * _AREA_PAD}" height="{bottom - y:g}"/>'
        f'<text class="title" x="{x + _AREA_PAD:g}" y="{y + 21:g}">{escape(area)}</text></g>'
    )


def _draw_box(place: _Place, hubs: set[str]) -> str:
    rows = [("kind", escape(place.box.kind))] if place.box.kind else []
    rows += [("name", escape(line)) for line in place.lines]
    for tags in place.tags:
        dots = (
            f'<tspan class="{_css(area)} tag">\u25cf</tspan> {escape(text)}' for area, text in tags
        )
        rows.append(("kind", " ".join(dots)))
    texts = "".join(
        f'<text class="{css}" x="{place.x + 10:g}" y="{place.y + 2 + number * _LINE:g}">'
        f"{text}</text>"
        for number, (css, text) in enumerate(rows, start=1)
    )
    if place.box.key in hubs:
        at = f'cx="{place.x + _BOX_WIDTH - 12:g}" cy="{place.y + 12:g}"'
        texts += f'<circle class="dot" {at} r="4"/>'
    told = "\n".join(place.box.addresses or place.box.names)
    return (
        f'<g class="{_css(place.box.area)}"><title>{escape(told)}</title>'
        f'<rect class="box" x="{place.x:g}" y="{place.y:g}" rx="5" width="{_BOX_WIDTH}" '
        f'height="{place.height:g}"/>{texts}</g>'
    )


def _draw_arrows(arrows: list[Arrow], places: dict[str, _Place]) -> Iterator[str]:
    ends = _ends(arrows, places)
    lanes: Counter[tuple[int, float]] = Counter()
    for arrow in sorted(arrows, key=lambda one: (places[one.source].middle, one)):
        source, target = places[arrow.source], places[arrow.target]
        start, end = ends[arrow, True], ends[arrow, False]
        points = [start]
        step = 1 if target.column > source.column else -1
        for column in range(source.column + step, target.column, step):
            points += _through(column, places, start, end, lanes)
        points.append(end)
        path = f"M{start[0]:g} {start[1]:.1f}"
        if source.column == target.column:
            bulge = start[0] + 30 + abs(end[1] - start[1]) / 12
            path += f"C{bulge:.1f} {start[1]:.1f} {bulge:.1f} {end[1]:.1f} {end[0]:g} {end[1]:.1f}"
            step = -1
        else:
            for number, ((x1, y1), (x2, y2)) in enumerate(pairwise(points)):
                middle = (x1 + x2) / 2
                # Every second stretch is the straight way past a column.
                path += (
                    f"H{x2:g}"
                    if number % 2
                    else f"C{middle:g} {y1:.1f} {middle:g} {y2:.1f} {x2:g} {y2:.1f}"
                )
        head = f"M{end[0]:g} {end[1]:.1f}l{-8 * step} -4v8z"
        yield (
            f'<g class="{_css(source.box.area)}"><path class="arrow" d="{path}"/>'
            f'<path class="head" d="{head}"/></g>'
        )


_Point = tuple[float, float]


def _ends(arrows: list[Arrow], places: dict[str, _Place]) -> dict[tuple[Arrow, bool], _Point]:
    """Spread the ends of the arrows over the sides of their boxes, so that they cross little."""
    sides: dict[tuple[str, bool], list[tuple[float, Arrow, bool]]] = {}
    for arrow in arrows:
        source, target = places[arrow.source], places[arrow.target]
        right = source.column <= target.column
        sides.setdefault((arrow.source, right), []).append((target.middle, arrow, True))
        right = target.column <= source.column
        sides.setdefault((arrow.target, right), []).append((source.middle, arrow, False))
    found = {}
    for (key, right), own in sides.items():
        place = places[key]
        for number, (_, arrow, is_start) in enumerate(sorted(own), start=1):
            y = place.y + place.height * number / (len(own) + 1)
            found[arrow, is_start] = (place.x + (_BOX_WIDTH if right else 0), y)
    return found


def _through(
    column: int,
    places: dict[str, _Place],
    start: _Point,
    end: _Point,
    lanes: Counter[tuple[int, float]],
) -> list[_Point]:
    """Find the gap between the boxes of a column that lies nearest to an arrow's way."""
    own = sorted((place.y, place) for place in places.values() if place.column == column)
    left = own[0][1].x - _AREA_PAD
    share = (left - start[0]) / (end[0] - start[0])
    wanted = start[1] + (end[1] - start[1]) * share
    gaps = [own[0][0] - _AREA_TOP - 2 * _LANE]
    gaps += [(a.y + a.height + b.y) / 2 for (_, a), (_, b) in pairwise(own)]
    gaps.append(own[-1][0] + own[-1][1].height + _AREA_PAD + 2 * _LANE)
    gap = min(gaps, key=lambda y: (round(abs(y - wanted) + 14 * lanes[column, y], 3), y))
    lane = lanes[column, gap]
    lanes[column, gap] += 1
    # The first in the middle, the next above, the next below ...
    y = gap + _LANE * ((lane + 1) // 2) * (-1 if lane % 2 else 1)
    points = [(left, y), (left + _BOX_WIDTH + 2 * _AREA_PAD, y)]
    return points if start[0] < end[0] else points[::-1]


_PAPER, _INK, _FAINT = ("#ffffff", "#161b22"), ("#1f2328", "#e6edf3"), ("#57606a", "#9ea7b3")


def _style(areas: Iterator[str]) -> str:
    names = list(areas)

    def colours(mode: int) -> str:
        rules = [f".paper,.box{{fill:{_PAPER[mode]}}}", f".name{{fill:{_INK[mode]}}}"]
        rules.append(f".kind{{fill:{_FAINT[mode]}}}")
        rules += [
            f".{_css(area)}{{color:{_COLOURS.get(area, _OTHER_COLOUR)[mode]}}}" for area in names
        ]
        return "\n".join(rules)

    return f"""<style>
text{{font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}}
.title{{font-size:15px;font-weight:600;fill:currentColor}}
.name{{font-size:12px;font-weight:600}}
.kind{{font-size:11px}}
.tag,.dot,.head{{fill:currentColor}}
.area{{fill:currentColor;fill-opacity:.08;stroke:currentColor;stroke-opacity:.35}}
.box{{stroke:currentColor;stroke-width:1.2}}
.arrow{{fill:none;stroke:currentColor;stroke-width:1.3;stroke-opacity:.75}}
{colours(0)}
@media (prefers-color-scheme:dark){{
{colours(1)}
}}
</style>"""


def _css(area: str) -> str:
    return "a-" + re.sub(r"\W", "-", area)
