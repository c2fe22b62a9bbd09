"""Draws what a message takes on disk: a bar for each schema, stacked by table and index."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

from bench.style import frame

WIDTH = 860
LEFT = 230
RIGHT = 70
TOP = 16
ROW = 30
GAP = 12
LEGEND_ROW = 20
LEGEND_COLUMN = 280

COLOURS = (
    "#2b5d8a",
    "#4f86b5",
    "#84aed1",
    "#b8d0e4",
    "#2f7d5b",
    "#7fb89c",
    "#b5482f",
    "#d98a76",
    "#7a5c99",
    "#a890bf",
    "#c7b8d6",
    "#8a7a2b",
    "#c0b26a",
)


def parts_of(size: dict[str, Any]) -> dict[str, float]:
    """Return the bytes a message of each table and index, in the order of their stack."""
    return {
        relation: amount
        for relations in size["tables"].values()
        for relation, amount in relations.items()
        if amount >= 1
    }


def draw_row(size: dict[str, Any], top: int, scale: float, colours: dict[str, str]) -> str:
    """Return one labelled bar."""
    parts = parts_of(size)
    middle = top + ROW / 2 + 4
    left = float(LEFT)
    drawn = [
        f'<text x="{LEFT - 10}" y="{middle}" text-anchor="end">'
        f"{escape(size['schema'])}, {escape(size['text'])}</text>"
    ]
    for relation, amount in parts.items():
        drawn.append(
            f'<rect x="{left:.1f}" y="{top + 4}" width="{amount * scale:.1f}" height="{ROW - 8}"'
            f' fill="{colours[relation]}"><title>{escape(relation)}: {amount:.0f}</title></rect>'
        )
        left += amount * scale
    drawn.append(f'<text x="{left + 8:.1f}" y="{middle}">{sum(parts.values()):.0f}</text>')
    return "".join(drawn)


def draw_sizes(sizes: list[dict[str, Any]]) -> str:
    """Return an SVG with a row for each schema and kind of text, and what the colours stand for."""
    names = list(dict.fromkeys(relation for size in sizes for relation in parts_of(size)))
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    most = max(sum(parts_of(size).values()) for size in sizes)
    scale = (WIDTH - LEFT - RIGHT) / most
    rows = []
    top = TOP
    for place, size in enumerate(sizes):
        if place and size["text"] != sizes[place - 1]["text"]:
            top += GAP
        rows.append(draw_row(size, top, scale, colours))
        top += ROW
    top += GAP
    columns = WIDTH // LEGEND_COLUMN
    for place, name in enumerate(names):
        x = 16 + place % columns * LEGEND_COLUMN
        y = top + place // columns * LEGEND_ROW
        rows.append(
            f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colours[name]}"/>'
            f'<text x="{x + 18}" y="{y + 11}">{escape(name)}</text>'
        )
    height = top + -(-len(names) // columns) * LEGEND_ROW + 8
    return frame(WIDTH, height, "Bytes a message, by table and index", rows)


def draw_size_results(folder: Path) -> None:
    """Draw ``size.json`` of a folder into its ``sizes.svg``."""
    found = folder / "size.json"
    if found.exists():
        (folder / "sizes.svg").write_text(draw_sizes(json.loads(found.read_text())["tables"]))
