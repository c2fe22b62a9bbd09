"""``parley doctor`` on a database finds what is not as the migrations promise, and only that."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from parley.inspection import inspect_database
from parley.inspection.advisors import without_password
from parley.inspection.database import describe_database
from parley.inspection.promises import kept_promises, read_promises
from parley.stack import Status
from parley.stack.doctor import Finding

ROOT = Path(__file__).parent.parent.parent

FAULTS = [
    (
        "row level security",
        "alter table chat.pins disable row level security",
        "missing: chat.pins",
    ),
    ("policies", 'create policy "all" on chat.messages using (true)', 'not promised: "all" on'),
    ("policies", 'drop policy "members read pins of what they may read" on chat.pins', "missing: "),
    (
        "policies",
        'drop policy "people listen to their own topics" on realtime.messages',
        'missing: "people listen to their own topics" on realtime.messages',
    ),
    (
        "grants on tables",
        "grant insert on chat.messages to authenticated",
        "not promised: insert on chat.messages to authenticated",
    ),
    ("grants on tables", "grant select on chat.rooms to anon", "select on chat.rooms to anon"),
    (
        "grants on tables",
        "grant update (body) on chat.messages to authenticated",
        "not promised: update on body of chat.messages to authenticated",
    ),
    (
        "grants on tables",
        "revoke select on chat.pins from authenticated",
        "missing: select on chat.pins to authenticated",
    ),
    (
        "grants on functions",
        "grant execute on function chat.list_heads() to public",
        " to public",
    ),
    (
        "grants on schemas",
        "grant usage on schema chat_private to authenticated",
        "not promised: usage on schema chat_private to authenticated",
    ),
    (
        "definer functions",
        "alter function chat.list_heads() security definer",
        "not promised: chat.list_heads()",
    ),
    ("functions", "drop function chat.list_heads()", "list_heads"),
    (
        "migrations",
        "delete from supabase_migrations.schema_migrations where version = '20261121001400'",
        "not applied: 20261121001400",
    ),
    ("migrations", "drop schema supabase_migrations cascade", "not applied: 20261121000100"),
    ("extensions", "drop extension unaccent cascade", "unaccent"),
    ("schema", "drop schema chat cascade", "chat"),
]

FAKE_CRON = """
create schema cron;
create table cron.job (
  jobid bigint generated always as identity, jobname text, command text,
  active boolean not null default true
);
create table cron.job_run_details (
  jobid bigint, status text, return_message text, start_time timestamptz default clock_timestamp()
);
create function cron.unschedule(job_id bigint) returns boolean language sql as
$$ delete from cron.job where jobid = job_id returning true $$;
insert into cron.job (jobname, command) values ('parley', 'select chat.run_maintenance()');
"""


def look(url: str) -> list[Finding]:
    """Return what is found without the advisors, who take their time."""
    with psycopg.connect(url) as connection:
        connection.read_only = True
        return describe_database(connection)


def bad(url: str) -> dict[str, str]:
    """Return what is wrong, by name."""
    return {each.name: each.detail for each in look(url) if not each.good}


async def test_a_migrated_database_is_well_and_a_look_changes_nothing(stack: Status) -> None:
    found = inspect_database(stack.db_url)
    assert [each for each in found if not each.good] == []
    assert found[-1].name == "advisors"
    assert len(found) > 15


@pytest.mark.parametrize(("name", "statement", "detail"), FAULTS)
async def test_a_fault_is_found_and_has_a_remedy(
    database: str, name: str, statement: str, detail: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(statement.encode())
    found = {each.name: each for each in look(database) if not each.good}
    assert detail in found[name].detail
    assert found[name].hint


async def test_the_snapshot_of_the_package_is_what_the_migrations_leave(stack: Status) -> None:
    """The remedy when it is not: scripts/gen_types.py."""
    with psycopg.connect(stack.db_url) as connection:
        assert read_promises(connection) == kept_promises()


async def test_the_job_has_to_be_there_and_to_succeed(database: str) -> None:
    assert "cron jobs" not in bad(database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(FAKE_CRON.encode())
        assert {"cron jobs", "last runs of cron jobs"}.isdisjoint(bad(database))
        connection.execute("insert into cron.job_run_details values (1, 'failed', 'no such role')")
        assert bad(database)["last runs of cron jobs"] == "parley: no such role"
        connection.execute("insert into cron.job_run_details values (1, 'succeeded', '1 row')")
        assert "last runs of cron jobs" not in bad(database)
        connection.execute("update cron.job set active = false")
        assert bad(database)["cron jobs"] == "none calls chat.run_maintenance()"


async def test_a_missing_partition_is_named(database: str, stack: Status) -> None:
    name = conninfo_to_dict(database)["dbname"]
    with psycopg.connect(stack.admin_db_url, dbname=str(name), autocommit=True) as connection:
        day = connection.execute("select to_char(current_date + 1, 'YYYY_MM_DD')").fetchone()
        assert day is not None
        partition = sql.Identifier("realtime", f"messages_{day[0]}")
        connection.execute(sql.SQL("drop table {}").format(partition))
    assert bad(database)["partitions of realtime.messages"] == f"no messages_{day[0]}"


async def test_who_may_not_look_is_told_to_be_postgres(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create role onlooker login password 'looks'")
    try:
        url = database.replace("//postgres:", "//onlooker:", 1)
        password = conninfo_to_dict(database)["password"]
        found = inspect_database(url.replace(f":{password}@", ":looks@", 1))
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("drop role onlooker")
    assert [(each.name, each.good) for each in found] == [("rights", False)]
    assert found[0].hint == "Connect as the role postgres."


async def test_a_closed_account_in_a_room_is_work_that_was_not_done(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute((ROOT / "supabase" / "seed.sql").read_bytes())
        connection.execute("update chat.profiles set closed_at = now() where display_name = 'Cat'")
        assert "maintenance" not in bad(database)
        connection.execute(
            "update chat.profiles set closed_at = now() - interval '2 hours'"
            " where display_name = 'Cat'"
        )
    assert bad(database)["maintenance"].startswith("1 closed accounts")


async def test_a_database_that_is_away_is_a_finding() -> None:
    (found,) = inspect_database("postgresql://nobody@127.0.0.1:9/none")
    assert (found.name, found.good) == ("connection", False)


def test_the_command_prints_findings_as_json(stack: Status) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "parley.cli", "doctor", "--db-url", stack.db_url, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "grants on tables" in {each["name"] for each in json.loads(done.stdout)}


def test_the_password_is_not_in_the_words_of_a_command() -> None:
    url, password = without_password("postgresql://postgres:s3cret@db.example:6543/postgres")
    assert (url, password) == ("postgresql://postgres@db.example:6543/postgres", "s3cret")
    assert without_password("postgresql://a:b@127.0.0.1/x")[0].endswith("?sslmode=disable")
