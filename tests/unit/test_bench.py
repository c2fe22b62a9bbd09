"""How candidates are compared, and how the outcome is told and drawn."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from functools import partial
from io import StringIO
from math import log10
from pathlib import Path
from random import Random
from types import ModuleType
from uuid import UUID
from xml.etree import ElementTree

import pytest
from bench.chart import draw_size_results
from bench.comparison import PROCESSOR, Bar, Comparison
from bench.inbox import INBOX_BARS
from bench.load import Figures, Line, claims_of
from bench.meter import in_turns
from bench.page import PAGE_BARS
from bench.picture import draw_results, headway
from bench.plot import cells_of, draw_chart
from bench.report import benchmarks, draw_charts, page_of
from bench.send import BATCH, SEND_BARS, of_insert, of_send_message, of_send_messages
from bench.tables import show
from rich.console import Console
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results"
SVG = "{http://www.w3.org/2000/svg}"
LINE = Line("6f1c5a3e-0000-4000-8000-000000000001", ("room",), ("a body",))


def round_of(ours: float, theirs: float) -> dict[str, Figures]:
    return {"ours": Figures(ours, 1, 2), "theirs": Figures(theirs, 4, 5)}


FASTER = Bar("ours against theirs", "ours", "theirs", at_least=1.2)
SHORTER = Bar("time of theirs", "theirs", "ours", "p50_ms", at_most=1.3)
CHEAPER = Bar("processor time of ours", "ours", "theirs", PROCESSOR, at_least=1.4)


@pytest.fixture
def comparison() -> Comparison:
    """Three rounds; in the slow one both sides are slow."""
    return Comparison(
        "send",
        [round_of(300, 200), round_of(30, 20), round_of(280, 200)],
        [{"ours": 0.5, "theirs": 1}, {"ours": 5, "theirs": 9}, {"ours": 0.4, "theirs": 1}],
        [FASTER, SHORTER, CHEAPER],
    )


@pytest.fixture(scope="module")
def command() -> ModuleType:
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("bench_script", ROOT / "scripts" / "bench.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_script"] = module
    spec.loader.exec_module(module)
    return module


def test_a_ratio_is_the_median_of_the_rounds_and_not_of_the_figures(
    comparison: Comparison,
) -> None:
    verdict = comparison.verdict(FASTER)
    assert verdict.measured == pytest.approx(1.5)
    assert (verdict.lowest, verdict.highest) == pytest.approx((1.4, 1.5))
    assert verdict.reached


def test_a_bar_is_reached_from_its_own_side() -> None:
    assert FASTER.is_reached(1.2)
    assert not FASTER.is_reached(1.19)
    assert SHORTER.is_reached(1.3)
    assert not SHORTER.is_reached(1.31)
    assert (FASTER.needed, SHORTER.needed) == ("≥ 1.2", "≤ 1.3")


def test_times_are_compared_where_the_bar_asks_for_times(comparison: Comparison) -> None:
    verdict = comparison.verdict(SHORTER)
    assert verdict.measured == pytest.approx(4)
    assert not verdict.reached


def test_processor_time_is_compared_turn_by_turn_and_less_of_it_is_more(
    comparison: Comparison,
) -> None:
    verdict = comparison.verdict(CHEAPER)
    assert verdict.measured == pytest.approx(2)
    assert (verdict.lowest, verdict.highest) == pytest.approx((1.8, 2.5))
    assert comparison.costs() == {"ours": 0.5, "theirs": 1}


def test_the_tables_tell_every_bar_and_candidate(comparison: Comparison) -> None:
    console = Console(width=120, record=True, file=StringIO())
    show(comparison, console)
    text = console.export_text()
    bars = ("ours against theirs", "≥ 1.2", "1.50", "yes", "≤ 1.3", "no")
    for words in (*bars, "280", "4.00", "0.500"):
        assert words in text


def test_a_longer_ratio_lies_beyond_the_bar_and_a_shorter_one_short_of_it() -> None:
    assert headway({"needed": "≥ 1.2", "measured": 2.4}) == pytest.approx(1)
    assert headway({"needed": "≥ 1.2", "measured": 0.6}) == pytest.approx(-1)
    assert headway({"needed": "≤ 1.3", "measured": 0.65}) == pytest.approx(1)
    assert headway({"needed": "≤ 1.3", "measured": 2.6}) == pytest.approx(-1)


def test_the_picture_shows_what_the_results_say(comparison: Comparison, tmp_path: Path) -> None:
    (tmp_path / "send.json").write_text(json.dumps(comparison.to_json()))
    draw_results(tmp_path)
    picture = (tmp_path / "ratios.svg").read_text()
    words = "".join(ElementTree.fromstring(picture).itertext())
    assert "ours against theirs" in words
    assert "1.50 (≥ 1.2)" in words
    assert "4.00 (≤ 1.3)" in words


def test_the_committed_pictures_are_those_of_the_committed_results(tmp_path: Path) -> None:
    for file in RESULTS.glob("*.json"):
        (tmp_path / file.name).write_text(file.read_text())
    draw_charts(tmp_path)
    assert {file.name for file in tmp_path.glob("*.svg")} == {
        file.name for file in RESULTS.glob("*.svg")
    }
    for file in tmp_path.glob("*.svg"):
        assert file.read_text() == (RESULTS / file.name).read_text(), file.name


def test_the_committed_page_is_that_of_the_committed_results() -> None:
    page = ROOT / "docs" / "performance.md"
    assert page.read_text() == page_of(RESULTS, "../bench/results")


def test_the_picture_of_sizes_stacks_tables_and_indexes_and_names_them(tmp_path: Path) -> None:
    tables = {"a": {"a": 200.0, "a_pkey": 60.4}, "b": {"b": 53.0, "b_pkey": 0.2}}
    sizes = [
        {"text": "32 characters", "schema": schema, "tables": tables}
        for schema in ("Parley", "baseline")
    ]
    (tmp_path / "size.json").write_text(json.dumps({"tables": sizes}))
    draw_size_results(tmp_path)
    picture = ElementTree.fromstring((tmp_path / "sizes.svg").read_text())
    words = list(picture.itertext())
    for expected in ("Parley, 32 characters", "313", "a_pkey: 60", "b"):
        assert expected in words
    # What takes less than a byte is left out.
    assert "b_pkey" not in words
    bars = [
        rectangle
        for rectangle in picture.iter("{http://www.w3.org/2000/svg}rect")
        if len(rectangle)
    ]
    ends = [float(bar.attrib["x"]) + float(bar.attrib["width"]) for bar in bars[:2]]
    assert ends == pytest.approx([float(bar.attrib["x"]) for bar in bars[1:3]], abs=0.2)


def test_candidates_take_turns_and_the_first_rounds_do_not_count() -> None:
    order: list[str] = []
    rounds = in_turns(
        {name: (os.getpid(), partial(order.append, name)) for name in ("one", "two")}, 3
    )
    assert order == ["one", "two", "two", "one"] * 2 + ["one", "two"]
    assert [list(costs) for costs in rounds] == [["one", "two"]] * 3
    assert all(cost >= 0 for costs in rounds for cost in costs.values())


@pytest.mark.parametrize(
    ("name", "bars"), [("send", SEND_BARS), ("page", PAGE_BARS), ("inbox", INBOX_BARS)]
)
def test_the_committed_results_are_held_against_these_bars(name: str, bars: list[Bar]) -> None:
    result = json.loads((RESULTS / f"{name}.json").read_text())
    assert [(bar["claim"], bar["needed"]) for bar in result["bars"]] == [
        (bar.claim, bar.needed) for bar in bars
    ]


CHART = {
    "name": "reads",
    "title": "Reads & more",
    "unit": "ms",
    "across": "messages",
    "series": {"inbox": [[10_000, 2.5], [1_000_000, 250]], "<page>": [[10_000, 1], [1_000_000, 1]]},
}


def test_lines_rise_by_the_same_distance_for_the_same_factor() -> None:
    picture = ElementTree.fromstring(draw_chart(CHART | {"kind": "lines"}))
    words = list(picture.itertext())
    for expected in ("Reads & more", "ms", "messages", "10,000", "1,000,000", "250 inbox"):
        assert expected in words
    lines = [line for line in picture.iter(f"{SVG}polyline") if "style" not in line.attrib]
    first, second = (
        [tuple(map(float, at.split(","))) for at in line.attrib["points"].split()] for line in lines
    )
    assert second[0][1] == second[1][1] > first[0][1]
    # From 1 to 2.5 is log 2.5, from 2.5 to 250 is log 100.
    rise = (first[0][1] - first[1][1]) / (second[0][1] - first[0][1])
    assert rise == pytest.approx(2 / log10(2.5), rel=0.02)


def test_bars_begin_at_nothing_and_dots_have_a_row_for_each_place() -> None:
    bars = ElementTree.fromstring(draw_chart(CHART | {"kind": "bars"}))
    widths = [float(bar.attrib["width"]) for bar in bars.iter(f"{SVG}rect")][1:]
    # Two of 10,000 and two of 1,000,000, in this order; what is less than a point is one wide.
    assert widths[2] == pytest.approx(100 * widths[0], rel=0.01)
    assert widths[1] == pytest.approx(widths[3])
    named = {"kind": "dots", "series": {"Free": [["disk", 20.0]], "Pro": [["disk", 400.0]]}}
    dots = ElementTree.fromstring(draw_chart(CHART | named))
    assert list(dots.itertext()).count("disk") == 1
    assert cells_of(CHART | named)[1] == ["disk", "20", "400"]


def test_results_are_held_against_their_bars_again(command: ModuleType, tmp_path: Path) -> None:
    for name in benchmarks():
        (tmp_path / f"{name}.json").write_text(json.dumps({"benchmark": name, "bars": []}))
    good = {"claim": "a claim", "needed": "≥ 2", "measured": 3.0, "reached": True}
    result_of = tmp_path / "rls.json"
    result_of.write_text(json.dumps({"bars": [good]}))
    run = partial(CliRunner().invoke, command.app, ["check", "--results", str(tmp_path)])
    reached = run()
    assert (reached.exit_code, "a claim" in reached.stdout) == (0, True)
    result_of.write_text(json.dumps({"bars": [good | {"measured": 1.0, "reached": False}]}))
    assert run().exit_code == 1
    result_of.unlink()
    assert run().exit_code == 1


def test_what_is_measured_with_little_does_not_take_the_place_of_results(
    command: ModuleType,
) -> None:
    result = CliRunner().invoke(command.app, ["report", "--quick"])
    assert result.exit_code == 2


def test_every_message_has_a_client_id_of_its_own() -> None:
    random = Random(1)
    ids = {of_send_message(LINE, random)[2] for _ in range(100)}
    assert len(ids) == 100
    assert all(UUID(each).version == 4 for each in ids)
    assert of_insert(LINE, random)[3] == LINE.user_id
    items = json.loads(of_send_messages(LINE, random)[0])
    assert len({item["client_id"] for item in items}) == BATCH


def test_claims_name_the_person_as_a_token_does() -> None:
    claims = json.loads(claims_of(LINE.user_id))
    assert claims["sub"] == LINE.user_id
    assert claims["role"] == "authenticated"


def test_a_database_out_of_reach_is_a_sentence(command: ModuleType) -> None:
    url = "postgresql://postgres:x@127.0.0.1:1/postgres"
    result = CliRunner().invoke(command.app, ["page", "--db-url", url])
    assert result.exit_code == 1
    assert isinstance(result.exception, command.ParleyError)
    assert "cannot be reached" in str(result.exception)


def test_every_benchmark_has_help(command: ModuleType) -> None:
    for name in [*benchmarks(), "draw", "report", "check"]:
        result = CliRunner().invoke(command.app, [name, "--help"])
        assert result.exit_code == 0
