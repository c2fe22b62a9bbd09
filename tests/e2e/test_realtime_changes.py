"""`postgres_changes` with unmodified clients: what whose policies let them see of which tables."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, LiteralString

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from parley.realtime.postgres_changes import changes
from tests.e2e.realtime_peers import CLIENTS, hears, of_kind, peers
from tests.e2e.realtime_stack import Host, Raw, Server, hosted, make_token, run_sql

TABLES = """
create table public.notes (
  id bigint primary key,
  owner text not null,
  body text,
  tags text[],
  at timestamptz,
  more jsonb,
  secret text
);
alter table public.notes enable row level security;
revoke all on public.notes from anon, authenticated;
grant select (id, owner, body, tags, at, more) on public.notes to authenticated;
create policy "owners read" on public.notes for select to authenticated
using (owner = current_setting('request.jwt.claim.sub', true));
create table public.open_notes (id int primary key, body text);
alter table public.open_notes replica identity full;
grant select on public.open_notes to anon, authenticated;
create table public.keyless (body text);
alter table public.keyless replica identity full;
grant select on public.keyless to anon, authenticated;
create table public.unpublished (id int primary key);
grant select on public.unpublished to anon;
create type public.mood as enum ('sad', 'ok', 'glad');
create table public.typed (
  id int primary key,
  flag boolean,
  amount numeric(10, 2),
  at timestamptz,
  name varchar(10),
  mood public.mood,
  tags text[],
  more json
);
grant select on public.typed to anon;
create schema aside;
grant usage on schema aside to anon;
create table aside.open_notes (id int primary key, body text);
grant select on aside.open_notes to anon;
alter publication supabase_realtime
add table public.notes, public.open_notes, public.keyless, public.typed, aside.open_notes;
"""
DROP = """
drop table public.notes, public.open_notes, public.keyless, public.unpublished, public.typed;
drop type public.mood;
drop schema aside cascade;
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def host(postgres: Server) -> AsyncIterator[Host]:
    """A server on a database whose publication has three tables."""
    await run_sql(postgres.developer_url, TABLES)
    async with hosted(postgres.url) as server:
        yield server
    await run_sql(postgres.developer_url, DROP)


