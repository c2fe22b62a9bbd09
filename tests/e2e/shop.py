"""Two tables of the project's own that travel: payments of tenants and notes of people."""

from __future__ import annotations

import json
from typing import Any, LiteralString
from uuid import uuid4

import psycopg

from parley.client import Chat
from parley.sync.table import Table
from parley.sync.table_reads import TableCopy

PAYMENTS = "shop.payments"
NOTES = "shop.notes"
TABLES = [Table(PAYMENTS, indexes=["status"]), Table(NOTES)]
SCHEMA: LiteralString = """
create schema shop;
grant usage on schema shop to authenticated;
create table shop.payments (
  id bigint primary key,
  tenant_id uuid not null,
  status text not null default 'open',
  amount numeric not null default 0,
  hidden_from uuid,
  paid_at timestamptz not null default now(),
  cost numeric not null default 7
);
create index on shop.payments (tenant_id, id);
alter table shop.payments enable row level security;
create policy "members read payments" on shop.payments for select to authenticated
using (
  hidden_from is distinct from (select auth.uid())
  and tenant_id in (
    select m.tenant_id from chat.tenant_members as m
    where m.user_id = (select auth.uid()) and m.removed_at is null
  )
);
grant select (id, tenant_id, status, amount, hidden_from, paid_at) on shop.payments
to authenticated;
create table shop.notes (
  user_id uuid,
  place integer,
  body text,
  primary key (user_id, place)
);
alter table shop.notes enable row level security;
create policy "people read their notes" on shop.notes for select to authenticated
using (user_id = (select auth.uid()));
grant select on shop.notes to authenticated;
select chat_private.stream_table('shop.payments', 'tenant_id');
select chat_private.stream_table('shop.notes', 'user_id', 'user');
"""
GONE: LiteralString = """
select chat_private.unstream_table('shop.payments'), chat_private.unstream_table('shop.notes');
drop schema shop cascade;
"""
VIEWS: dict[str, LiteralString] = {
    PAYMENTS: "select to_jsonb(r) from (select id, tenant_id, status, amount, hidden_from, paid_at"
    " from shop.payments) as r",
    NOTES: "select to_jsonb(r) from shop.notes as r",
}


class Shop:
    """The tables, as the project's own backend writes them."""

    def __init__(self, db_url: str) -> None:
        self.db_url = db_url
        self._next = 1

    def run(self, statement: LiteralString, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement as the project's backend."""
        with psycopg.connect(self.db_url) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def tenant(self, *user_ids: str) -> str:
        """Make a tenant with some people."""
        tenant_id = str(uuid4())
        self.run("insert into chat.tenants (tenant_id, name) values (%s, 'Shop')", tenant_id)
        for each in user_ids:
            self.let_in(tenant_id, each)
        return tenant_id

    def let_in(self, tenant_id: str, user_id: str) -> None:
        """Let somebody into a tenant."""
        self.run("select chat_private.add_tenant_member(%s, %s, 'member')", tenant_id, user_id)

    def leave(self, tenant_id: str, user_id: str) -> None:
        """Let somebody leave a tenant."""
        with psycopg.connect(self.db_url) as connection:
            act_as(connection, user_id)
            connection.execute("select chat.remove_tenant_member(%s, %s)", [tenant_id, user_id])

    def pay(self, tenant_id: str, count: int = 1, **more: Any) -> list[int]:
        """Insert payments in one statement; returns their ids."""
        ids = list(range(self._next, self._next + count))
        self._next += count
        self.run(
            "insert into shop.payments (id, tenant_id, status, amount, hidden_from)"
            " select i, %s, %s, %s, %s from unnest(%s::bigint[]) as i",
            *(tenant_id, more.get("status", "open"), more.get("amount", 1)),
            *(more.get("hidden_from"), ids),
        )
        return ids

    def view(self, user_id: str, name: str) -> list[str]:
        """The rows of a table that somebody may select, as text, in any order."""
        with psycopg.connect(self.db_url) as connection:
            act_as(connection, user_id)
            return sorted(
                json.dumps(row[0], sort_keys=True) for row in connection.execute(VIEWS[name])
            )


def act_as(connection: psycopg.Connection[Any], user_id: str) -> None:
    """Be somebody until the end of the transaction."""
    connection.execute(
        "select set_config('request.jwt.claims', %s, true),"
        " set_config('role', 'authenticated', true)",
        [json.dumps({"sub": user_id, "role": "authenticated"})],
    )


def copied(table: TableCopy[dict[str, Any]]) -> list[str]:
    """The rows of a copy as text, in any order."""
    return sorted(json.dumps(row, sort_keys=True, default=float) for row in table.rows())


def ids(chat: Chat) -> list[int]:
    """The payments in a copy, by key."""
    return [row["id"] for row in chat.table(PAYMENTS).rows()]
