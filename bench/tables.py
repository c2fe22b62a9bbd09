"""A comparison as two tables: the bars, and what each candidate did."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from bench.comparison import Comparison


def show(comparison: Comparison, console: Console) -> None:
    """Print a comparison."""
    bars = Table("bar", "needed", "measured", "lowest to highest", "reached", box=None)
    for verdict in comparison.verdicts():
        bars.add_row(
            verdict.claim,
            verdict.needed,
            f"{verdict.measured:.2f}",
            f"{verdict.lowest:.2f} to {verdict.highest:.2f}",
            "yes" if verdict.reached else "no",
        )
    candidates = Table("candidate", "per second", "p50 ms", "p99 ms", box=None)
    for name, figures in comparison.medians().items():
        candidates.add_row(
            name,
            f"{figures.per_second:,.0f}",
            f"{figures.p50_ms:.2f}",
            f"{figures.p99_ms:.2f}",
        )
    console.print(bars)
    console.print()
    console.print(candidates)
