"""Draws a chart as an SVG: lines over logarithmic axes, or bars that begin at nothing."""

from __future__ import annotations

import math
from html import escape
from itertools import pairwise
from typing import Any

from bench.style import SERIES, frame

WIDTH = 860
LEFT = 70
RIGHT = 330
TOP = 56
PLOT = 260
LINE = 16
ROW = 24
LABELS = 330
SPACE = 4.0
"""Between the smallest and the largest value of an axis there is at least this factor."""


def number(value: float) -> str:
    """Write a number with as many digits as a reader needs."""
    if value == 0:
        return "0"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def cells_of(chart: dict[str, Any]) -> list[list[str]]:
    """Return a chart as rows of text: what it is about, then a row for each series.

    Where the places are names, each of them has a row, and each series a column.
    """
    series: dict[str, list[tuple[float | str, float]]] = chart["series"]
    places = list(dict.fromkeys(x for points in series.values() for x, _ in points))
    values = {name: dict(points) for name, points in series.items()}
    if chart["kind"] == "dots":
        heads = [chart["unit"], *series]
        return [heads, *([str(x), *(shown(values[name], x) for name in series)] for x in places)]
    heads = [f"{chart['unit']} / {chart['across']}" if chart["across"] else chart["unit"]]
    heads += [x if isinstance(x, str) else number(x) for x in places]
    return [heads, *([name, *(shown(values[name], x) for x in places)] for name in series)]


def shown(values: dict[float | str, float], place: float | str) -> str:
    """Return what was measured at a place, or nothing."""
    return number(values[place]) if place in values else ""


def draw_chart(chart: dict[str, Any]) -> str:
    """Return the SVG of a chart, as results hold it."""
    draw = {"lines": draw_lines, "bars": draw_bars, "dots": draw_dots}[chart["kind"]]
    return draw(chart)


