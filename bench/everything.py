"""All benchmarks by name, much or little of each, and the form in which their results are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial

from bench.capacity import measure_capacity
from bench.catchup import measure_catchup
from bench.comparison import Bar, Comparison, compare
from bench.costs import Figure, measure_costs
from bench.curve import measure_curve
from bench.databases import Clones, cloned
from bench.inbox import INBOX_BARS, prepare_inboxes
from bench.load import LEAST_WARM_UP_SECONDS, WARM_UP_SECONDS, Load
from bench.machine import machine
from bench.outcome import Outcome
from bench.page import PAGE_BARS, prepare_pages
from bench.realtime import Amounts, measure_realtime
from bench.rls import measure_rls
from bench.search import Cost, as_rows, measure_searches
from bench.send import SEND_BARS, prepare_sends
from bench.size import Size, bars_of, measure_sizes
from bench.streamed import STREAMED_BARS, prepare_writes
from parley.stack import Status

CURVE = 1_000_000
LITTLE = Amounts(rooms=(3, 10), rates=(20, 40), members=(2, 5), seconds=0.5, rounds=2, messages=5)


def catch_up(quick: bool, clones: Clones) -> Outcome:
    """Measure catching up."""
    return measure_catchup(clones, (20, 100) if quick else (100, 1_000, 10_000))


def draw_curve(quick: bool, size: int, clones: Clones) -> Outcome:
    """Measure the curve of reads."""
    amount, rooms, rounds = (20_000, 50, 3) if quick else (size, 1_000, 21)
    return measure_curve(clones, amount, rooms, rounds)


def compare_policies(quick: bool, clones: Clones) -> Outcome:
    """Measure policies."""
    amounts, strangers, rounds = ((3, 10), 400, 2) if quick else ((10, 100, 1_000), 100_000, 15)
    return measure_rls(clones, amounts, strangers, rounds)


def join_and_deliver(quick: bool, status: Status) -> Outcome:
    """Measure joins and deliveries."""
    with cloned(status.db_url) as clones:
        return measure_realtime(clones, status.admin_db_url, LITTLE if quick else Amounts())


def tell_capacity(quick: bool, clones: Clones) -> Outcome:
    """Measure what a day is made of."""
    rooms, rounds = (3, 2) if quick else (50, 60)
    return measure_capacity(clones, rooms, rounds)


def outcome_found(outcome: Outcome) -> str:
    """Return an outcome as it is kept."""
    return json.dumps(outcome.to_json(), indent=2, ensure_ascii=False) + "\n"


def kept(name: str, found: dict[str, object]) -> str:
    """Return what was found as it is kept, with the machine."""
    whole = {"benchmark": name, "machine": machine()} | found
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def searches_found(costs: list[Cost], size: int) -> str:
    """Return searches as they are kept."""
    return kept("search", {"size": size, "bars": as_rows(costs)})


def sizes_found(sizes: list[Size], size: int) -> str:
    """Return sizes as they are kept."""
    tables = [{"text": s.text, "schema": s.schema, "tables": s.tables} for s in sizes]
    return kept("size", {"size": size, "bars": as_rows(bars_of(sizes)), "tables": tables})


def costs_found(figures: list[Figure], size: int, runs: int) -> str:
    """Return the costs of parts as they are kept."""
    shown = [asdict(figure) for figure in figures]
    return kept("costs", {"size": size, "runs": runs, "figures": shown})


@dataclass(frozen=True)
class Benchmark:
    """A comparison of candidates: what is measured, and how much of it."""

    name: str
    prepare: Callable[[Clones, int], list[Load]]
    bars: list[Bar]
    size: int
    seconds: float
    runs: int

    def run(self, tell: Callable[[str], None], clones: Clones) -> Comparison:
        """Measure in clones of a database."""
        tell(f"{self.name}: filling the databases")
        loads = self.prepare(clones, self.size)
        return compare(
            self.name,
            loads,
            self.bars,
            runs=self.runs,
            seconds=self.seconds,
            warm_up=min(max(self.seconds, LEAST_WARM_UP_SECONDS), WARM_UP_SECONDS),
            tell=tell,
        )

    def found(self, comparison: Comparison) -> str:
        """Return a comparison as it is kept."""
        options = {"size": self.size, "seconds": self.seconds, "runs": self.runs}
        return json.dumps(comparison.to_json() | options, indent=2) + "\n"


def everything(quick: bool, tell: Callable[[str], None]) -> dict[str, Callable[[Status], str]]:
    """Return every benchmark: it measures in a stack, and returns what is kept."""

    def clones_of(measure: Callable[[Clones], str]) -> Callable[[Status], str]:
        def run(status: Status) -> str:
            with cloned(status.db_url) as clones:
                return measure(clones)

        return run

    def compared(benchmark: Benchmark) -> Callable[[Status], str]:
        return clones_of(lambda clones: benchmark.found(benchmark.run(tell, clones)))

    def outcome(measure: Callable[[Clones], Outcome]) -> Callable[[Status], str]:
        return clones_of(lambda clones: outcome_found(measure(clones)))

    def comparison(
        name: str,
        prepare: Callable[[Clones, int], list[Load]],
        bars: list[Bar],
        size: tuple[int, int],
        seconds: float,
    ) -> Callable[[Status], str]:
        little, much = size
        return compared(
            Benchmark(name, prepare, bars, little, 0.01, 1)
            if quick
            else Benchmark(name, prepare, bars, much, seconds, 5)
        )

    searched, sized, (people, runs) = (
        (10_000, 3_200, (20, 1)) if quick else (300_000, 100_000, (10_000, 40))
    )
    return {
        "catchup": outcome(partial(catch_up, quick)),
        "curve": outcome(partial(draw_curve, quick, CURVE)),
        "rls": outcome(partial(compare_policies, quick)),
        "realtime": lambda status: outcome_found(join_and_deliver(quick, status)),
        "capacity": outcome(partial(tell_capacity, quick)),
        "send": comparison("send", prepare_sends, SEND_BARS, (16, 1000), 4),
        "page": comparison("page", prepare_pages, PAGE_BARS, (3, 1000), 4),
        "streamed": comparison("streamed", prepare_writes, STREAMED_BARS, (20, 10_000), 3),
        "inbox": comparison("inbox", prepare_inboxes, INBOX_BARS, (10_000, 1_000_000), 2),
        "search": clones_of(
            lambda clones: searches_found(
                measure_searches(clones, searched, beside_strangers=not quick), searched
            )
        ),
        "size": clones_of(lambda clones: sizes_found(measure_sizes(clones, sized), sized)),
        "costs": clones_of(
            lambda clones: costs_found(measure_costs(clones, people, runs), people, runs)
        ),
    }
