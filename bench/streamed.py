"""A write to a table that travels into copies, and to the same table with other ways of telling."""

from __future__ import annotations

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
TABLES = {BARE: "bare", STREAMED: "streamed", PUBLISHED: "published", BROADCAST: "broadcast"}

STREAMED_BARS = [
    Bar(f"{STREAMED}, processor time, against {BARE}", STREAMED, BARE, PROCESSOR, at_least=0.67),
    Bar(
        f"{STREAMED}, {ALL}, against {BARE}",
        f"{STREAMED}, {ALL}",
        f"{BARE}, {ALL}",
        at_least=0.67,
    ),
]


def a_row(size: int, line: Line, random: Random) -> list[str]:
    """Return the id of a row of the tenant."""
    return [str(int(line.rooms[0]) * size + random.randrange(1, size + 1))]


def all_rows(size: int, line: Line, random: Random) -> list[str]:
    """Return the first and the last id of the tenant."""
    first = int(line.rooms[0]) * size + 1
    return [str(first), str(first + size - 1)]


def prepare_writes(clones: Clones, size: int) -> list[Load]:
    """Make a database with four equal tables, in each ``size`` rows of sixteen tenants."""
    people = new_ids(CONNECTIONS)
    url = clones.make("streamed")
    with psycopg.connect(url, autocommit=True) as connection:
        add_people(connection, people)
        connection.execute(read_sql("sql/streamed.sql").encode())
        for table in TABLES.values():
            connection.execute(
                sql.SQL(
                    "insert into app.{} select t * {size} + n, md5(t::text)::uuid, 0"
                    " from generate_series(0, {last}) as t, generate_series(1, {size}) as n"
                ).format(sql.Identifier(table), size=size, last=CONNECTIONS - 1)
            )
        # A project has been at work for a while: there are notes, and Postgres knows how many.
        connection.execute(
            sql.SQL(
                "do 'begin for n in 1 .. {size} loop"
                " update app.streamed set amount = 0 where id = n; commit; end loop; end'"
            ).format(size=size)
        )
        connection.execute("vacuum analyze")
    lines = tuple(Line(user_id, (str(number),)) for number, user_id in enumerate(people))
    loads = []
    for name, table in TABLES.items():
        change = f"update app.{table} set amount = amount + 1 where id"  # noqa: S608 (a name of ours)
        loads += [
            Load(name, url, f"{change} = $1", partial(a_row, size), lines),
            Load(
                f"{name}, {ALL}",
                url,
                f"{change} between $1 and $2",
                partial(all_rows, size),
                lines[:1],
            ),
        ]
    return loads