class LogAxis:
    """Places values between two ends by their logarithm."""

    def __init__(self, values: list[float], begin: float, end: float, room: float = 1.0) -> None:
        low, high = min(values), max(values)
        if high / low < SPACE:
            low, high = low / SPACE**0.5, high * SPACE**0.5
        self.low, self.high = math.log10(low / room), math.log10(high * room)
        self.begin, self.end = begin, end

    def at(self, value: float) -> float:
        """Return where a value lies."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> list[float]:
        """Return round values between the ends, three or more."""
        decades = range(math.floor(self.low), math.ceil(self.high) + 1)
        for steps in ((1,), (1, 3), (1, 2, 5)):
            found = [
                step * 10.0**decade
                for decade in decades
                for step in steps
                if self.low <= math.log10(step * 10.0**decade) <= self.high
            ]
            if len(found) >= 3:
                break
        return found


def apart(wanted: list[float], least: float) -> list[float]:
    """Move labels so far apart that they can be read, in the order they have."""
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    placed = list(wanted)
    for before, place in pairwise(order):
        placed[place] = max(placed[place], placed[before] + least)
    over = placed[order[-1]] - (TOP + PLOT + 8) if order else 0
    if over > 0:
        placed[order[-1]] -= over
        for after, place in pairwise(reversed(order)):
            placed[place] = min(placed[place], placed[after] - least)
    return placed


def draw_lines(chart: dict[str, Any]) -> str:
    """Return lines with the names of the series at their ends."""
    series: dict[str, list[tuple[float, float]]] = chart["series"]
    places = sorted({x for points in series.values() for x, _ in points})
    x_axis = LogAxis(places, LEFT + 20, WIDTH - RIGHT, room=1.0)
    y_axis = LogAxis(
        [y for points in series.values() for _, y in points], TOP + PLOT, TOP, room=1.15
    )
    body = [heading(chart)]
    for value in y_axis.ticks():
        y = y_axis.at(value)
        body.append(
            f'<line class="faint" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT + 10}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>'
        )
    for value in places:
        body.append(
            f'<text x="{x_axis.at(value):.1f}" y="{TOP + PLOT + 22}" text-anchor="middle">'
            f"{number(value)}</text>"
        )
    body.append(
        f'<line class="axis" x1="{LEFT}" y1="{TOP + PLOT}" x2="{WIDTH - RIGHT + 10}"'
        f' y2="{TOP + PLOT}"/>'
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{TOP + PLOT + 44}" text-anchor="middle">'
        f"{escape(chart['across'])}</text>"
    )
    ends = apart([y_axis.at(points[-1][1]) for points in series.values()], LINE)
    for place, ((name, points), label_y) in enumerate(zip(series.items(), ends, strict=True)):
        colour = f"s{place % len(SERIES)}"
        path = " ".join(f"{x_axis.at(x):.1f},{y_axis.at(y):.1f}" for x, y in points)
        body.append(f'<polyline class="{colour}" points="{path}"/>')
        body += [
            f'<circle class="{colour}" cx="{x_axis.at(x):.1f}" cy="{y_axis.at(y):.1f}" r="3.5">'
            f"<title>{escape(name)}: {number(y)} {escape(chart['unit'])}</title></circle>"
            for x, y in points
        ]
        x, y = x_axis.at(points[-1][0]), y_axis.at(points[-1][1])
        body.append(
            f'<polyline class="{colour}" style="stroke-width:1"'
            f' points="{x + 6:.1f},{y:.1f} {WIDTH - RIGHT + 16},{label_y:.1f}"/>'
            f'<text class="{colour}" x="{WIDTH - RIGHT + 20}" y="{label_y + 4:.1f}">'
            f"{number(points[-1][1])} {escape(name)}</text>"
        )
    return frame(WIDTH, TOP + PLOT + 60, escape(chart["title"]), body)


def draw_bars(chart: dict[str, Any]) -> str:
    """Return a group of bars for each place, with a name and a value for each bar."""
    series: dict[str, list[tuple[float | str, float]]] = chart["series"]
    places = list(dict.fromkeys(x for points in series.values() for x, _ in points))
    most = max(y for points in series.values() for _, y in points) or 1
    scale = (WIDTH - LABELS - 110) / most
    body = [heading(chart)]
    top = TOP
    for place in places:
        if len(places) > 1 or chart["across"]:
            name = place if isinstance(place, str) else number(place)
            words = f"{name} {chart['across']}".strip()
            body.append(f'<text x="16" y="{top + 16}" font-weight="600">{escape(words)}</text>')
            top += ROW
        for rank, (label, points) in enumerate(series.items()):
            for x, y in points:
                if x != place:
                    continue
                middle = top + ROW / 2 + 4
                width = max(y * scale, 1.0)
                body.append(
                    f'<text x="{LABELS - 10}" y="{middle}" text-anchor="end">{escape(label)}</text>'
                    f'<rect class="s{rank % len(SERIES)}" x="{LABELS}" y="{top + 4}"'
                    f' width="{width:.1f}" height="{ROW - 8}"/>'
                    f'<text x="{LABELS + width + 8:.1f}" y="{middle}">{number(y)}</text>'
                )
                top += ROW
        top += 8
    body.append(f'<line class="axis" x1="{LABELS}" y1="{TOP}" x2="{LABELS}" y2="{top}"/>')
    return frame(WIDTH, top + 12, escape(chart["title"]), body)


def draw_dots(chart: dict[str, Any]) -> str:
    """Return a row for each place, with a dot for each series on a logarithmic axis."""
    series: dict[str, list[tuple[str, float]]] = chart["series"]
    places = list(dict.fromkeys(x for points in series.values() for x, _ in points))
    values = [y for points in series.values() for _, y in points]
    axis = LogAxis(values, LABELS - 40, WIDTH - 60, room=1.3)
    bottom = TOP + (len(places) + 1) * ROW
    body = [heading(chart)]
    for value in axis.ticks():
        x = axis.at(value)
        body.append(
            f'<line class="faint" x1="{x:.1f}" y1="{TOP + ROW}" x2="{x:.1f}" y2="{bottom}"/>'
            f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{number(value)}</text>'
        )
    for rank, (name, points) in enumerate(series.items()):
        colour = f"s{rank % len(SERIES)}"
        left = LABELS - 80 + rank * 240
        body.append(
            f'<circle class="{colour}" cx="{left}" cy="{TOP + 4}" r="5"/>'
            f'<text x="{left + 12}" y="{TOP + 8}">{escape(name)}</text>'
        )
        for place, value in points:
            middle = TOP + ROW * (places.index(place) + 1.5)
            # The figures of the first series stand before its dots: the second is often close.
            beside, anchor = (-9, "end") if rank == 0 else (9, "start")
            body.append(
                f'<circle class="{colour}" cx="{axis.at(value):.1f}" cy="{middle}" r="5">'
                f"<title>{escape(name)}: {number(value)}</title></circle>"
                f'<text class="{colour}" x="{axis.at(value) + beside:.1f}" y="{middle + 4}"'
                f' font-size="11" text-anchor="{anchor}">{number(value)}</text>'
            )
    for rank, place in enumerate(places):
        body.append(
            f'<text x="{LABELS - 95}" y="{TOP + ROW * (rank + 1.5) + 4}" text-anchor="end">'
            f"{escape(place)}</text>"
        )
    return frame(WIDTH, bottom + 36, escape(chart["title"]), body)


def heading(chart: dict[str, Any]) -> str:
    """Return the title and the unit."""
    return (
        f'<text x="16" y="26" font-size="15" font-weight="600">{escape(chart["title"])}</text>'
        f'<text x="16" y="44">{escape(chart["unit"])}</text>'
    )
