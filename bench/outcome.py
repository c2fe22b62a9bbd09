"""What a benchmark found: charts of one unit each, and the bars that were held against it.

Everything that is drawn or told about it is made from this, so that a page can be made again from
saved results without measuring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from bench.comparison import Verdict
from bench.machine import machine

Place = float | str
"""Where on the horizontal axis something was measured: a number, or a name."""


@dataclass(frozen=True)
class Chart:
    """Series of one unit over one axis.

    ``lines`` and ``dots`` are drawn on logarithmic axes, so that a factor is the same distance
    everywhere; ``bars`` begin at nothing. ``across`` says what the places are.
    """

    name: str
    title: str
    unit: str
    across: str
    kind: Literal["lines", "bars", "dots"]
    series: Mapping[str, Sequence[tuple[Place, float]]]


@dataclass(frozen=True)
class Outcome:
    """What one benchmark found. ``options`` tell how much was measured."""

    benchmark: str
    charts: Sequence[Chart]
    bars: Sequence[Verdict] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return everything that was measured, for programs."""
        return {
            "benchmark": self.benchmark,
            "machine": machine(),
            **self.options,
            "bars": [asdict(bar) for bar in self.bars],
            "charts": [asdict(chart) for chart in self.charts],
        }


def at_most(claim: str, measured: float, most: float, rounds: Sequence[float] = ()) -> Verdict:
    """Hold something against the most that it may be."""
    return Verdict(
        claim,
        f"≤ {most:g}",
        measured,
        min(rounds, default=measured),
        max(rounds, default=measured),
        measured <= most,
    )


def at_least(claim: str, measured: float, least: float, rounds: Sequence[float] = ()) -> Verdict:
    """Hold something against the least that it may be."""
    return Verdict(
        claim,
        f"≥ {least:g}",
        measured,
        min(rounds, default=measured),
        max(rounds, default=measured),
        measured >= least,
    )