@pytest_asyncio.fixture(loop_scope="session")
async def db(postgres: Server) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection as the developer; the tables are emptied first."""
    connection = await psycopg.AsyncConnection.connect(postgres.developer_url, autocommit=True)
    async with connection:
        await connection.execute(
            "truncate public.notes, public.open_notes, public.keyless, public.typed"
        )
        yield connection


def table(name: str, event: str = "*", **more: Any) -> dict[str, Any]:
    """An entry under `postgres_changes`."""
    return {"event": event, "schema": "public", "table": name, **more}


async def subscribe(peer: Any, *entries: dict[str, Any], sub: str = "", topic: str = "t") -> None:
    """Join and wait until the tables are watched."""
    if sub:
        await peer.authenticate(make_token(sub=sub))
    assert (await peer.join(topic, entries))["status"] == "SUBSCRIBED"
    (system,) = await hears(peer, "system")
    assert (system["extension"], system["status"], system["message"]) == (
        "postgres_changes",
        "ok",
        "Subscribed to PostgreSQL",
    )


@pytest.mark.parametrize("name", CLIENTS)
async def test_insert_update_and_delete_are_heard_in_order(
    host: Host, db: psycopg.AsyncConnection, name: str
) -> None:
    async with peers(host, name) as (peer,):
        await subscribe(peer, table("open_notes"))
        await db.execute("insert into open_notes values (1, 'a')")
        await db.execute("update open_notes set body = 'b' where id = 1")
        await db.execute("delete from open_notes where id = 1")
        told = [each["change"] for each in await hears(peer, "change", 3)]
        assert [(each["eventType"], each["new"], each["old"]) for each in told] == [
            ("INSERT", {"id": 1, "body": "a"}, {}),
            ("UPDATE", {"id": 1, "body": "b"}, {"id": 1, "body": "a"}),
            ("DELETE", {}, {"id": 1, "body": "b"}),
        ]
        assert {each["schema"] + "." + each["table"] for each in told} == {"public.open_notes"}
        assert told[0]["commit_timestamp"].endswith("Z")
        assert told[0]["errors"] is None


@pytest.mark.parametrize("name", CLIENTS)
async def test_two_people_hear_each_their_own_rows(
    host: Host, db: psycopg.AsyncConnection, name: str
) -> None:
    async with peers(host, name, name) as (ann, bob):
        await subscribe(ann, table("notes"), sub="ann")
        await subscribe(bob, table("notes"), sub="bob")
        for number, owner in enumerate(("ann", "bob", "dan", "ann")):
            await db.execute("insert into notes (id, owner) values (%s, %s)", (number, owner))
        await hears(ann, "change", 2)
        await db.execute("update notes set owner = 'bob' where id = 3")
        heard = [each["change"]["new"]["id"] for each in await hears(bob, "change", 2)]
        assert heard == [1, 3]
        told = [each["change"] for each in of_kind(ann, "change")]
        assert [(each["eventType"], each["new"]["id"]) for each in told] == [
            ("INSERT", 0),
            ("INSERT", 3),
        ]


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_new_token_changes_which_rows_are_heard(
    host: Host, db: psycopg.AsyncConnection, name: str
) -> None:
    async with peers(host, name) as (peer,):
        await subscribe(peer, table("notes"), sub="ann")
        await db.execute("insert into notes (id, owner) values (1, 'ann'), (2, 'bob')")
        await hears(peer, "change")
        await peer.authenticate(make_token(sub="bob"))
        await hears(peer, "system", 2)
        await db.execute("insert into notes (id, owner) values (3, 'ann'), (4, 'bob')")
        heard = [each["change"]["new"]["id"] for each in await hears(peer, "change", 2)]
        assert heard == [1, 4]


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_filter_with_columns_shows_these_and_the_key(
    host: Host, db: psycopg.AsyncConnection, name: str
) -> None:
    async with peers(host, name) as (peer,):
        entry = table("notes", filter="id=gt.1,body=not.like.x%", select=["body"])
        await subscribe(peer, entry, sub="ann")
        await db.execute(
            "insert into notes (id, owner, body)"
            " values (1, 'ann', 'a'), (2, 'ann', 'xa'), (3, 'ann', 'b')"
        )
        await db.execute("update notes set body = 'c'")
        await hears(peer, "change", 3)
        await db.execute("delete from notes where id = 3")
        await db.execute("insert into notes (id, owner, body) values (9, 'ann', 'end')")
        told = [each["change"] for each in await hears(peer, "change", 4)]
        assert [(each["eventType"], each["new"], each["old"]) for each in told] == [
            ("INSERT", {"id": 3, "body": "b"}, {}),
            ("UPDATE", {"id": 2, "body": "c"}, {"id": 2}),
            ("UPDATE", {"id": 3, "body": "c"}, {"id": 3}),
            ("INSERT", {"id": 9, "body": "end"}, {}),
        ]


async def test_entries_for_several_tables_and_events_of_one_channel_are_told_apart(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    raw = await Raw.connect(host)
    entries = [table("open_notes"), table("open_notes", "INSERT"), table("typed", "INSERT")]
    answer = await raw.join(postgres_changes=entries)
    every, inserted, typed = [each["id"] for each in answer[4]["response"]["postgres_changes"]]
    assert (await raw.receive())[4]["status"] == "ok"
    await asyncio.gather(
        run_sql(db.info.dsn + f" password={db.info.password}", "insert into typed (id) values (1)"),
        db.execute("insert into open_notes values (1, 'a')"),
    )
    await db.execute("update open_notes set body = 'b'")
    frames = [(await raw.receive())[4] for _ in range(3)]
    heard = {(each["data"]["table"], each["data"]["type"]): set(each["ids"]) for each in frames}
    assert heard == {
        ("typed", "INSERT"): {typed},
        ("open_notes", "INSERT"): {every, inserted},
        ("open_notes", "UPDATE"): {every},
    }
    await raw.close()


async def test_a_delete_shows_the_key_alone_when_policies_decide_about_rows(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    await db.execute("alter table notes replica identity full")
    await db.execute("insert into notes (id, owner, body) values (1, 'ann', 'x')")
    async with peers(host, "python") as (bob,):
        await subscribe(bob, table("notes", "DELETE"), sub="bob")
        await db.execute("delete from notes")
        (heard,) = await hears(bob, "change")
        assert heard["change"]["old"] == {"id": 1}
    await db.execute("alter table notes replica identity default")


async def test_an_update_has_the_old_key_and_unchanged_large_values_are_left_out(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    await db.execute("alter table notes alter column body set storage external")
    await db.execute("insert into notes (id, owner, body) values (1, 'ann', repeat('x', 20000))")
    async with peers(host, "python") as (ann,):
        await subscribe(ann, table("notes", "UPDATE"), sub="ann")
        await db.execute("update notes set tags = '{a,b}' where id = 1")
        (heard,) = await hears(ann, "change")
        assert heard["change"]["old"] == {"id": 1}
        assert heard["change"]["new"]["tags"] == ["a", "b"]
        assert "body" not in heard["change"]["new"]


async def test_values_have_their_types_and_unreadable_columns_are_left_out(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    raw = await Raw.connect(host)
    token = make_token(sub="ann")
    answer = await raw.join(postgres_changes=[table("notes")], access_token=token)
    (entry,) = answer[4]["response"]["postgres_changes"]
    assert (await raw.receive())[4]["message"] == "Subscribed to PostgreSQL"
    await db.execute(
        "insert into notes values (9007199254740993, 'ann', E'é\\n\"', '{a,NULL,\"b,c\"}',"
        " '2026-01-02 03:04:05.678+02', '{\"deep\": [1, null]}', 'hidden')"
    )
    frame = await raw.receive()
    assert frame[:4] == [None, None, "realtime:room", "postgres_changes"]
    assert frame[4]["ids"] == [entry["id"]]
    data = frame[4]["data"]
    assert data["record"] == {
        "id": 9007199254740993,
        "owner": "ann",
        "body": 'é\n"',
        "tags": ["a", None, "b,c"],
        "at": "2026-01-02T01:04:05.678+00:00",
        "more": {"deep": [1, None]},
    }
    assert [(each["name"], each["type"]) for each in data["columns"]] == [
        ("id", "int8"),
        ("owner", "text"),
        ("body", "text"),
        ("tags", "_text"),
        ("at", "timestamptz"),
        ("more", "jsonb"),
    ]
    assert (data["errors"], "old_record" in data) == (None, False)
    await raw.close()


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ("id=eq.2", [2]),
        ("id=neq.2", [1, 3, 10]),
        ("id=lt.3", [1, 2]),
        ("id=lte.3", [1, 2, 3]),
        ("id=gt.3", [10]),
        ("id=gte.3", [3, 10]),
        ("id=in.(1,10)", [1, 10]),
        ("id=in.( 1 , 10 )", [1, 10]),
        ("id=in.()", []),
        ("id=not.in.(1,10)", [2, 3]),
        ('body=in.("b,c",d)', [2, 3]),
        ('body=eq."b,c"', [2]),
        (r'body=eq."b\,c"', [2]),
        ("body=neq.a", [2, 3]),
        ("body=not.eq.a", [2, 3]),
        ("body=like.b%", [2]),
        ("body=like.B%", []),
        ("body=ilike.B%", [2]),
        ("body=not.like.b%", [1, 3]),
        ("body=not.ilike.B%", [1, 3]),
        ("body=match.^[ad]$", [1, 3]),
        ("body=match.^[AD]$", []),
        ("body=imatch.^[AD]$", [1, 3]),
        ("body=not.match.^a", [2, 3]),
        ("body=match.^(a,|b,)", [2]),
        ("body=is.null", [10]),
        ("body=not.is.null", [1, 2, 3]),
        ("body=isdistinct.a", [2, 3, 10]),
        ("body=not.isdistinct.a", [1]),
        ("id=gt.1,body=neq.d", [2]),
        (" id=gt.1 , body=not.is.null ", [2, 3]),
        ("id=gt.1,id=lt.10,body=not.like.d%,body=not.is.null", [2]),
        ("id=gte.2,id=lte.3", [2, 3]),
        ("id=in.(1,2,3),body=like.%c", [2]),
        ("body=neq.a,body=not.like.%c", [3]),
        ("body=not.is.null,body=ilike.B%", [2]),
        ("   ", [1, 2, 3, 10]),
    ],
)
async def test_filters_compare_as_the_columns_type_does(
    host: Host, db: psycopg.AsyncConnection, condition: str, ids: list[int]
) -> None:
    assert await passing(
        host,
        db,
        "open_notes",
        condition,
        "insert into open_notes values (1, 'a'), (2, 'b,c'), (3, 'd'), (10, null)",
    ) == [*ids]


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ("flag=is.true", [1]),
        ("flag=is.false", [2]),
        ("flag=is.unknown", [3]),
        ("flag=is.null", [3]),
        ("flag=not.is.true", [2, 3]),
        ("flag=eq.false", [2]),
        ("amount=gt.9", [2]),
        ("amount=eq.1", [1]),
        ("amount=in.(1,10.0)", [1, 2]),
        ("at=lt.2026-01-02T00:00:00Z", [1]),
        ("at=eq.2026-01-02 02:00:00+01", [2]),
        ("name=eq.Bob", [2]),
        ("mood=gt.sad", [2]),
        ("mood=isdistinct.sad", [2, 3]),
        ('tags=eq."{a,b}"', [1]),
        ("more=is.null", [3]),
        ("more=not.is.null", [1, 2]),
    ],
)
async def test_values_in_filters_are_of_the_columns_type(
    host: Host, db: psycopg.AsyncConnection, condition: str, ids: list[int]
) -> None:
    rows = """
    insert into typed values
    (1, true, 1.00, '2026-01-01 23:00Z', 'Ann', 'sad', '{a,b}', '{}'),
    (2, false, 10, '2026-01-02 01:00Z', 'Bob', 'glad', '{b}', '[]'),
    (3, null, null, null, null, null, null, null)
    """
    assert await passing(host, db, "typed", condition, rows) == ids


async def passing(
    host: Host, db: psycopg.AsyncConnection, name: str, condition: str, rows: LiteralString
) -> list[int]:
    """Insert rows; returns the ids of those that a filter lets through."""
    raw = await Raw.connect(host)
    await raw.join(postgres_changes=[table(name, filter=condition), table(name, filter="id=eq.99")])
    assert (await raw.receive())[4]["message"] == "Subscribed to PostgreSQL"
    await db.execute(rows)
    await db.execute(sql.SQL("insert into {} (id) values (99)").format(sql.Identifier(name)))
    heard = []
    while (found := (await raw.receive())[4]["data"]["record"]["id"]) != 99:
        heard.append(found)
    await raw.close()
    return heard


@pytest.mark.parametrize(
    "condition",
    ["body=like.a%", "body=is.null", "body=not.eq.b", "body=isdistinct.b", "body=in.(a)"],
)
async def test_filters_apply_to_updates_and_deletes_as_far_as_the_log_has_the_column(
    host: Host, db: psycopg.AsyncConnection, condition: str
) -> None:
    raw = await Raw.connect(host)
    await raw.join(postgres_changes=[table("open_notes", filter=condition)])
    assert (await raw.receive())[4]["status"] == "ok"
    value = None if condition == "body=is.null" else "a"
    other = "b" if value is None or "b" in condition else "c"
    await db.execute("insert into open_notes values (1, %s)", (other,))
    await db.execute("update open_notes set body = %s", (value,))
    await db.execute("update open_notes set body = %s", (other,))
    await db.execute("update open_notes set body = %s", (value,))
    await db.execute("delete from open_notes")
    heard = [(await raw.receive())[4]["data"] for _ in range(3)]
    assert [each["type"] for each in heard] == ["UPDATE", "UPDATE", "DELETE"]
    assert heard[2]["old_record"] == {"id": 1, "body": value}
    await db.execute("insert into open_notes values (2, %s)", (value,))
    assert (await raw.receive())[4]["data"]["type"] == "INSERT"
    await db.execute("alter table open_notes replica identity default")
    try:
        # The log now has nothing of a deleted row but its key.
        await db.execute("delete from open_notes")
        await db.execute("insert into open_notes values (3, %s)", (value,))
        assert (await raw.receive())[4]["data"]["type"] == "INSERT"
    finally:
        await db.execute("alter table open_notes replica identity full")
    await raw.close()


async def test_a_filter_on_a_large_value_passes_only_while_it_is_written(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    await db.execute("alter table notes alter column body set storage external")
    raw = await Raw.connect(host)
    entries = [table("notes", filter="body=like.x%"), table("notes", filter="body=is.null")]
    await raw.join(postgres_changes=entries, access_token=make_token(sub="ann"))
    assert (await raw.receive())[4]["status"] == "ok"
    await db.execute("insert into notes (id, owner, body) values (1, 'ann', repeat('x', 20000))")
    assert (await raw.receive())[4]["data"]["type"] == "INSERT"
    await db.execute("update notes set tags = '{a}'")
    await db.execute("update notes set body = 'xy'")
    assert (await raw.receive())[4]["data"]["record"]["body"] == "xy"
    await raw.close()


async def test_a_filter_that_fails_for_a_row_hides_it_from_its_own_subscriber_alone(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    broken, fine = await Raw.connect(host), await Raw.connect(host)
    for raw, condition in ((broken, "body=like.a\\"), (fine, "body=like.a%")):
        await raw.join(postgres_changes=[table("open_notes", filter=condition)])
        assert (await raw.receive())[4]["status"] == "ok"
    await db.execute("insert into open_notes values (1, 'ab')")
    assert (await fine.receive())[4]["data"]["record"] == {"id": 1, "body": "ab"}
    with pytest.raises(TimeoutError):
        await broken.receive(0.3)
    await broken.close()
    await fine.close()


async def test_a_table_that_loses_the_column_of_a_filter_spoils_no_other_entry(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    await db.execute("create table public.brief (id int primary key, gone text)")
    await db.execute("grant select on public.brief to anon")
    await db.execute("alter publication supabase_realtime add table public.brief")
    raw = await Raw.connect(host)
    entries = [table("brief", filter="gone=is.null"), table("brief", "INSERT")]
    ids = [each["id"] for each in (await raw.join(postgres_changes=entries))[4]["response"]
           ["postgres_changes"]]  # fmt: skip
    assert (await raw.receive())[4]["status"] == "ok"
    await db.execute("insert into brief values (1)")
    assert sorted((await raw.receive())[4]["ids"]) == sorted(ids)
    await db.execute("alter table brief drop column gone")
    await db.execute("insert into brief values (2)")
    assert (await raw.receive())[4]["ids"] == ids[1:]
    await db.execute("drop table brief")
    await raw.close()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (table("unpublished"), "Please check Realtime is enabled for the given connect parameters"),
        (table("absent"), "Please check Realtime is enabled for the given connect parameters"),
        (table("open_notes", filter="nope=eq.1"), "invalid column for filter nope"),
        (table("open_notes", filter="id=eq.x"), "invalid input syntax for type integer"),
        (table("open_notes", filter="id=in.(1,x)"), "invalid input syntax for type integer"),
        (
            table("open_notes", filter="id=like.1%"),
            "ERROR P0001 (raise_exception) operator like requires a text-compatible column type, "
            "got integer",
        ),
        (table("typed", filter="name=ilike.a"), "column type, got character varying"),
        (table("typed", filter="name=match.a"), "column type, got character varying"),
        (table("open_notes", filter="body=match.("), "invalid regular expression for match filter"),
        (
            table("open_notes", filter="body=is.NULL"),
            "invalid value for is filter: must be null, true, false, or unknown",
        ),
        (
            table("open_notes", filter="body=is.true"),
            "is true filter requires a boolean column, got text",
        ),
        (
            table("open_notes", filter="id=isdistinct.null"),
            "ERROR 22P02 (invalid_text_representation) invalid input syntax for type integer",
        ),
        (table("typed", filter="mood=eq.angry"), "invalid input value for enum"),
        (table("typed", filter="more=eq.{}"), "operator does not exist: json = unknown"),
        (
            table("open_notes", filter=f"id=in.({','.join(map(str, range(101)))})"),
            "too many values for `in` filter. Maximum 100",
        ),
        (table("open_notes", filter="body=foo.a"), "Error parsing `filter` params: "),
        (table("open_notes", filter=None), "No subscription params provided"),
        ({"table": "open_notes", "filter": "id=eq.1"}, "No subscription params provided"),
        (table("open_notes", select=["nope"]), "invalid column for select nope"),
        (table("notes", filter="owner=eq.ann"), "invalid column for filter owner"),
        ({"event": "*"}, "Please provide at least a `schema` or `table`"),
    ],
)
async def test_what_cannot_be_served_is_told_by_system_and_the_channel_lives(
    host: Host, entry: dict[str, Any], message: str
) -> None:
    raw = await Raw.connect(host)
    answer = await raw.join(postgres_changes=[entry])
    assert answer[4]["status"] == "ok"
    payload = (await raw.receive())[4]
    assert (payload["extension"], payload["status"]) == ("postgres_changes", "error")
    assert message in payload["message"]
    await raw.push("1", "2", "realtime:room", "phx_leave", {})
    assert (await raw.receive())[4]["status"] == "ok"
    await raw.close()


async def test_a_table_without_a_key_is_an_error_400(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    async with peers(host, *CLIENTS) as made:
        for peer in made:
            await subscribe(peer, table("keyless"))
        await db.execute("insert into keyless values ('x')")
        for peer in made:
            (heard,) = await hears(peer, "change")
            assert heard["change"]["errors"] == ["Error 400: Bad Request, no primary key"]


async def test_a_key_that_may_not_be_read_is_an_error_401(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    raw = await Raw.connect(host)
    await raw.join(postgres_changes=[table("open_notes")])
    await raw.receive()
    await db.execute("revoke select on open_notes from anon")
    try:
        await db.execute("insert into open_notes values (1, 'a')")
        assert (await raw.receive())[4]["data"]["errors"] == ["Error 401: Unauthorized"]
    finally:
        await db.execute("grant select on open_notes to anon")
    await db.execute("insert into open_notes values (2, 'a')")
    assert (await raw.receive())[4]["data"]["errors"] is None
    await raw.close()


async def test_a_row_over_a_megabyte_keeps_its_small_values(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    raw = await Raw.connect(host)
    await raw.join(postgres_changes=[table("open_notes")])
    await raw.receive()
    await db.execute("insert into open_notes values (1, repeat('x', 1100000))")
    data = (await raw.receive())[4]["data"]
    assert data["record"] == {"id": 1}
    assert data["errors"] == ["Error 413: Payload Too Large"]
    await raw.close()


async def test_a_row_is_told_when_it_can_be_seen_and_not_lost_before(
    host: Host, postgres: Server, db: psycopg.AsyncConnection
) -> None:
    raw = await Raw.connect(host)
    await raw.join(postgres_changes=[table("notes")], access_token=make_token(sub="ann"))
    await raw.receive()
    # A commit that waits for a standby is in the WAL, and nobody sees its rows.
    await run_sql(postgres.url, "alter system set synchronous_standby_names = 'nobody'")
    await run_sql(postgres.url, "select pg_reload_conf()")
    writer = await psycopg.AsyncConnection.connect(postgres.developer_url, autocommit=True)
    insert = asyncio.create_task(writer.execute("insert into notes (id, owner) values (1, 'ann')"))
    try:
        while not await run_sql(
            postgres.url, "select 1 from pg_stat_activity where wait_event = 'SyncRep'"
        ):
            assert not insert.done()
        with pytest.raises(TimeoutError):
            await raw.receive(within_s=0.5)
    finally:
        await run_sql(postgres.url, "alter system reset synchronous_standby_names")
        await run_sql(postgres.url, "select pg_reload_conf()")
        await insert
        await writer.close()
    assert (await raw.receive())[4]["data"]["record"]["id"] == 1
    await raw.close()


async def test_select_keeps_the_key_and_the_columns_named(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    raw = await Raw.connect(host)
    token = make_token(sub="ann")
    entries = [table("notes", select=["body"]), table("notes")]
    answer = await raw.join(postgres_changes=entries, access_token=token)
    first, second = [each["id"] for each in answer[4]["response"]["postgres_changes"]]
    await raw.receive()
    await db.execute("insert into notes (id, owner, body) values (1, 'ann', 'x')")
    frames = {json.dumps(each[4]["ids"]): each[4]["data"] for each in
              [await raw.receive(), await raw.receive()]}  # fmt: skip
    assert frames[json.dumps([first])]["record"] == {"id": 1, "body": "x"}
    columns = frames[json.dumps([first])]["columns"]
    assert [each["name"] for each in columns] == ["id", "body"]
    assert frames[json.dumps([second])]["record"]["owner"] == "ann"
    await raw.close()


@pytest.mark.parametrize(
    ("entry", "schemas"),
    [
        ({"schema": "pub%", "table": "open_notes"}, ["public"]),
        ({"schema": "%", "table": r"open\_notes"}, []),
        ({"schema": "%", "table": "open_note_"}, ["public", "aside"]),
        ({"schema": "*", "table": "open_notes"}, ["public", "aside"]),
        ({"schema": "a%"}, ["aside"]),
        ({"table": "open_notes"}, ["public"]),
    ],
)
async def test_schema_and_table_may_be_patterns(
    host: Host, db: psycopg.AsyncConnection, entry: dict[str, Any], schemas: list[str]
) -> None:
    await db.execute("truncate aside.open_notes")
    raw = await Raw.connect(host)
    await raw.join(postgres_changes=[entry])
    assert (await raw.receive())[4]["status"] == ("ok" if schemas else "error")
    await db.execute("insert into open_notes values (1, 'a')")
    await db.execute("insert into aside.open_notes values (1, 'a')")
    heard = [(await raw.receive())[4]["data"]["schema"] for _ in schemas]
    assert heard == schemas
    await raw.close()


async def test_a_table_that_is_published_later_is_heard_by_wildcards(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    raw = await Raw.connect(host)
    await raw.join(postgres_changes=[{"event": "TRUNCATE", "schema": "publ__"}])
    assert (await raw.receive())[4]["status"] == "ok"
    await db.execute("create table public.late (id int primary key)")
    await db.execute("grant select on public.late to anon")
    await db.execute("alter publication supabase_realtime add table public.late")
    await db.execute("insert into late values (1)")
    await db.execute("update late set id = 2")
    heard = [(await raw.receive())[4]["data"] for _ in range(2)]
    assert [(each["table"], each["type"]) for each in heard] == [
        ("late", "INSERT"),
        ("late", "UPDATE"),
    ]
    await db.execute("drop table late")
    await raw.close()


async def test_a_join_without_config_hears_the_table_of_its_topic_under_the_events_names(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    raw = await Raw.connect(host)
    topic = "realtime:public:open_notes:id=eq.1"
    await raw.push("1", "1", topic, "phx_join", {})
    assert (await raw.receive())[4]["status"] == "ok"
    assert (await raw.receive())[4]["message"] == "Subscribed to PostgreSQL"
    await db.execute("insert into open_notes values (1, 'a'), (2, 'b')")
    await db.execute("update open_notes set body = 'c'")
    await db.execute("delete from open_notes")
    heard = [await raw.receive() for _ in range(3)]
    assert [each[:4] for each in heard] == [
        [None, None, topic, event] for event in ("INSERT", "UPDATE", "DELETE")
    ]
    assert [each[4]["type"] for each in heard] == ["INSERT", "UPDATE", "DELETE"]
    first, second, third = (each[4] for each in heard)
    assert first["record"] == {"id": 1, "body": "a"}
    assert second["old_record"] == {"id": 1, "body": "a"}
    assert third["old_record"] == {"id": 1, "body": "c"}
    assert first["schema"] == "public"
    assert first["errors"] is None
    assert "ids" not in first
    await raw.close()


async def test_a_join_without_config_whose_topic_names_no_table_is_told_so(host: Host) -> None:
    raw = await Raw.connect(host)
    await raw.push("1", "1", "realtime:lobby", "phx_join", {})
    assert (await raw.receive())[4]["status"] == "ok"
    payload = (await raw.receive())[4]
    assert payload["status"] == "error"
    assert payload["message"].endswith(
        "[event: *, schema: lobby, table: *, filters: [], select: nil]"
    )
    await raw.push("1", "2", "realtime:lobby", "broadcast", {"event": "e", "payload": {}})
    await raw.push("1", "3", "realtime:lobby", "phx_leave", {})
    assert (await raw.receive())[1] == "3"
    await raw.close()


async def test_wildcards_and_identical_entries_are_one_message_with_their_ids(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    raw = await Raw.connect(host)
    everything = {"event": "INSERT", "schema": "public", "table": "*"}
    entries = [everything, everything, table("open_notes"), table("open_notes", "DELETE")]
    answer = await raw.join(postgres_changes=entries)
    ids = [each["id"] for each in answer[4]["response"]["postgres_changes"]]
    await raw.receive()
    await db.execute("insert into open_notes values (1, 'a')")
    assert sorted((await raw.receive())[4]["ids"]) == sorted({ids[0], ids[2]})
    await db.execute("update open_notes set body = 'b'")
    assert (await raw.receive())[4]["ids"] == [ids[2]]
    await raw.close()


async def test_a_rolled_back_change_is_never_heard(host: Host, db: psycopg.AsyncConnection) -> None:
    raw = await Raw.connect(host)
    await raw.join(postgres_changes=[table("open_notes")])
    await raw.receive()
    await db.execute("begin; insert into open_notes values (1, 'a'); rollback")
    await db.execute("insert into open_notes values (2, 'b')")
    assert (await raw.receive())[4]["data"]["record"]["id"] == 2
    await raw.close()


async def test_a_policy_that_raises_hides_the_row_from_that_subscriber_alone(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    await db.execute(
        'create policy "picky" on notes for select to authenticated using ('
        " (current_setting('request.jwt.claims', true)::jsonb ->> 'number')::int > 0)"
    )
    try:
        broken, fine = await Raw.connect(host), await Raw.connect(host)
        for raw, number in ((broken, "x"), (fine, "1")):
            token = make_token(sub="dan", number=number)
            await raw.join(postgres_changes=[table("notes")], access_token=token)
            assert (await raw.receive())[4]["status"] == "ok"
        await db.execute("insert into notes (id, owner) values (1, 'ann')")
        assert (await fine.receive())[4]["data"]["record"]["id"] == 1
        with pytest.raises(TimeoutError):
            await broken.receive(0.3)
        await broken.close()
        await fine.close()
    finally:
        await db.execute('drop policy "picky" on notes')


async def test_private_and_public_channels_hear_tables_alike(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    raw = await Raw.connect(host)
    token = make_token("service_role")
    answer = await raw.join(
        private=True, postgres_changes=[table("open_notes")], access_token=token
    )
    assert answer[4]["status"] == "ok"
    await raw.receive()
    await db.execute("grant select on open_notes to service_role")
    await db.execute("insert into open_notes values (1, 'a')")
    assert (await raw.receive())[4]["data"]["record"] == {"id": 1, "body": "a"}
    await raw.close()


async def test_reading_pauses_while_policies_are_asked_and_nothing_is_lost(
    host: Host, db: psycopg.AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "BACKLOG", 50)
    raw = await Raw.connect(host)
    token = make_token(sub="ann")
    await raw.join(postgres_changes=[table("notes", "INSERT")], access_token=token)
    await raw.receive()
    for start in range(0, 2000, 100):
        await db.execute(
            "insert into notes (id, owner) select n, case n %% 2 when 0 then 'ann' else 'bob' end"
            " from generate_series(%s::int, %s::int) as n",
            (start, start + 99),
        )
    await db.execute("select realtime.send('{\"n\": 1}', 'said', 'room', false)")
    heard = []
    while not isinstance(frame := await raw.receive(), bytes):
        heard.append(frame[4]["data"]["record"]["id"])
    while len(heard) < 1000:
        heard.append((await raw.receive())[4]["data"]["record"]["id"])
    assert heard == list(range(0, 2000, 2))
    await raw.close()


async def test_a_table_that_is_dropped_meanwhile_spoils_no_other(
    host: Host, db: psycopg.AsyncConnection
) -> None:
    await db.execute("create table public.brief (id int primary key)")
    await db.execute("alter publication supabase_realtime add table public.brief")
    raw = await Raw.connect(host)
    await raw.join(postgres_changes=[{"event": "*", "schema": "public"}])
    assert (await raw.receive())[4]["status"] == "ok"
    await db.execute("begin; insert into brief values (1); drop table brief; commit")
    await db.execute("insert into open_notes values (1, 'a')")
    assert (await raw.receive())[4]["data"]["table"] == "open_notes"
    await raw.close()
