"""Runs candidates in turns and says which bars they reach.

A ratio is taken within a round, between runs that lie seconds apart, and the median of the rounds
counts: a machine that slows down for a while slows down both sides. What is compared by throughput
is driven by many connections at once. What is compared by processor time has one connection for
each candidate, and the turns are a few transactions long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import psycopg

from bench.load import Caller, Crew, Figures, Load
from bench.machine import machine
from bench.meter import in_turns

TURNS_A_RUN = 12
IN_A_TURN = 16
PROCESSOR = "processor"


@dataclass(frozen=True)
class Bar:
    """A ratio between two candidates, by name, and where it has to lie.

    ``of`` is ``per_second``, ``p50_ms``, or ``processor``: transactions for a second of processor
    time. One of ``at_least`` and ``at_most`` is set.
    """

    claim: str
    candidate: str
    baseline: str
    of: str = "per_second"
    at_least: float | None = None
    at_most: float | None = None

    @property
    def needed(self) -> str:
        """The bar in words."""
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"

    def is_reached(self, ratio: float) -> bool:
        """Say whether a ratio reaches the bar."""
        if self.at_least is not None:
            return ratio >= self.at_least
        return self.at_most is not None and ratio <= self.at_most


@dataclass(frozen=True)
class Verdict:
    """What was measured for a bar."""

    claim: str
    needed: str
    measured: float
    lowest: float
    highest: float
    reached: bool


@dataclass(frozen=True)
class Comparison:
    """One benchmark: rounds of figures by candidate, and the bars they are held against.

    ``turns`` are the milliseconds of processor time that a transaction took, by candidate.
    """

    benchmark: str
    rounds: list[dict[str, Figures]]
    turns: list[dict[str, float]]
    bars: list[Bar]

    def verdicts(self) -> list[Verdict]:
        """Hold the rounds against the bars."""
        return [self.verdict(bar) for bar in self.bars]

    def verdict(self, bar: Bar) -> Verdict:
        """Hold the rounds against one bar."""
        ratios = (
            [costs[bar.baseline] / costs[bar.candidate] for costs in self.turns]
            if bar.of == PROCESSOR
            else [
                getattr(figures[bar.candidate], bar.of) / getattr(figures[bar.baseline], bar.of)
                for figures in self.rounds
            ]
        )
        ratio = median(ratios)
        return Verdict(
            bar.claim, bar.needed, ratio, min(ratios), max(ratios), bar.is_reached(ratio)
        )

    def medians(self) -> dict[str, Figures]:
        """Return the median figures of each candidate."""
        return {
            name: Figures(
                per_second=median(figures[name].per_second for figures in self.rounds),
                p50_ms=median(figures[name].p50_ms for figures in self.rounds),
                p99_ms=median(figures[name].p99_ms for figures in self.rounds),
            )
            for name in self.rounds[0]
        }

    def costs(self) -> dict[str, float]:
        """Return the median processor time of a transaction in milliseconds, by candidate."""
        names = self.turns[0] if self.turns else {}
        return {name: median(costs[name] for costs in self.turns) for name in names}

    def to_json(self) -> dict[str, Any]:
        """Return everything that was measured, for programs."""
        return {
            "benchmark": self.benchmark,
            "machine": machine(),
            "bars": [asdict(verdict) for verdict in self.verdicts()],
            "medians": {name: asdict(figures) for name, figures in self.medians().items()},
            "processor_ms": self.costs(),
            "rounds": [
                {name: asdict(figures) for name, figures in round_.items()}
                for round_ in self.rounds
            ],
        }


def compare(
    benchmark: str,
    loads: list[Load],
    bars: list[Bar],
    *,
    runs: int,
    seconds: float,
    warm_up: float,
    tell: Callable[[str], None],
) -> Comparison:
    """Run all loads ``runs`` times for ``seconds`` each, every other round backwards.

    Each begins ``warm_up`` seconds before it counts. A first run of each is not counted at all: it
    leaves rows behind, so that no plan is made for empty tables. ``tell`` is called with a line
    after each run. Raises StackError when one fails.
    """
    crew = Crew(warm_up)
    rounds: list[dict[str, Figures]] = []
    try:
        for load in loads:
            crew.run(load, seconds)
        analyze({load.url for load in loads})
        for number in range(runs):
            figures: dict[str, Figures] = {}
            for load in loads if number % 2 == 0 else reversed(loads):
                figures[load.name] = crew.run(load, seconds)
                tell(
                    f"{number + 1}/{runs} {load.name}: {figures[load.name].per_second:,.0f}/s,"
                    f" p50 {figures[load.name].p50_ms:.2f} ms"
                )
            rounds.append({load.name: figures[load.name] for load in loads})
    finally:
        crew.close()
    named = {name for bar in bars if bar.of == PROCESSOR for name in (bar.candidate, bar.baseline)}
    turns = take_turns([load for load in loads if load.name in named], TURNS_A_RUN * runs)
    return Comparison(benchmark, rounds, turns, bars)


def take_turns(loads: list[Load], turns: int) -> list[dict[str, float]]:
    """Return what a transaction of each load costs, with one connection for each of them."""
    if not loads:
        return []
    callers = [Caller(load, load.lines[0]) for load in loads]
    try:
        costs = in_turns(
            {
                caller.load.name: (
                    caller.connection.backend_pid,
                    lambda caller=caller: caller.repeat(IN_A_TURN),  # type: ignore[misc]
                )
                for caller in callers
            },
            turns,
        )
    finally:
        for caller in callers:
            caller.connection.finish()
    return [{name: cost / IN_A_TURN for name, cost in each.items()} for each in costs]


def analyze(urls: set[str]) -> None:
    """Bring the statistics of some databases up to date."""
    for url in urls:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("vacuum analyze")
