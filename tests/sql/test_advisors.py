"""The Supabase advisors have nothing to say about the schema, and would if there were something."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psycopg

CLI = Path(__file__).parents[2] / "node_modules" / "supabase" / "dist" / "supabase.js"


def advise(connection: psycopg.Connection, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the advisors of the Supabase CLI on a database."""
    info = connection.info
    url = f"postgresql://{info.user}@{info.host}:{info.port}/{info.dbname}?sslmode=disable"
    command = ["node", str(CLI), "db", "advisors", "--fail-on", "warn", "--agent", "no"]
    return subprocess.run(
        [*command, f"--remote={url}"],
        cwd=folder,
        env={
            **os.environ,
            "PGPASSWORD": info.password,
            "SUPABASE_HOME": str(folder),
            "SUPABASE_TELEMETRY_DISABLED": "1",
            "DO_NOT_TRACK": "1",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_advisors_find_nothing(postgresql: psycopg.Connection, tmp_path: Path) -> None:
    postgresql.autocommit = True
    postgresql.execute("drop schema tests cascade")
    answer = advise(postgresql, tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_advisors_would_find_an_open_table(
    postgresql: psycopg.Connection, tmp_path: Path
) -> None:
    postgresql.autocommit = True
    postgresql.execute("create table public.open_to_all (id bigint primary key)")
    postgresql.execute("grant select on public.open_to_all to anon")
    answer = advise(postgresql, tmp_path)
    assert answer.returncode != 0
    assert "rls_disabled_in_public" in answer.stdout + answer.stderr
