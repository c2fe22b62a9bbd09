"""A write to a table that travels into copies, and to the same table with other ways of telling."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from random import Random

import psycopg
from psycopg import sql

from bench.comparison import PROCESSOR, Bar
from bench.databases import Clones, add_people, new_ids, read_sql
from bench.load import Line, Load

CONNECTIONS = 16
ALL = "all rows of a tenant"

BARE = "an update"
STREAMED = "an update of a streamed table"
PUBLISHED = "an update of a table in the publication of Realtime"
BROADCAST = "an update with a trigger that broadcasts the row"
SMALL_BARE = "an update of the smallest table"
SMALL_STREAMED = "an update of the smallest streamed table"
TABLES = {
    BARE: "bare",
    STREAMED: "streamed",
    PUBLISHED: "published",
    BROADCAST: "broadcast",
    SMALL_BARE: "small_bare",
    SMALL_STREAMED: "small_streamed",
}
PREPARED = "prepared"
API = "through the REST API"
# What PostgREST makes of a PATCH, which it prepares on its own connections.
PATCH = """
with written as (
  update app.{table}
  set status = body.status
  from (select $1::json as value) as sent, json_to_record(sent.value) as body (status text)
  where id = $2
  returning 1
)
select
  '' as total, count(w), array[]::text[] as header, '' as body,
  nullif(current_setting('response.headers', true), '') as headers,
  nullif(current_setting('response.status', true), '') as status
from (select * from written) as w
"""
MAKE_TENANTS = """
insert into chat.tenants (tenant_id, name)
select md5((p.place - 1)::text)::uuid, 'Tenant ' || p.place
from unnest(%s::uuid[]) with ordinality as p (user_id, place)
"""
JOIN_TENANTS = """
select chat.add_tenant_member(md5((p.place - 1)::text)::uuid, p.user_id, 'owner')
from unnest(%s::uuid[]) with ordinality as p (user_id, place)
"""

STREAMED_BARS = [
    Bar(f"{STREAMED}, processor time, against {BARE}", STREAMED, BARE, PROCESSOR, at_least=0.67),
    Bar(
        f"{STREAMED}, {ALL}, processor time, against {BARE}",
        f"{STREAMED}, {ALL}",
        f"{BARE}, {ALL}",
        PROCESSOR,
        at_least=0.67,
    ),
    Bar(
        f"{STREAMED}, {API}, processor time, against {BARE}, {API}",
        f"{STREAMED}, {API}",
        f"{BARE}, {API}",
        PROCESSOR,
        at_least=0.67,
    ),
    # A note and its announcement cost the same however little the write does. So they weigh most
    # where nothing is planned, and where no policy is asked.
    Bar(
        f"{STREAMED}, {PREPARED}, processor time, against {BARE}, {PREPARED}",
        f"{STREAMED}, {PREPARED}",
        f"{BARE}, {PREPARED}",
        PROCESSOR,
        at_least=0.67,
    ),
    Bar(
        f"{SMALL_STREAMED}, processor time, against {SMALL_BARE}",
        SMALL_STREAMED,
        SMALL_BARE,
        PROCESSOR,
        at_least=0.67,
    ),
    Bar(
        f"{SMALL_STREAMED}, {ALL}, processor time, against {SMALL_BARE}",
        f"{SMALL_STREAMED}, {ALL}",
        f"{SMALL_BARE}, {ALL}",
        PROCESSOR,
        at_least=0.67,
    ),
]


def a_row(size: int, line: Line, random: Random) -> list[str]:
    """Return the id of a row of the tenant."""
    return [str(int(line.rooms[0]) * size + random.randrange(1, size + 1))]


def a_patch(size: int, line: Line, random: Random) -> list[str]:
    """Return what a client sends for a row of the tenant, and the id of it."""
    status = random.choice(["open", "paid"])
    return [json.dumps({"status": status}), *a_row(size, line, random)]


def all_rows(size: int, line: Line, random: Random) -> list[str]:
    """Return the first and the last id of the tenant."""
    first = int(line.rooms[0]) * size + 1
    return [str(first), str(first + size - 1)]


def prepare_writes(clones: Clones, size: int) -> list[Load]:
    """Make a database with such tables, in each ``size`` rows of sixteen tenants with a member."""
    people = new_ids(CONNECTIONS)
    url = clones.make("streamed")
    with psycopg.connect(url, autocommit=True) as connection:
        add_people(connection, people)
        connection.execute(read_sql("sql/streamed.sql").encode())
        connection.execute(MAKE_TENANTS, (people,))
        connection.execute(JOIN_TENANTS, (people,))
        for table in TABLES.values():
            connection.execute(
                sql.SQL(
                    "insert into app.{0} select p.* from generate_series(0, {last}) as t,"
                    " generate_series(1, {size}) as n, jsonb_populate_record(null::app.{0},"
                    " jsonb_build_object('id', t * {size} + n, 'tenant_id', md5(t::text),"
                    " 'payee', 'Rent', 'amount', n, 'status', 'open', 'due_on', '2026-12-01')) as p"
                ).format(sql.Identifier(table), size=size, last=CONNECTIONS - 1)
            )
        # A project has been at work for a while: there are notes, and Postgres knows how many.
        connection.execute(
            sql.SQL(
                "do 'begin for n in 1 .. {size} loop"
                " update app.streamed set status = default where id = n; commit; end loop; end'"
            ).format(size=size)
        )
        connection.execute("vacuum analyze")
    lines = tuple(Line(user_id, (str(number),)) for number, user_id in enumerate(people))
    one, many = partial(a_row, size), partial(all_rows, size)
    loads = []
    for name, table in TABLES.items():
        pay = f"update app.{table} set status = case status when 'open' then 'paid' else 'open' end"  # noqa: S608 (a name of ours)
        a_write = Load(name, url, f"{pay} where id = $1", one, lines)
        loads.append(a_write)
        if table in {"bare", "streamed"}:
            loads.append(replace(a_write, name=f"{name}, {PREPARED}", is_prepared=True))
            statement, values = PATCH.format(table=table), partial(a_patch, size)
            loads.append(Load(f"{name}, {API}", url, statement, values, lines, is_prepared=True))
        loads.append(
            Load(f"{name}, {ALL}", url, f"{pay} where id between $1 and $2", many, lines[:1])
        )
    return loads
