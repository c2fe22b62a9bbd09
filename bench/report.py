"""Makes docs/performance.md, and its charts, from results that are saved."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from bench.chart import draw_size_results
from bench.picture import draw_results
from bench.plot import cells_of, draw_chart, number

TEMPLATE = Path(__file__).with_name("performance.md")
PLACE = re.compile(r"^<!-- (\w+) -->$", re.MULTILINE)
ALL = "promises"
"""The words are in the template; a comment with the name of a benchmark is where its figures go."""


def benchmarks() -> list[str]:
    """Return the names of all benchmarks, in the order of the page."""
    return [name for name in PLACE.findall(TEMPLATE.read_text()) if name != ALL]


def bars_of(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the bars of a result, each with the words of what is needed."""
    return [
        bar if "needed" in bar else bar | {"needed": f"≤ {bar['at_most']:g}"}
        for bar in result.get("bars", [])
    ]


def load(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the saved results by benchmark, in the order of the page."""
    files = {name: folder / f"{name}.json" for name in benchmarks()}
    return {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}


def draw_charts(folder: Path) -> None:
    """Draw everything that results in a folder hold, beside them."""
    for name, result in load(folder).items():
        for chart in result.get("charts", []):
            (folder / f"{name}-{chart['name']}.svg").write_text(draw_chart(chart))
    draw_results(folder)
    draw_size_results(folder)


def write_page(folder: Path, page: Path) -> None:
    """Draw the charts, and write the page that shows them."""
    draw_charts(folder)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(page_of(folder, os.path.relpath(folder, page.parent)))


def page_of(folder: Path, link: str) -> str:
    """Return the page; ``link`` leads from it to the folder of results."""
    results = load(folder)

    def figures(place: re.Match[str]) -> str:
        name = place[1]
        if name == ALL:
            return promises(results, link).rstrip()
        return figures_of(name, results[name], link).rstrip()

    return PLACE.sub(figures, TEMPLATE.read_text().replace("(RESULTS", f"({link}"))


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a table; all columns but the first are numbers."""
    lines = [heads, ["---", *(["---:"] * (len(heads) - 1))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def promises(results: dict[str, dict[str, Any]], link: str) -> str:
    """Return all bars, with what was measured for them."""
    rows = [
        [bar["claim"], f"`{name}`", bar["needed"], number(bar["measured"]), reached(bar)]
        for name, result in results.items()
        for bar in bars_of(result)
    ]
    heads = ["", "benchmark", "needed", "measured", "reached"]
    return f"{table(heads, rows)}\n![How far ratios are beyond their bar]({link}/ratios.svg)\n"


def reached(bar: dict[str, Any]) -> str:
    """Say whether a bar is reached."""
    return "yes" if bar["reached"] else "**no**"


def figures_of(name: str, result: dict[str, Any], link: str) -> str:
    """Return what a benchmark found: how to measure it, its charts, and their figures."""
    command = f"`scripts/bench.py {name} --save`"
    parts = [f"{command} ([all figures]({link}/{name}.json); {machine_of(result)})\n"]
    for chart in result.get("charts", []):
        heads, *rows = cells_of(chart)
        parts.append(f"![{chart['title']}, {chart['unit']}]({link}/{name}-{chart['name']}.svg)\n")
        parts.append(table(heads, rows))
    if name == "size":
        parts.append(f"![Bytes a message, by table and index]({link}/sizes.svg)\n")
    return "\n".join([*parts, *plain_tables(result)])


def plain_tables(result: dict[str, Any]) -> list[str]:
    """Return the tables of results that have no charts."""
    found = []
    if "medians" in result:
        rows = [
            [name, number(each["per_second"]), number(each["p50_ms"]), number(each["p99_ms"])]
            for name, each in result["medians"].items()
        ]
        found.append(table(["", "a second", "p50, ms", "p99, ms"], rows))
    elif "figures" in result:
        rows = [
            [each["what"], number(each["measured"]), each["unit"]] for each in result["figures"]
        ]
        found.append(table(["", "measured", "unit"], rows))
    elif "charts" not in result:
        rows = [[bar["claim"], number(bar["measured"]), bar["needed"]] for bar in bars_of(result)]
        found.append(table(["", "measured", "needed"], rows))
    return found


def machine_of(result: dict[str, Any]) -> str:
    """Say on what a result was measured, as far as it tells."""
    machine = result.get("machine", {})
    words = [f"{machine['cpus']} cores" if "cpus" in machine else "two cores"]
    if machine.get("model"):
        words.append(machine["model"])
    if "memory_gb" in machine:
        words.append(f"{machine['memory_gb']} GB")
    if "load" in machine:
        words.append(f"load {machine['load']:g} at the end")
    return ", ".join(words)
