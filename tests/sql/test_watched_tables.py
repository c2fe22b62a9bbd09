"""Watching a table of the adopter's, beside a trigger that broadcasts each of its rows."""

from __future__ import annotations

import logging
import time

import psycopg
import pytest

pytestmark = pytest.mark.lasts(30)

logger = logging.getLogger(__name__)
ROWS = 100_000
EXAMPLE = """
create schema app;
create table app.payments (
  id integer primary key, tenant_id uuid not null, amount integer not null
);
create table app.documents (like app.payments including all);
create table app.statements (like app.payments including all);
insert into app.payments select n, '00000000-0000-0000-0000-000000000001', n
from generate_series(1, %s) as n;
insert into app.documents select * from app.payments where id <= 10;
insert into app.statements select * from app.documents;
"""
WATCH = """
select chat_private.watch_stats('app.payments', 'tenant_id'),
  chat_private.watch_stats('app.documents', 'tenant_id'),
  chat_private.watch_stats('app.statements', 'tenant_id')
"""
BROADCAST_EACH_ROW = """
create function app.broadcast_stats_update() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform realtime.send(
    jsonb_build_object(
      'type', 'stats_updated', 'table', tg_table_name, 'tenant_id', new.tenant_id
    ),
    'stats_invalidated', 'tenant:' || new.tenant_id || ':dashboard', true
  );
  return new;
end;
$$;
create trigger payments_stats_trigger after insert or update on app.payments
for each row execute function app.broadcast_stats_update();
"""


def events(connection: psycopg.Connection) -> int:
    """Count what was broadcast for dashboards, and forget it."""
    row = connection.execute(
        "select count(*) from realtime.messages where event = 'stats_invalidated'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def seconds_to_update(connection: psycopg.Connection) -> float:
    """Change every payment in one transaction; returns how long it took."""
    begun = time.perf_counter()
    connection.execute("update app.payments set amount = amount + 1")
    return time.perf_counter() - begun


def test_an_update_of_100_000_rows_makes_one_event(postgresql: psycopg.Connection) -> None:
    postgresql.autocommit = True
    postgresql.execute((EXAMPLE % ROWS).encode())
    bare = seconds_to_update(postgresql)
    postgresql.execute(WATCH)
    watched = seconds_to_update(postgresql)
    assert events(postgresql) == 1
    postgresql.execute("select chat_private.unwatch_stats('app.payments')")
    postgresql.execute(BROADCAST_EACH_ROW)
    row_by_row = seconds_to_update(postgresql)
    assert events(postgresql) == 1 + ROWS
    logger.info(
        "%s rows: without triggers %.2f s, watched %.2f s, broadcast row by row %.2f s",
        *(ROWS, bare, watched, row_by_row),
    )
    assert watched < row_by_row


def test_three_watched_tables_in_one_transaction_make_one_event(
    postgresql: psycopg.Connection,
) -> None:
    postgresql.execute((EXAMPLE % 100).encode())
    postgresql.execute(WATCH)
    postgresql.commit()
    for table in ("payments", "documents", "statements"):
        postgresql.execute(f"update app.{table} set amount = 0".encode())
    postgresql.commit()
    ((payload,),) = postgresql.execute(
        "select payload - 'id' from realtime.messages where event = 'stats_invalidated'"
    ).fetchall()
    assert payload == {
        "tenant_id": "00000000-0000-0000-0000-000000000001",
        "tables": ["app.payments", "app.documents", "app.statements"],
    }


def test_a_transaction_that_ends_badly_makes_no_event(postgresql: psycopg.Connection) -> None:
    postgresql.execute((EXAMPLE % 100).encode())
    postgresql.execute(WATCH)
    postgresql.commit()
    postgresql.execute("update app.payments set amount = 0")
    postgresql.rollback()
    assert events(postgresql) == 0
    postgresql.execute("update app.payments set amount = 0")
    postgresql.commit()
    assert events(postgresql) == 1
