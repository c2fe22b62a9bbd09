"""Runs every benchmark small, so that it works when somebody needs its figures."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import psycopg
import pytest
from bench.databases import (
    add_people,
    cloned,
    new_ids,
    open_direct_rooms,
    store_words,
    write_history,
)
from bench.report import benchmarks
from bench.rls import FORMS, OURS
from bench.search import measure_searches

from parley.inspection.promises import read_promises

pytestmark = pytest.mark.lasts(60)

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "bench.py"
RESULTS = ROOT / "bench" / "results"
MEASURED = {"catchup", "curve", "rls", "realtime", "capacity"}
"""What is measured here with little; the other benchmarks have tests of their own."""


def run_benchmark(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words, "--db-url", url],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


SMALL = {
    "send": ["--size", "16"],
    "page": ["--size", "3"],
    "streamed": ["--size", "3"],
}


@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_measures_clones_and_drops_them(
    name: str, database: str, postgresql: psycopg.Connection
) -> None:
    postgresql.close()
    # So short that on some machine nothing ends in it: a run then lasts until something has.
    options = [*SMALL[name], "--runs", "1", "--seconds", "0.01", "--json"]
    result = run_benchmark(database, name, *options)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["benchmark"] == name
    assert all(bar["measured"] > 0 for bar in report["bars"])
    assert all(figures["per_second"] > 0 for figures in report["medians"].values())
    with psycopg.connect(database) as connection:
        left = connection.execute("select datname from pg_database where datname ~ '^bench_'")
        assert left.fetchall() == []


def test_the_costs_of_sends_heartbeats_and_claims_are_told_with_their_units(
    database: str, postgresql: psycopg.Connection
) -> None:
    postgresql.close()
    result = run_benchmark(database, "costs", "--size", "20", "--runs", "1", "--json")
    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)["figures"]
    assert {figure["unit"] for figure in figures} == {"µs", "times", "recipients/s", "MB"}
    assert all(figure["measured"] > 0 for figure in figures if figure["unit"] != "MB")


def test_searches_are_measured_alone_and_beside_strangers(
    database: str, postgresql: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgresql.close()
    monkeypatch.setattr("bench.search.FLOOD", 200)
    monkeypatch.setattr("bench.search.RUNS", 1)
    with cloned(database) as clones:
        alone = measure_searches(clones, 500, beside_strangers=False)
        costs = measure_searches(clones, 500, beside_strangers=True)
    assert [cost.claim for cost in costs[:6]] == [cost.claim for cost in alone]
    assert len(costs) == 12
    assert all(cost.measured > 0 for cost in [*alone, *costs])


@pytest.mark.parametrize("share", [2, 3, 2_000_000_000])
def test_a_bulk_load_fills_rooms_without_gaps_and_leaves_the_schema_as_it_was(
    share: int, postgresql: psycopg.Connection
) -> None:
    postgresql.autocommit = True
    before = read_promises(postgresql)
    me, *others = new_ids(8)
    add_people(postgresql, [me, *others])
    rooms = open_direct_rooms(postgresql, [(me, other) for other in others])
    write_history(postgresql, me, others, rooms, total=999, share=share)
    store_words(postgresql, rooms)
    found = postgresql.execute(
        "select count(*), max(m.seq), max(r.last_seq) from chat.messages as m"
        " join chat.rooms as r on r.id = m.room_id group by r.id"
    ).fetchall()
    assert all(count == highest == last for count, highest, last in found)
    assert (len(found), sum(count for count, _, _ in found)) == (7, 999)
    found = postgresql.execute("select max(b.upto) from chat_private.search_blocks as b").fetchall()
    assert found[0][0] > 100
    assert read_promises(postgresql) == before


def report(folder: Path) -> str:
    """Measure with little what a folder has no result of; return the page of all results."""
    result = subprocess.run(
        [sys.executable, str(SCRIPT), "report", "--quick", "--results", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert result.returncode == 0, result.stderr
    return (folder / "performance.md").read_text()


def shows_everything(page: str, folder: Path) -> None:
    """Every benchmark has its place on a page, and every chart can be drawn."""
    assert "<!--" not in page
    for name in benchmarks():
        assert (folder / f"{name}.json").exists(), name
        assert f"`scripts/bench.py {name} --save`" in page
    shown = re.findall(r"!\[[^]]+\]\(\./(.+\.svg)\)", page)
    assert len(shown) == len(set(shown)) > 15
    for name in shown:
        ElementTree.fromstring((folder / name).read_text())


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose results are the committed ones, but for those that are measured here."""
    folder = tmp_path_factory.mktemp("numbers")
    for name in set(benchmarks()) - MEASURED:
        shutil.copy(RESULTS / f"{name}.json", folder)
    shows_everything(report(folder), folder)
    return folder


@pytest.mark.long
def test_a_report_from_an_empty_folder_measures_and_shows_every_benchmark(tmp_path: Path) -> None:
    shows_everything(report(tmp_path), tmp_path)


def test_a_report_measures_what_is_missing_and_leaves_the_other_results(numbers: Path) -> None:
    for name in benchmarks():
        committed = (RESULTS / f"{name}.json").read_text()
        is_kept = (numbers / f"{name}.json").read_text() == committed
        assert is_kept == (name not in MEASURED), name


def charts_of(numbers: Path, name: str) -> dict[str, dict[str, list[list[float]]]]:
    """Return the series of each chart of a result."""
    found = json.loads((numbers / f"{name}.json").read_text())
    return {chart["name"]: chart["series"] for chart in found["charts"]}


def test_a_device_that_pulls_misses_nothing_while_others_write(numbers: Path) -> None:
    found = charts_of(numbers, "catchup")
    assert found["missed"]["pull_changes"] == [[20, 0], [100, 0]]
    # The others do miss some, so something is missed where it can be.
    assert sum(missed for points in found["missed"].values() for _, missed in points) > 0
    assert all(value > 0 for points in found["bytes"].values() for _, value in points)


def test_the_curve_has_a_point_of_every_read_for_every_size(numbers: Path) -> None:
    found = charts_of(numbers, "curve")
    points = [each for chart in ("reads", "search") for each in found[chart].values()]
    assert len(points) == 8
    assert all([size for size, _ in each] == [10_000, 20_000] for each in points)
    assert all(cost > 0 for each in points for _, cost in each)


def test_every_form_of_a_policy_is_measured_for_every_act(numbers: Path) -> None:
    found = charts_of(numbers, "rls")
    for act in ("page", "inbox", "send"):
        assert set(found[act]) == {*FORMS.values(), OURS}
        assert all(cost > 0 for points in found[act].values() for _, cost in points)


def test_joins_and_deliveries_are_measured_through_a_server(numbers: Path) -> None:
    found = charts_of(numbers, "realtime")
    for name in ("sql", "joins", "join-cost", "join-times", "deliveries", "delivery-times"):
        assert all(value > 0 for points in found[name].values() for _, value in points), name


def test_every_plan_has_a_resource_that_runs_out_first(numbers: Path) -> None:
    found = json.loads((numbers / "capacity.json").read_text())
    people = charts_of(numbers, "capacity")["people"]
    for plan, points in people.items():
        amounts = {str(resource): amount for resource, amount in points}
        assert amounts[found["first"][plan]] == min(amounts.values()) > 0


def test_a_database_in_use_is_a_sentence(database: str) -> None:
    result = run_benchmark(database, "page", "--size", "1")
    assert result.returncode == 1
    assert "cannot be cloned while somebody is connected" in result.stderr
    assert "--db-url" in result.stderr
    assert "Traceback" not in result.stderr
