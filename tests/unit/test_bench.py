"""How candidates are compared, and how the outcome is told and drawn."""

from __future__ import annotations

import importlib.util
import json
import sys
from io import StringIO
from pathlib import Path
from random import Random
from types import ModuleType
from uuid import UUID
from xml.etree import ElementTree

import pytest
from bench.comparison import Bar, Comparison
from bench.inbox import INBOX_BARS
from bench.load import Figures, Line, claims_of
from bench.page import PAGE_BARS
from bench.picture import draw_results, headway
from bench.send import BATCH, SEND_BARS, of_insert, of_send_message, of_send_messages
from bench.tables import show
from rich.console import Console
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results"
LINE = Line("6f1c5a3e-0000-4000-8000-000000000001", ("room",), ("a body",))


def round_of(ours: float, theirs: float) -> dict[str, Figures]:
    return {"ours": Figures(ours, 1, 2), "theirs": Figures(theirs, 4, 5)}


FASTER = Bar("ours against theirs", "ours", "theirs", at_least=1.2)
SHORTER = Bar("time of theirs", "theirs", "ours", "p50_ms", at_most=1.3)


@pytest.fixture
def comparison() -> Comparison:
    """Three rounds; in the slow one both sides are slow."""
    return Comparison(
        "send", [round_of(300, 200), round_of(30, 20), round_of(280, 200)], [FASTER, SHORTER]
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


def test_the_tables_tell_every_bar_and_candidate(comparison: Comparison) -> None:
    console = Console(width=120, record=True, file=StringIO())
    show(comparison, console)
    text = console.export_text()
    for words in ("ours against theirs", "≥ 1.2", "1.50", "yes", "≤ 1.3", "no", "280", "4.00"):
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


def test_the_committed_picture_is_that_of_the_committed_results(tmp_path: Path) -> None:
    for file in RESULTS.glob("*.json"):
        (tmp_path / file.name).write_text(file.read_text())
    draw_results(tmp_path)
    assert (tmp_path / "ratios.svg").read_text() == (RESULTS / "ratios.svg").read_text()


@pytest.mark.parametrize(
    ("name", "bars"), [("send", SEND_BARS), ("page", PAGE_BARS), ("inbox", INBOX_BARS)]
)
def test_the_committed_results_are_held_against_these_bars(name: str, bars: list[Bar]) -> None:
    result = json.loads((RESULTS / f"{name}.json").read_text())
    assert [(bar["claim"], bar["needed"]) for bar in result["bars"]] == [
        (bar.claim, bar.needed) for bar in bars
    ]


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
    for name in ("send", "page", "inbox", "draw"):
        result = CliRunner().invoke(command.app, [name, "--help"])
        assert result.exit_code == 0
