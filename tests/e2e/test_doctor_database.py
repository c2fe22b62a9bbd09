"""``parley doctor`` on a database finds what is not as the migrations promise, and only that."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from parley.finding import Finding
from parley.inspection import describe_project, inspect_database
from parley.inspection.advisors import ask_advisors, without_password
from parley.inspection.database import describe_content, describe_database
from parley.inspection.dependents import describe_dependents
from parley.inspection.promises import kept_promises, read_promises
from parley.installing.release import this_release
from parley.project import Project
from parley.stack import Status
from parley.versions import __version__
from tests.conftest import cloned

ROOT = Path(__file__).parent.parent.parent

SCHEMA = Path(__file__).with_name("adopter") / "schema.sql"

FAULTS = [
    (
        "row level security",
        "alter table chat.pins disable row level security",
        "Row level security is off for chat.pins.",
    ),
    (
        "policies",
        'create policy "all for us" on chat.messages using (true)',
        'The policy "all for us" on chat.messages was not made by Parley.',
    ),
    (
        "policies",
        'drop policy "members read pins of what they may read" on chat.pins',
        'The policy "members read pins of what they may read" on chat.pins is missing.',
    ),
    (
        "policies",
        'alter policy "members read pins of what they may read" on chat.pins using (true)',
        'The policy "members read pins of what they may read" on chat.pins was changed.',
    ),
    (
        "policies",
        'drop policy "people listen to their own topics" on realtime.messages',
        'The policy "people listen to their own topics" on realtime.messages is missing.',
    ),
    (
        "policies of your own on realtime.messages",
        'create policy "all hear" on realtime.messages for select to authenticated using (true)',
        'The policy "all hear" on realtime.messages lets people receive on topics of Parley that',
    ),
    (
        "policies of your own on realtime.messages",
        'create policy "all speak" on realtime.messages for insert with check'
        " (extension = 'broadcast' and auth.uid() is not null)",
        'The policy "all speak" on realtime.messages lets people send on topics of Parley that',
    ),
    (
        "policies of your own on realtime.messages",
        'create policy "any room" on realtime.messages for select to authenticated'
        " using (realtime.topic() like 'room:%')",
        'The policy "any room" on realtime.messages lets people receive on topics of Parley that',
    ),
    (
        "policies of your own on realtime.messages",
        'create policy "what is joined" on realtime.messages to authenticated using'
        " (topic = (select realtime.topic()) and exists (select from chat.profiles as p"
        " where p.user_id = (select auth.uid())) or (select messages.topic) like 'tenant:%')",
        'The policy "what is joined" on realtime.messages lets people send on topics of Parley',
    ),
    (
        "grants on tables",
        "grant insert on chat.messages to authenticated",
        "Somebody granted insert on chat.messages to authenticated, and Parley does not.",
    ),
    (
        "grants on tables",
        "grant select on chat.rooms to anon",
        "Somebody granted select on chat.rooms to anon, and Parley does not.",
    ),
    (
        "grants on tables",
        "grant update (body) on chat.messages to authenticated",
        "granted update on body of chat.messages to authenticated, and",
    ),
    (
        "grants on tables",
        "revoke select on chat.pins from authenticated",
        "The grant of select on chat.pins to authenticated is missing.",
    ),
    (
        "grants on functions",
        "grant execute on function chat.list_heads() to public",
        "Somebody granted execute on chat.list_heads() to public, and Parley does not.",
    ),
    (
        "grants on schemas",
        "grant usage on schema chat_private to authenticated",
        "Somebody granted usage on schema chat_private to authenticated, and Parley does not.",
    ),
    (
        "definer functions",
        "alter function chat.list_heads() security definer",
        "The function chat.list_heads() runs with its owner's rights, and Parley does not",
    ),
    (
        "definer functions",
        "alter function chat_private.mute_member(uuid, uuid, timestamptz) reset search_path",
        "The function chat_private.mute_member(room_id uuid, user_id uuid, until timestamp with"
        " time zone) runs with another setting of search_path than Parley gives it.",
    ),
    (
        "functions",
        "drop function chat.list_heads()",
        "The function chat.list_heads() is missing.",
    ),
    (
        "functions",
        "create function chat.more() returns int language sql return 1",
        "The function chat.more() is not one that this version of Parley makes.",
    ),
    (
        "functions",
        "create or replace function chat_private.lease() returns interval language plpgsql"
        " immutable set search_path = '', pg_temp as $$ begin return '1 hour'; end; $$",
        "The function chat_private.lease() was changed.",
    ),
    (
        "functions",
        "create or replace function chat.list_heads() returns jsonb language sql stable"
        " set search_path = '', pg_temp return '{}'::jsonb",
        "The function chat.list_heads() was changed.",
    ),
    (
        "functions",
        "alter function chat.list_heads() volatile",
        "The function chat.list_heads() was changed.",
    ),
    ("tables", "create table chat.more ()", "view chat.more is not one that this version of"),
    ("tables", "alter table chat.rooms set (fillfactor = 90)", "view chat.rooms was changed."),
    (
        "tables",
        "alter view chat.message_receipts set (security_invoker = false)",
        "The table or view chat.message_receipts was changed.",
    ),
    (
        "columns",
        "alter table chat.rooms add column color text",
        "The column chat.rooms.color is not one that this version of Parley makes.",
    ),
    (
        "columns",
        "alter table chat.rooms alter column name set default 'room'",
        "The column chat.rooms.name was changed.",
    ),
    (
        "constraints",
        "alter table chat.pins drop constraint pins_pkey cascade",
        "The constraint pins_pkey on chat.pins is missing.",
    ),
    (
        "indexes",
        "create index more on chat.rooms (name)",
        "The index chat.more on chat.rooms is not one that this version of Parley makes.",
    ),
    (
        "types",
        "alter type chat_private.refusal add attribute more text",
        "The type chat_private.refusal was changed.",
    ),
    (
        "triggers",
        "alter table chat.rooms disable trigger _100_check",
        "The trigger _100_check on chat.rooms was changed or disabled.",
    ),
    (
        "comments",
        "comment on column chat.rooms.rev is 'whatever'",
        "The comment on chat.rooms.rev was changed.",
    ),
    ("rows", "delete from chat_private.settings", "There is no row for chat_private.settings."),
    (
        "rows",
        "delete from chat_private.foldings where letter = 'ä'",
        "The rows of chat_private.foldings were changed.",
    ),
    (
        "version",
        "create or replace function chat.version() returns jsonb language sql immutable"
        """ return '{"version": "0.0.9"}'::jsonb""",
        "The database has Parley 0.0.9, and this package is Parley ",
    ),
    ("version", "drop function chat.version()", "The database has a Parley from before 0.1.0"),
    (
        "migrations",
        "delete from supabase_migrations.schema_migrations where version = '20261121001400'",
        "The database has no record that it applied the migration 20261121001400.",
    ),
    (
        "migrations",
        "insert into supabase_migrations.schema_migrations (version) values ('20261121001999')",
        "The folder supabase/migrations here lacks the migration 20261121001999, which",
    ),
    (
        "migrations",
        "drop schema supabase_migrations cascade",
        "no record that it applied the migrations 20261121000100, ",
    ),
    ("schema", "drop schema chat cascade", "so Parley is not installed."),
]

THEIRS = [
    "create table public.documents (id bigint, room_id uuid references chat.rooms)",
    "create function public.leak() returns int language sql security definer as 'select 1'",
    "create view public.room_names as select id, name from chat.rooms",
    "update chat_private.settings set pull_bytes = 524288, people_are_findable = true",
    "create policy "
    '"their policy calls us" on public.channels for select to authenticated'
    " using (chat.list_heads() is not null)",
    "create policy "
    '"their topics" on realtime.messages for select to authenticated'
    " using (realtime.topic() like 'own:%')",
    "create policy "
    '"topics of their channels" on realtime.messages to authenticated'
    " using (exists (select from public.channels as c"
    " where c.id::text = split_part((select realtime.topic()), ':', 2)))",
    "create policy "
    '"their server" on realtime.messages for insert to service_role with check (true)',
    "create policy "
    '"broadcasts only" on realtime.messages as restrictive for select to authenticated'
    " using (extension in ('broadcast', 'presence'))",
    "create trigger theirs after insert on chat.rooms"
    " for each statement execute function public.notice()",
    "create extension citext with schema public",
    "insert into supabase_migrations.schema_migrations (version) values ('20261121093000')",
]
"""What an adopter has beside Parley; the advisors warn of most of it."""

SENTENCE = re.compile(r"[A-Z0-9{].*[.;]", re.DOTALL)
NOT_WORDS = re.compile(r"[\[\]{}]|None|not promised|\bchapter\b")

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


def assert_told_in_words(found: list[Finding]) -> None:
    """Check that each finding is a sentence, and that a remedy comes with each bad one."""
    for each in found:
        said = [each.detail, each.hint] if each.skipped or not each.good else [each.detail]
        for words in said:
            assert SENTENCE.fullmatch(words), each
            assert not NOT_WORDS.search(words), each


def bad(url: str) -> dict[str, str]:
    """Return what is wrong, by name."""
    return {each.name: each.detail for each in look(url) if not each.good}


async def test_a_migrated_database_is_well_and_a_look_changes_nothing(stack: Status) -> None:
    found = inspect_database(stack.db_url)
    assert [each for each in found if not each.good] == []
    assert [each.name for each in found if each.skipped] == ["cron jobs"]
    assert found[-1].name == "advisors"
    assert len(found) > 15
    assert_told_in_words(found)


async def test_what_an_adopter_has_of_their_own_is_not_told(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SCHEMA.read_bytes())
        connection.execute(
            "create function public.notice() returns trigger language plpgsql"
            " as 'begin return null; end'"
        )
        for statement in THEIRS:
            connection.execute(statement.encode())
    found = inspect_database(database)
    assert [each for each in found if not each.good] == []
    assert not any("public" in each.detail for each in found)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter function chat.list_heads() reset search_path")
    advisors = inspect_database(database)[-1]
    assert (advisors.name, advisors.good, advisors.skipped) == ("advisors", False, False)
    assert advisors.detail == "Function `chat.list_heads` has a role mutable search_path."
    assert "https://" in advisors.hint
    assert_told_in_words([advisors])


async def test_the_triggers_that_a_dump_loses_are_missed(database: str, stack: Status) -> None:
    name = str(conninfo_to_dict(database)["dbname"])
    with psycopg.connect(stack.admin_db_url, dbname=name, autocommit=True) as connection:
        connection.execute("drop trigger _100_open_account on auth.users")
        connection.execute("alter table auth.users disable trigger _100_close_account")
    assert bad(database)["triggers"] == (
        "The trigger _100_close_account on auth.users was changed or disabled."
        " The trigger _100_open_account on auth.users is missing."
    )


@pytest.mark.parametrize("fault", ["", "revoke select on chat.pins from authenticated"])
def test_without_checkout_and_npm_packages_the_rest_is_looked_at(
    database: str, tmp_path: Path, fault: str
) -> None:
    """As on a server on which the package was installed with pip."""
    shutil.copytree(ROOT / "src" / "parley", tmp_path / "site" / "parley")
    (tmp_path / "work").mkdir()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(fault.encode())
    done = subprocess.run(
        [sys.executable, "-m", "parley.cli", "doctor", "--db-url", database, "--json"],
        cwd=tmp_path / "work",
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1 if fault else 0, "")
    found = [Finding(**each) for each in json.loads(done.stdout)]
    assert_told_in_words(found)
    assert [each.name for each in found if not each.good] == (["grants on tables"] if fault else [])
    assert [each.name for each in found if each.skipped] == [
        "project",
        "migrations",
        "exposed schemas",
        "cron jobs",
        "advisors",
    ]
    assert found[-1].detail == (
        "The advisors of the Supabase CLI were not asked."
        " The npm packages of the stack are not installed."
    )


async def test_advisors_that_do_not_answer_are_no_fault(
    stack: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, "", "WARN\nThe network is down.\n")

    monkeypatch.setattr("parley.inspection.advisors.subprocess.run", fail)
    monkeypatch.setattr("parley.inspection.advisors.supabase_cli", lambda: ["supabase"])
    found = ask_advisors(stack.db_url)
    assert (found.good, found.skipped) == (True, True)
    assert found.detail.endswith("They said: The network is down.")
    assert_told_in_words([found])


@pytest.fixture(scope="module")
def scratch(stack: Status) -> Iterator[psycopg.Connection]:
    """A connection to a migrated database in which every test takes back what it does."""
    with cloned(stack, "parley_doctor") as url, psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize(("name", "statement", "detail"), FAULTS)
async def test_a_fault_is_found_and_has_a_remedy(
    scratch: psycopg.Connection, name: str, statement: str, detail: str
) -> None:
    with scratch.transaction(force_rollback=True):
        scratch.execute(statement.encode())
        found = {each.name: each for each in describe_database(scratch) if not each.good}
    assert detail in found[name].detail
    assert_told_in_words(list(found.values()))


async def test_the_snapshot_of_the_package_is_what_the_migrations_leave(stack: Status) -> None:
    """The remedy when it is not: scripts/gen_types.py."""
    with psycopg.connect(stack.db_url) as connection:
        found, kept = read_promises(connection), kept_promises(__version__)
    assert kept is not None
    # (Kind by kind: the difference of all at once takes pytest minutes to tell.)
    assert [kind for kind in kept if found[kind] != kept[kind]] == []


async def test_the_job_has_to_be_there_and_to_succeed(database: str) -> None:
    assert "cron jobs" not in bad(database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(FAKE_CRON.encode())
        assert {"cron jobs", "last runs of cron jobs"}.isdisjoint(bad(database))
        connection.execute("insert into cron.job_run_details values (1, 'failed', 'no such role')")
        assert bad(database)["last runs of cron jobs"] == (
            "The last run of the job parley failed: no such role."
        )
        connection.execute("insert into cron.job_run_details values (1, 'succeeded', '1 row')")
        assert "last runs of cron jobs" not in bad(database)
        connection.execute("update cron.job set active = false")
        connection.execute(
            "insert into cron.job (jobname, command) values ('theirs', 'select webchat.tidy()')"
        )
        connection.execute("insert into cron.job_run_details values (2, 'failed', 'not ours')")
        assert "last runs of cron jobs" not in bad(database)
        assert bad(database)["cron jobs"] == (
            "No active job of pg_cron calls chat.run_maintenance()."
        )


async def test_a_missing_partition_is_named(database: str, stack: Status) -> None:
    name = conninfo_to_dict(database)["dbname"]
    with psycopg.connect(stack.admin_db_url, dbname=str(name), autocommit=True) as connection:
        day = connection.execute("select to_char(current_date + 1, 'YYYY_MM_DD')").fetchone()
        assert day is not None
        partition = sql.Identifier("realtime", f"messages_{day[0]}")
        connection.execute(sql.SQL("drop table {}").format(partition))
    assert bad(database)["partitions of realtime.messages"] == (
        f"There is no partition realtime.messages_{day[0]}: what is broadcast on that day is lost."
    )


async def test_without_the_right_to_delete_broadcasts_nothing_fails_and_it_is_told(
    database: str, stack: Status
) -> None:
    assert "taking back broadcasts" not in bad(database)
    name = str(conninfo_to_dict(database)["dbname"])
    with psycopg.connect(stack.admin_db_url, dbname=name, autocommit=True) as connection:
        connection.execute("revoke delete on realtime.messages from postgres")
    assert "no right to delete" in bad(database)["taking back broadcasts"]
    notices: list[str] = []
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute((ROOT / "supabase" / "seed.sql").read_bytes())
        connection.add_notice_handler(lambda each: notices.append(str(each.message_primary)))
        connection.execute(
            "select chat_private.retract_step("
            "jsonb_populate_record(r, '{\"is_large\": true}'), m)"
            " from chat.rooms as r join chat.messages as m on m.room_id = r.id limit 1"
        )
        purged = connection.execute(
            "select chat_private.purge_messages(r.id, 1) from chat.rooms as r"
            " where r.last_seq > 1 limit 1"
        ).fetchone()
        left = connection.execute(
            "select from chat.rooms as r join chat.messages as m on m.room_id = r.id"
            " where m.seq <= r.floor_seq"
        ).fetchall()
    assert (purged, left) == ((1,), [])
    assert [each.partition(" can still be replayed")[1] != "" for each in notices] == [True, True]


async def test_a_role_that_may_not_look_is_told_to_connect_as_postgres(database: str) -> None:
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
    assert bad(database)["maintenance"].startswith("1 closed account is")


def add_report(connection: psycopg.Connection[Any], age: str) -> None:
    """Put a report into the queue that has waited for so long."""
    connection.execute(
        "insert into chat.reports (tenant_id, reporter_id, user_id, reason, created_at)"
        " select tenant_id, gen_random_uuid(), gen_random_uuid(), 'spam', now() - %s::interval"
        " from chat.tenants limit 1",
        [age],
    )


async def test_a_report_that_waits_for_a_day_is_told(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        add_report(connection, "23 hours")
        assert "reports" not in bad(database)
        add_report(connection, "30 hours")
        assert bad(database)["reports"] == "2 reports are open, the oldest for 30 hours."
        connection.execute("update chat.reports set resolved_at = now(), resolution = 'removed'")
        assert "reports" not in bad(database)


async def test_a_rule_about_content_that_is_missing_slow_or_fails_is_told(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        assert "content check" not in bad(database)
        connection.execute("update chat_private.settings set content_check = 'public.rule'")
        assert bad(database)["content check"].startswith(
            "The function public.rule of settings.content_check is missing, or does not take"
        )
        connection.execute(
            "create function public.rule(uuid, uuid, text, jsonb, jsonb) returns text"
            " language sql return null"
        )
        assert "content check" not in bad(database)
        connection.execute(
            "insert into chat_private.slow_checks (room_id, milliseconds)"
            " values (gen_random_uuid(), 21), (gen_random_uuid(), 300)"
        )
        assert bad(database)["content check"] == (
            "The function public.rule of settings.content_check took longer than 20 ms 2 times"
            " within a day, 300 ms at most."
        )
        connection.execute("delete from chat_private.slow_checks")
        connection.execute(
            "insert into chat_private.failed_checks (room_id, error)"
            " values (gen_random_uuid(), 'division by zero')"
        )
        assert bad(database)["content check"] == (
            "The function public.rule of settings.content_check failed once within a day or two,"
            " at last with: division by zero. Such messages are sent without being checked."
        )


async def test_a_database_that_is_away_is_a_finding() -> None:
    for url in ("postgresql://nobody@127.0.0.1:9/none", "not a url"):
        (found,) = inspect_database(url)
        assert (found.name, found.good) == ("connection", False)
        assert_told_in_words([found])


async def test_a_schema_of_another_version_is_told(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table chat.profiles rename column closed_at to gone_at")
    told = bad(database)
    assert told["columns"] == (
        "The column chat.profiles.gone_at is not one that this version of Parley makes."
        " The column chat.profiles.closed_at is missing."
    )
    assert told["work"].startswith("Parley's schemas are not as this version expects them: ")


async def test_what_goes_without_saying_is_not_told_again(scratch: psycopg.Connection) -> None:
    """A table that is missing has no columns, indexes, grants and comments either."""
    with scratch.transaction(force_rollback=True):
        scratch.execute("drop table chat_private.failed_checks")
        scratch.execute("create function chat.more() returns int language sql return 1")
        found = {each.name for each in describe_content(scratch, __version__) if not each.good}
    assert found == {"tables", "functions"}


async def test_what_of_theirs_uses_parley_is_told_when_it_is_asked_for(
    scratch: psycopg.Connection,
) -> None:
    with scratch.transaction(force_rollback=True):
        scratch.execute("drop schema tests cascade")
        assert "Nothing that Parley did not make uses it" in describe_dependents(scratch).detail
        scratch.execute("create view public.room_names as select id, name from chat.rooms")
        assert describe_dependents(scratch).detail == (
            "Of what Parley did not make, this uses it: the view public.room_names."
        )


def test_an_edited_migration_of_a_project_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert describe_project(Project.here()).skipped
    path = tmp_path / "supabase" / "migrations" / "20270101000000_chat.sql"
    path.parent.mkdir(parents=True)
    path.write_text(this_release().sql)
    assert describe_project(Project.here()).good
    path.write_text(path.read_text().replace("begin return", "begin  return", 1) + "-- more\n")
    found = describe_project(Project.here())
    assert not found.good
    assert_told_in_words([found])


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
