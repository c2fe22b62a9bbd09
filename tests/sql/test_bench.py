"""Runs every benchmark small, so that it works when somebody needs its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench.py"


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


def test_a_database_in_use_is_a_sentence(database: str) -> None:
    result = run_benchmark(database, "page", "--size", "1")
    assert result.returncode == 1
    assert "cannot be cloned while somebody is connected" in result.stderr
    assert "--db-url" in result.stderr
    assert "Traceback" not in result.stderr
