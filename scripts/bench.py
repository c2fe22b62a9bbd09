"""Measures Parley against what it has to reach, in turns with what it is compared to."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench.comparison import Bar, Comparison, compare  # noqa: E402
from bench.databases import Clones, cloned  # noqa: E402
from bench.inbox import INBOX_BARS, prepare_inboxes  # noqa: E402
from bench.load import Load  # noqa: E402
from bench.page import PAGE_BARS, prepare_pages  # noqa: E402
from bench.picture import draw_results  # noqa: E402
from bench.send import SEND_BARS, prepare_sends  # noqa: E402
from bench.tables import show  # noqa: E402

from parley.errors import ParleyError  # noqa: E402
from parley.stack import Stack  # noqa: E402
from parley.stack.control import remove  # noqa: E402

RESULTS = ROOT / "bench" / "results"

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
Save = Annotated[bool, typer.Option("--save", help="Write bench/results and draw them.")]


@dataclass(frozen=True)
class Benchmark:
    """What is measured, how much of it, and what is done with the outcome."""

    name: str
    prepare: Callable[[Clones, int], list[Load]]
    bars: list[Bar]
    size: int
    seconds: float
    runs: int
    check: bool
    as_json: bool
    save: bool

    def run(self, url: str) -> Comparison:
        """Measure in clones of a database."""
        with cloned(url) as clones:
            words.print(f"{self.name}: filling the databases")
            loads = self.prepare(clones, self.size)
            return compare(
                self.name,
                loads,
                self.bars,
                runs=self.runs,
                seconds=self.seconds,
                tell=words.print,
            )

    def report(self, url: str | None) -> None:
        """Measure and show. Exits 1 with ``check`` when a bar is not reached."""
        comparison = self.run(url) if url else asyncio.run(run_in_own_stack(self.run))
        found = comparison.to_json() | {
            "size": self.size,
            "seconds": self.seconds,
            "runs": self.runs,
        }
        text = json.dumps(found, indent=2) + "\n"
        if self.as_json:
            sys.stdout.write(text)
        else:
            show(comparison, Console(highlight=False))
        if self.save:
            (RESULTS / f"{self.name}.json").write_text(text)
            draw_results(RESULTS)
        if self.check and not all(verdict.reached for verdict in comparison.verdicts()):
            raise typer.Exit(1)


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
    """Compare sending with the tables the seeds describe, and with a bare insert."""
    Benchmark("send", prepare_sends, SEND_BARS, size, seconds, runs, check, as_json, save).report(
        db_url
    )


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
    Benchmark("page", prepare_pages, PAGE_BARS, size, seconds, runs, check, as_json, save).report(
        db_url
    )


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
    Benchmark(
        "inbox", prepare_inboxes, INBOX_BARS, size, seconds, runs, check, as_json, save
    ).report(db_url)


@app.command()
def draw() -> None:
    """Draw bench/results again."""
    draw_results(RESULTS)


async def run_in_own_stack(run: Callable[[str], Comparison]) -> Comparison:
    """Run a benchmark in a stack of its own, before REST and Realtime start and cost anything."""
    outcomes = []

    async def before_services(stack: Stack) -> None:
        outcomes.append(await asyncio.to_thread(run, stack.status.db_url))

    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        stack = Stack(Path(folder), port=0, db_port=0, project=ROOT)
        try:
            await stack.up(before_services)
        finally:
            await stack.down()
            await remove(Path(folder))
    return outcomes[0]


if __name__ == "__main__":
    try:
        app()
    except ParleyError as error:
        sys.stderr.write(f"{error.detail}\n{error.hint}\n")
        sys.exit(1)
