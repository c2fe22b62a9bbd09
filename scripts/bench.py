"""Measures Parley against what it has to reach, in turns with what it is compared to."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench.chart import draw_size_results  # noqa: E402
from bench.costs import measure_costs  # noqa: E402
from bench.everything import (  # noqa: E402
    CURVE,
    Benchmark,
    catch_up,
    compare_policies,
    costs_found,
    draw_curve,
    everything,
    join_and_deliver,
    outcome_found,
    searches_found,
    sizes_found,
    tell_capacity,
)
from bench.inbox import INBOX_BARS, prepare_inboxes  # noqa: E402
from bench.outcome import Outcome  # noqa: E402
from bench.page import PAGE_BARS, prepare_pages  # noqa: E402
from bench.picture import draw_results  # noqa: E402
from bench.report import bars_of as saved_bars  # noqa: E402
from bench.report import benchmarks, draw_charts, write_page  # noqa: E402
from bench.report import load as load_results  # noqa: E402
from bench.search import Cost, measure_searches  # noqa: E402
from bench.send import SEND_BARS, prepare_sends  # noqa: E402
from bench.size import bars_of, measure_sizes  # noqa: E402
from bench.stacks import in_clones, run_in_own_stack  # noqa: E402
from bench.streamed import STREAMED_BARS, prepare_writes  # noqa: E402
from bench.tables import (  # noqa: E402
    show,
    show_costs,
    show_figures,
    show_outcome,
    show_promises,
    show_sizes,
)

from parley.errors import ParleyError  # noqa: E402
from parley.stack import Status  # noqa: E402

RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "performance.md"

words = Console(stderr=True, soft_wrap=True, highlight=False)
app = typer.Typer(
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Seconds = Annotated[float, typer.Option(min=0.01, help="Length of one run, after warming up.")]
Runs = Annotated[int, typer.Option(min=1, help="Runs of each candidate, in turns.")]
Url = Annotated[
    str | None,
    typer.Option(
        help="A migrated database nobody is connected to, as the role postgres; clones of it are "
        "measured and dropped. Left out, a stack is started for it."
    ),
]
Check = Annotated[bool, typer.Option("--check", help="Exit 1 when a bar is not reached.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quick = Annotated[bool, typer.Option("--quick", help="Measure little, to see that it works.")]
Save = Annotated[bool, typer.Option("--save", help="Write bench/results and draw them.")]


def report_comparison(
    benchmark: Benchmark, url: str | None, check: bool, as_json: bool, save: bool
) -> None:
    """Measure and show. Exits 1 with ``check`` when a bar is not reached."""
    comparison = in_clones(url, partial(benchmark.run, words.print))
    text = benchmark.found(comparison)
    if as_json:
        sys.stdout.write(text)
    else:
        show(comparison, Console(highlight=False))
    if save:
        (RESULTS / f"{benchmark.name}.json").write_text(text)
        draw_results(RESULTS)
    fail_unless(not check or all(verdict.reached for verdict in comparison.verdicts()))


@app.command()
def send(  # noqa: PLR0917 (typer's options)
    size: Annotated[int, typer.Option(min=16, help="Direct rooms.")] = 1000,
    seconds: Seconds = 4,
    runs: Runs = 5,
    check: Check = False,
    as_json: AsJson = False,
    save: Save = False,
    db_url: Url = None,
) -> None:
    """Compare sending with an insert into the baseline schema, and with a bare insert."""
    benchmark = Benchmark("send", prepare_sends, SEND_BARS, size, seconds, runs)
    report_comparison(benchmark, db_url, check, as_json, save)


@app.command()
def page(  # noqa: PLR0917 (typer's options)
    size: Annotated[int, typer.Option(min=1, help="Rooms of one person.")] = 1000,
    seconds: Seconds = 4,
    runs: Runs = 5,
    check: Check = False,
    as_json: AsJson = False,
    save: Save = False,
    db_url: Url = None,
) -> None:
    """Compare a page of messages with the same read without policies."""
    benchmark = Benchmark("page", prepare_pages, PAGE_BARS, size, seconds, runs)
    report_comparison(benchmark, db_url, check, as_json, save)


@app.command()
def streamed(  # noqa: PLR0917 (typer's options)
    size: Annotated[int, typer.Option(min=1, help="Rows of each of sixteen tenants.")] = 10_000,
    seconds: Seconds = 3,
    runs: Runs = 5,
    check: Check = False,
    as_json: AsJson = False,
    save: Save = False,
    db_url: Url = None,
) -> None:
    """Compare a write to a streamed table with a bare one and with other ways of telling."""
    benchmark = Benchmark("streamed", prepare_writes, STREAMED_BARS, size, seconds, runs)
    report_comparison(benchmark, db_url, check, as_json, save)


@app.command()
def inbox(  # noqa: PLR0917 (typer's options)
    size: Annotated[int, typer.Option(min=10_000, help="Messages of the larger one.")] = 1_000_000,
    seconds: Seconds = 2,
    runs: Runs = 5,
    check: Check = False,
    as_json: AsJson = False,
    save: Save = False,
    db_url: Url = None,
) -> None:
    """Compare inbox and pages in a large database with a small one."""
    benchmark = Benchmark("inbox", prepare_inboxes, INBOX_BARS, size, seconds, runs)
    report_comparison(benchmark, db_url, check, as_json, save)


@app.command()
def search(  # noqa: PLR0917 (typer's options)
    size: Annotated[int, typer.Option(min=10_000, help="Messages of one's own.")] = 300_000,
    strangers: Annotated[
        bool, typer.Option(help="Also search two copies with three times as many messages.")
    ] = True,
    check: Check = False,
    as_json: AsJson = False,
    save: Save = False,
    db_url: Url = None,
) -> None:
    """Measure searches in a thousand rooms, in processor time, alone and beside strangers."""
    costs = in_clones(
        db_url, lambda clones: measure_searches(clones, size, beside_strangers=strangers)
    )
    report_costs("search", searches_found(costs, size), costs, as_json, save)
    fail_unless(not check or all(cost.reached for cost in costs))


@app.command()
def size(
    size: Annotated[int, typer.Option(min=3_200, help="Messages of each kind.")] = 100_000,
    check: Check = False,
    as_json: AsJson = False,
    save: Save = False,
    db_url: Url = None,
) -> None:
    """Print what a message takes on disk, by table, beside the baseline schema."""
    sizes = in_clones(db_url, lambda clones: measure_sizes(clones, size))
    costs = bars_of(sizes)
    if not as_json:
        show_sizes(sizes, Console(highlight=False))
    report_costs("size", sizes_found(sizes, size), costs, as_json, save)
    fail_unless(not check or all(cost.reached for cost in costs))


@app.command()
def costs(
    size: Annotated[int, typer.Option(min=2, help="People of the announcement.")] = 10_000,
    runs: Annotated[int, typer.Option(min=1, help="Turns of sixteen calls.")] = 40,
    as_json: AsJson = False,
    save: Save = False,
    db_url: Url = None,
) -> None:
    """Print what a push, a mention, a rule and a file add to a send, and what a heartbeat costs."""
    figures = in_clones(db_url, lambda clones: measure_costs(clones, size, runs))
    text = costs_found(figures, size, runs)
    if as_json:
        sys.stdout.write(text)
    else:
        show_figures(figures, Console(highlight=False))
    if save:
        (RESULTS / "costs.json").write_text(text)


@app.command()
def catchup(
    quick: Quick = False,
    check: Check = False,
    as_json: AsJson = False,
    save: Save = False,
    db_url: Url = None,
) -> None:
    """Compare ways to catch up: bytes, round trips, time, and what is missed while others write."""
    finish(in_clones(db_url, partial(catch_up, quick)), check, as_json, save)


@app.command()
def curve(  # noqa: PLR0917 (typer's options)
    size: Annotated[int, typer.Option(min=20_000, help="Messages of the largest.")] = CURVE,
    quick: Quick = False,
    check: Check = False,
    as_json: AsJson = False,
    save: Save = False,
    db_url: Url = None,
) -> None:
    """Measure what reads cost from ten thousand messages up, by factors of ten."""
    finish(in_clones(db_url, partial(draw_curve, quick, size)), check, as_json, save)


@app.command()
def rls(
    quick: Quick = False,
    check: Check = False,
    as_json: AsJson = False,
    save: Save = False,
    db_url: Url = None,
) -> None:
    """Compare policies: none, ours, and those commonly recommended, in 10 to 1,000 rooms."""
    finish(in_clones(db_url, partial(compare_policies, quick)), check, as_json, save)


@app.command()
def realtime(
    quick: Quick = False, check: Check = False, as_json: AsJson = False, save: Save = False
) -> None:
    """Measure joins and deliveries, in Postgres alone and through our Realtime."""
    finish(asyncio.run(run_in_own_stack(partial(join_and_deliver, quick))), check, as_json, save)


@app.command()
def capacity(
    quick: Quick = False,
    as_json: AsJson = False,
    save: Save = False,
    db_url: Url = None,
) -> None:
    """Tell which resource of a hosted project runs out first, and with how many people a day."""
    finish(in_clones(db_url, partial(tell_capacity, quick)), False, as_json, save)


def finish(outcome: Outcome, check: bool, as_json: bool, save: bool) -> None:
    """Show an outcome, and keep it. Exits 1 with ``check`` when a bar is not reached."""
    text = outcome_found(outcome)
    if as_json:
        sys.stdout.write(text)
    else:
        show_outcome(outcome, Console(highlight=False))
    if save:
        (RESULTS / f"{outcome.benchmark}.json").write_text(text)
        draw_charts(RESULTS)
    fail_unless(not check or all(bar.reached for bar in outcome.bars))


def report_costs(name: str, text: str, costs: list[Cost], as_json: bool, save: bool) -> None:
    """Print costs, and keep them."""
    if as_json:
        sys.stdout.write(text)
    else:
        show_costs(costs, Console(highlight=False))
    if save:
        (RESULTS / f"{name}.json").write_text(text)
        draw_size_results(RESULTS)


def fail_unless(is_reached: bool) -> None:
    """Exit 1 when a bar is not reached."""
    if not is_reached:
        raise typer.Exit(1)


@app.command()
def draw() -> None:
    """Draw bench/results again."""
    draw_charts(RESULTS)


Folder = Annotated[Path, typer.Option(help="Where the results are.", file_okay=False)]


@app.command()
def report(
    quick: Quick = False,
    results: Folder = RESULTS,
    page: Annotated[
        Path | None,
        typer.Option(help="Where the page goes: docs/performance.md, or beside other results."),
    ] = None,
) -> None:
    """Measure what has no result yet, and make the page of all results."""
    if quick and results == RESULTS:
        raise typer.BadParameter("What --quick measures belongs into another --results folder.")
    results.mkdir(parents=True, exist_ok=True)
    missing = [name for name in benchmarks() if not (results / f"{name}.json").exists()]
    if missing:
        asyncio.run(run_in_own_stack(partial(measure_missing, missing, quick, results)))
    default = PAGE if results == RESULTS else results / PAGE.name
    write_page(results, page or default)


def measure_missing(names: list[str], quick: bool, results: Path, status: Status) -> None:
    """Measure some benchmarks one after the other, and keep each when it is done."""
    measures = everything(quick, words.print)
    for name in names:
        words.print(f"{name}: measuring")
        (results / f"{name}.json").write_text(measures[name](status))


@app.command()
def check(results: Folder = RESULTS) -> None:
    """Hold saved results against what was promised. Exits 1 where one does not reach it."""
    found = load_results(results)
    absent = [name for name in benchmarks() if name not in found]
    for name in absent:
        words.print(f"{name} has no result in {results}: scripts/bench.py {name} --save")
    bars = [(name, bar) for name, result in found.items() for bar in saved_bars(result)]
    show_promises(bars, Console(highlight=False))
    fail_unless(not absent and all(bar["reached"] for _, bar in bars))


if __name__ == "__main__":
    try:
        app()
    except ParleyError as error:
        sys.stderr.write(f"{error.detail}\n{error.hint}\n")
        sys.exit(1)
