"""A comparison as two tables: the bars, and what each candidate did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.comparison import Comparison, Verdict
from bench.costs import Figure
from bench.outcome import Outcome
from bench.plot import cells_of, number
from bench.search import Cost
from bench.size import Size


def show(comparison: Comparison, console: Console) -> None:
    """Print a comparison."""
    candidates = Table("candidate", "per second", "p50 ms", "p99 ms", box=None)
    for name, figures in comparison.medians().items():
        candidates.add_row(
            name,
            f"{figures.per_second:,.0f}",
            f"{figures.p50_ms:.2f}",
            f"{figures.p99_ms:.2f}",
        )
    console.print(table_of(comparison.verdicts()))
    console.print()
    console.print(candidates)
    costs = Table("candidate", "processor ms", box=None)
    for name, cost in comparison.costs().items():
        costs.add_row(name, f"{cost:.3f}")
    if costs.row_count:
        console.print()
        console.print(costs)


def table_of(verdicts: Sequence[Verdict]) -> Table:
    """Return the bars, with what was measured for them."""
    bars = Table("bar", "needed", "measured", "lowest to highest", "reached", box=None)
    for verdict in verdicts:
        bars.add_row(
            verdict.claim,
            verdict.needed,
            f"{verdict.measured:.2f}",
            f"{verdict.lowest:.2f} to {verdict.highest:.2f}",
            "yes" if verdict.reached else "no",
        )
    return bars


def show_promises(bars: list[tuple[str, dict[str, Any]]], console: Console) -> None:
    """Print bars of saved results, each with its benchmark."""
    table = Table("benchmark", "bar", "needed", "measured", "reached", box=None)
    for name, bar in bars:
        reached = "yes" if bar["reached"] else "no"
        table.add_row(name, bar["claim"], bar["needed"], number(bar["measured"]), reached)
    console.print(table)


def show_outcome(outcome: Outcome, console: Console) -> None:
    """Print the bars of an outcome, and each of its charts as a table."""
    if outcome.bars:
        console.print(table_of(outcome.bars))
    for chart in outcome.charts:
        console.print()
        console.print(table_of_chart(asdict(chart)))


def table_of_chart(chart: dict[str, Any]) -> Table:
    """Return a chart as a table."""
    heads, *rows = cells_of(chart)
    table = Table(*heads, title=chart["title"], title_justify="left", box=None)
    for row in rows:
        table.add_row(*row)
    return table


def show_costs(costs: list[Cost], console: Console) -> None:
    """Print what was measured beside what is allowed."""
    table = Table("claim", "measured", "at most", "", box=None)
    for cost in costs:
        table.add_row(
            cost.claim,
            f"{cost.measured:.2f}",
            f"{cost.at_most:g}",
            "" if cost.reached else "missed",
        )
    console.print(table)


def show_figures(figures: list[Figure], console: Console) -> None:
    """Print what was measured, in its units."""
    table = Table("what", "measured", "", box=None)
    for figure in figures:
        digits = 2 if figure.unit in {"times", "MB"} else 0
        table.add_row(figure.what, f"{figure.measured:,.{digits}f}", figure.unit)
    console.print(table)


def show_sizes(sizes: list[Size], console: Console) -> None:
    """Print bytes a message by table, as bars that are stacked."""
    signs = "█▓▒"
    table = Table("message", "schema", "bytes", "tables", box=None)
    for each in sizes:
        bar = "".join(
            sign * round(each.of(name) / 16) for sign, name in zip(signs, each.tables, strict=False)
        )
        parts = ", ".join(f"{name} {each.of(name):.0f}" for name in each.tables)
        table.add_row(each.text, each.schema, f"{each.total:.0f}", f"{bar} {parts}")
    console.print(table)
