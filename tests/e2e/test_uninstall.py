"""Taking Parley out leaves nothing of it behind, and lets it come back."""

from __future__ import annotations

from pathlib import Path

import psycopg

from tests.e2e.test_doctor_database import FAKE_CRON

SUPABASE = Path(__file__).parent.parent.parent / "supabase"

LEFT = """
select 'schema ' || nspname from pg_namespace where nspname like 'chat%'
union all
select 'policy ' || policyname from pg_policies where schemaname in ('realtime', 'storage')
union all
select 'trigger ' || tgname from pg_trigger
where tgrelid in ('auth.users'::regclass, 'realtime.messages'::regclass) and not tgisinternal
  and tgname ~ '^_\\d{3}_'
union all
select 'migration ' || version from supabase_migrations.schema_migrations
"""


def left(connection: psycopg.Connection) -> list[str]:
    """Return what there is of Parley."""
    return [name for (name,) in connection.execute(LEFT.encode()).fetchall()]


async def test_uninstalling_stops_the_job_and_no_other(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(FAKE_CRON.encode())
        connection.execute("insert into cron.job (jobname, command) values ('other', 'select 1')")
        connection.execute((SUPABASE / "uninstall.sql").read_bytes())
        assert connection.execute("select jobname from cron.job").fetchall() == [("other",)]


async def test_uninstalling_leaves_nothing_and_installing_again_works(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop schema if exists tests cascade")
        before = left(connection)
        assert {"schema chat", "schema chat_private", "trigger _100_open_account"} <= set(before)
        connection.execute((SUPABASE / "uninstall.sql").read_bytes())
        assert left(connection) == []
        connection.execute("insert into auth.users (id, email) values (gen_random_uuid(), 'a@b.c')")
        for path in sorted((SUPABASE / "migrations").glob("*.sql")):
            with connection.transaction():
                connection.execute(path.read_bytes())
        again = left(connection)
        assert set(again) == {name for name in before if not name.startswith("migration")}
        people = connection.execute("select count(*) from chat.profiles").fetchone()
        assert people == (1,)
