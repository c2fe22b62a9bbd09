"""Draws results as one SVG: how far each ratio lies beyond its bar, or short of it."""

from __future__ import annotations

import json
import math
from html import escape
from pathlib import Path
from typing import Any

from bench.style import frame

ORDER = ("send", "page", "inbox")
WIDTH = 860
LABELS = 400
ROW = 30
TOP = 56
BAR_AT = 560
DOUBLE = 90
LIMIT = 1.5

REACHED = "s2"
MISSED = "s1"


def headway(verdict: dict[str, Any]) -> float:
    """Return how often a ratio has doubled beyond its bar; negative when it falls short."""
    bar = float(verdict["needed"].split()[1])
    ratio = verdict["measured"] / bar
    doubled = math.log2(ratio if verdict["needed"].startswith("≥") else 1 / ratio)
    return max(-LIMIT, min(LIMIT, doubled))


def draw_row(verdict: dict[str, Any], top: int) -> str:
    """Return one labelled bar."""
    end = BAR_AT + headway(verdict) * DOUBLE
    left, width = min(BAR_AT, end), abs(end - BAR_AT)
    colour = REACHED if verdict["reached"] else MISSED
    middle = top + ROW / 2 + 4
    return (
        f'<text x="{LABELS}" y="{middle}" text-anchor="end">{escape(verdict["claim"])}</text>'
        f'<rect class="{colour}" x="{left:.1f}" y="{top + 7}" width="{width:.1f}"'
        f' height="{ROW - 14}"/>'
        f'<text x="{WIDTH - 16}" y="{middle}" text-anchor="end">'
        f"{verdict['measured']:.2f} ({escape(verdict['needed'])})</text>"
    )


def draw(verdicts: list[dict[str, Any]]) -> str:
    """Return an SVG with a row per verdict."""
    height = TOP + ROW * len(verdicts) + 16
    body = [
        f'<text x="{BAR_AT}" y="24" text-anchor="middle">the bar</text>',
        f'<text class="{MISSED}" x="{BAR_AT - 14}" y="42" text-anchor="end">short of it</text>',
        f'<text class="{REACHED}" x="{BAR_AT + 14}" y="42">beyond it</text>',
        f'<text x="{WIDTH - 16}" y="24" text-anchor="end">measured (needed)</text>',
        *(draw_row(verdict, TOP + ROW * place) for place, verdict in enumerate(verdicts)),
        f'<line class="axis" x1="{BAR_AT}" y1="30" x2="{BAR_AT}" y2="{height - 10}"/>',
        f'<line class="faint" x1="16" y1="{TOP - 4}" x2="{WIDTH - 16}" y2="{TOP - 4}"/>',
    ]
    return frame(WIDTH, height, "Ratios and their bars", body)


def draw_results(folder: Path) -> None:
    """Draw all results of a folder into its ``ratios.svg``."""
    files = [folder / f"{name}.json" for name in ORDER]
    verdicts = [
        verdict
        for file in files
        if file.exists()
        for verdict in json.loads(file.read_text())["bars"]
    ]
    (folder / "ratios.svg").write_text(draw(verdicts))
