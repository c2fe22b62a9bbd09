"""Two tables of the project's own: who writes them, and what a copy should have of them."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import uuid4

import psycopg

from parley.sync.table import Table
from tests.chaos.deck import Deck

PAYMENTS, NOTES = "shop.payments", "shop.notes"
TABLES = [
    Table(PAYMENTS, where={"status": ["open", "paid"]}, newest=("paid_at", 90), indexes=["status"]),
    Table(NOTES),
]
SCHEMA: LiteralString = """
create schema shop;
grant usage on schema shop to authenticated;
create sequence shop.numbers;
create table shop.payments (
  id bigint primary key default nextval('shop.numbers'),
  tenant_id uuid not null,
  status text not null default 'open',
  amount integer not null default 0,
  hidden_from uuid,
  paid_at timestamptz not null default now()
);
create index on shop.payments (tenant_id, id);
alter table shop.payments enable row level security;
create policy members on shop.payments for select to authenticated using (
  hidden_from is distinct from (select auth.uid())
  and tenant_id in (
    select m.tenant_id from chat.tenant_members as m
    where m.user_id = (select auth.uid()) and m.removed_at is null
  )
);
create policy some_are_secret on shop.payments as restrictive for select to authenticated
using (amount >= 0);
grant select on shop.payments to authenticated;
create table shop.notes (
  user_id uuid,
  place bigint default nextval('shop.numbers'),
  body text,
  primary key (user_id, place)
);
alter table shop.notes enable row level security;
create policy own on shop.notes for select to authenticated using (user_id = (select auth.uid()));
grant select on shop.notes to authenticated;
select chat_private.stream_table('shop.payments', 'tenant_id');
select chat_private.stream_table('shop.notes', 'user_id', 'user');
"""
VIEWS: dict[str, tuple[LiteralString, tuple[str, ...]]] = {
    PAYMENTS: (
        "select to_jsonb(r) from shop.payments as r"
        " where status in ('open', 'paid') and paid_at > now() - interval '90 days'",
        ("id",),
    ),
    NOTES: ("select to_jsonb(r) from shop.notes as r", ("user_id", "place")),
}
POLICIES: tuple[LiteralString, ...] = ("amount >= 0", "amount % 7 <> 3", "amount % 5 <> 1")
LOCKED: LiteralString = "set lock_timeout = '200ms'"
TOUCHED: LiteralString = """
with picked as (
  select p.id from shop.payments as p
  where p.id >= (select min(id) + random() * (max(id) - min(id)) from shop.payments)
  order by p.id
  limit %(most)s
  for update
)
"""
"""Some payments from a random one on; all are locked in the order of their keys."""
OWN_TOUCHED: LiteralString = """
with picked as (
  select n.user_id, n.place from shop.notes as n
  where n.place >= (select min(place) + random() * (max(place) - min(place)) from shop.notes)
  order by n.place
  limit %(most)s
  for update
)
"""
CALLS: dict[str, tuple[int, LiteralString]] = {
    "insert": (
        10,
        "insert into shop.payments (tenant_id, amount)"
        " select %(tenant)s, i from generate_series(1, %(few)s) as i",
    ),
    "change": (
        20,
        TOUCHED + "update shop.payments as p set amount = %(amount)s, status = %(status)s"
        " from picked where p.id = picked.id",
    ),
    "move": (
        10,
        TOUCHED + "update shop.payments as p set tenant_id = %(tenant)s"
        " from picked where p.id = picked.id",
    ),
    "hide": (
        6,
        TOUCHED + "update shop.payments as p set hidden_from = nullif(%(hidden)s, '')::uuid"
        " from picked where p.id = picked.id",
    ),
    "age": (
        4,
        TOUCHED + "update shop.payments as p set paid_at = now() - %(age)s * interval '1 s'"
        " from picked where p.id = picked.id",
    ),
    "rekey": (
        3,
        TOUCHED + "update shop.payments as p set id = nextval('shop.numbers')"
        " from picked where p.id = picked.id",
    ),
    "delete": (6, TOUCHED + "delete from shop.payments as p using picked where p.id = picked.id"),
    "note": (
        8,
        "insert into shop.notes (user_id, body) select %(person)s, 'note ' || i"
        " from generate_series(1, 4 * %(few)s) as i",
    ),
    "rewrite": (
        8,
        OWN_TOUCHED + "update shop.notes as n set body = %(amount)s::integer::text from picked"
        " where (n.user_id, n.place) = (picked.user_id, picked.place)",
    ),
    "hand over": (
        6,
        OWN_TOUCHED + "update shop.notes as n set user_id = %(person)s from picked"
        " where (n.user_id, n.place) = (picked.user_id, picked.place)",
    ),
    "tear": (
        4,
        OWN_TOUCHED + "delete from shop.notes as n using picked"
        " where (n.user_id, n.place) = (picked.user_id, picked.place)",
    ),
    "refresh": (1, "select chat_private.refresh_table('shop.payments', %(tenant)s)"),
    "truncate": (1, "truncate shop.notes"),
    "fold": (4, "select chat_private.tidy_table_notes(1000)"),
    "purge": (
        1,
        "with old as (update chat_private.table_notes set noted_at = now() - interval '40 days'"
        " where xid < pg_snapshot_xmin(pg_current_snapshot()) returning 1)"
        " select chat_private.tidy_table_notes(1000) from (select count(*) from old) as o",
    ),
}
OTHERS = {
    "bulk": 3,
    "bulk delete": 1,
    "several": 6,
    "undone": 3,
    "long": 3,
    "policy": 1,
    "column": 1,
}
MAINTENANCE = ("fold", "purge")
"""What runs one at a time."""
SIMPLE = ("insert", "change", "move", "hide", "delete", "note", "hand over")
HELD_S = (0.2, 6.0)


@dataclass
class TableWriter:
    """One connection that writes as the project's backend does."""

    db_url: str
    people: list[str]
    tenants: list[str]
    most: int
    """How many rows one statement touches at most."""
    rng: random.Random
    every_s: float
    pause: asyncio.Event
    rest: asyncio.Event
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        cards = {name: weight for name, (weight, _) in CALLS.items()}
        self._deck = Deck({**cards, **OTHERS}, self.rng)

    async def run(self) -> None:
        """Write until cancelled; a lost connection is made again."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self.db_url, autocommit=True, connect_timeout=2
                ) as connection:
                    await connection.execute(LOCKED)
                    while True:
                        await self.pause.wait()
                        await self.write(connection)
                        if self.every_s:
                            await asyncio.sleep(self.rng.expovariate(1 / self.every_s))
            except (psycopg.OperationalError, psycopg.Rollback):
                # (A rollback that the connection did not live to see is raised as it was begun.)
                await asyncio.sleep(0.1)

    async def write(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """One transaction; one that would wait for another for long is given up."""
        name = self._deck.draw()
        others: dict[str, Callable[[psycopg.AsyncConnection[Any]], Awaitable[None]]] = {
            "bulk": self._bulk,
            "bulk delete": self._bulk,
            "several": self._several,
            "undone": self._undone,
            "long": self._long,
            "policy": self._policy,
            "column": self._column,
        }
        try:
            if name == "bulk delete":
                await self._call(connection, "delete", self.most // 4)
            elif name in others:
                await others[name](connection)
            else:
                await self._call(connection, name)
        except psycopg.errors.LockNotAvailable:
            self.calls["given up"] += 1
        else:
            self.calls[name] += 1

    async def _call(
        self, connection: psycopg.AsyncConnection[Any], name: str, most: int | None = None
    ) -> None:
        values = {
            "tenant": self.rng.choice(self.tenants),
            "person": self.rng.choice(self.people),
            "hidden": self.rng.choice([*self.people, "", ""]),
            "status": self.rng.choice(["open", "paid", "void"]),
            "amount": self.rng.randrange(-10, 100),
            "few": self.rng.randrange(1, 6),
            "age": 90 * 86_400 - self.rng.uniform(-2, 8),
            "most": most or self.rng.choice([1, 1, 1, 5, 20]),
        }
        async with connection.transaction():
            if name in MAINTENANCE:
                await connection.execute("select pg_advisory_xact_lock(7)")
            await connection.execute(CALLS[name][1], values)

    async def _bulk(self, connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute(
            "insert into shop.payments (tenant_id, amount)"
            " select %s, i from generate_series(1, %s) as i",
            [self.rng.choice(self.tenants), self.most // 4],
        )
        await self._call(connection, self.rng.choice(["change", "move", "rewrite"]), self.most)

    async def _several(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Statements of which some are undone; each locks rows that nobody else waits for."""
        async with connection.transaction():
            await connection.execute("set local lock_timeout = '1ms'")
            for _ in range(3):
                with suppress(psycopg.errors.LockNotAvailable, psycopg.Rollback):
                    async with connection.transaction() as inner:
                        await self._call(connection, self.rng.choice(SIMPLE))
                        if self.rng.random() < 0.3:
                            raise psycopg.Rollback(inner)

    async def _undone(self, connection: psycopg.AsyncConnection[Any]) -> None:
        async with connection.transaction() as outer:
            await self._call(connection, self.rng.choice(SIMPLE))
            raise psycopg.Rollback(outer)

    async def _long(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """A transaction that stays open while others come and go."""
        async with connection.transaction():
            await self._call(connection, self.rng.choice(SIMPLE), 5)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.rest.wait(), self.rng.uniform(*HELD_S))

    async def _policy(self, connection: psycopg.AsyncConnection[Any]) -> None:
        policy = self.rng.choice(POLICIES)
        await connection.execute(
            "alter policy some_are_secret on shop.payments using (" + policy + ")"
        )

    async def _column(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """A column comes, and goes the next time."""
        dropped = await connection.execute(
            "select 1 from pg_attribute where attrelid = 'shop.notes'::regclass"
            " and attname = 'colour' and not attisdropped"
        )
        if await dropped.fetchone():
            await connection.execute("alter table shop.notes drop column if exists colour")
        else:
            await connection.execute(
                "alter table shop.notes add column if not exists colour text default 'red'"
            )


def make_tables(db_url: str, people: list[str], tenants: list[str], count: int) -> str:
    """Make both tables with some rows; returns a tenant that nobody is in."""
    elsewhere = str(uuid4())
    with psycopg.connect(db_url) as connection:
        connection.execute(SCHEMA)
        connection.execute(
            "insert into shop.payments (tenant_id, amount)"
            " select (%s::uuid[])[1 + i %% %s], i from generate_series(1, %s) as i",
            [[*tenants, elsewhere], len(tenants) + 1, count],
        )
        connection.execute(
            "insert into shop.notes (user_id, body)"
            " select (%s::uuid[])[1 + i %% %s], 'note' from generate_series(1, %s) as i",
            [people, len(people), count // 4],
        )
    return elsewhere


def tables_in(
    copy: sqlite3.Connection, connection: psycopg.Connection[Any]
) -> list[tuple[str, list[Any], list[Any], tuple[str, ...]]]:
    """For each table its rows in a copy, those its owner may select, and its key."""
    found = []
    for name, (view, key) in VIEWS.items():
        if connection.execute("select to_regclass(%s) is null", [name]).fetchone() == (True,):
            continue  # (This server has no shop.)
        kept = copy.execute(
            "select r.row from table_rows as r join tables as t using (number) where t.name = ?",
            [name],
        )
        here = [json.loads(row[0]) for row in kept]
        found.append((name, here, [row[0] for row in connection.execute(view)], key))
    return found
