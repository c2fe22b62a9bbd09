"""`postgres_changes` with unmodified clients: what whose policies let them see of which tables."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from parley.realtime import changes
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
alter publication supabase_realtime add table public.notes, public.open_notes, public.keyless;
"""
DROP = "drop table public.notes, public.open_notes, public.keyless, public.unpublished"


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
        await connection.execute("truncate public.notes, public.open_notes, public.keyless")
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
        ('body=in.("b,c",d)', [2, 3]),
        ("body=eq.b,c", []),
        ("id=gt.1,body=neq.d", [2]),
        ("body=eq.a", [1]),
    ],
)
async def test_filters_compare_as_the_columns_type_does(
    host: Host, db: psycopg.AsyncConnection, condition: str, ids: list[int]
) -> None:
    raw = await Raw.connect(host)
    if condition == "body=eq.b,c":
        await raw.join(postgres_changes=[table("open_notes", filter=condition)])
        assert "Error parsing `filter` params" in (await raw.receive())[4]["message"]
        await raw.close()
        return
    entries = [table("open_notes", filter=condition), table("open_notes", filter="id=eq.99")]
    await raw.join(postgres_changes=entries)
    await raw.receive()
    await db.execute("insert into open_notes values (1, 'a'), (2, 'b,c'), (3, 'd'), (10, null)")
    await db.execute("insert into open_notes values (99, null)")
    heard = []
    while (frame := await raw.receive())[4]["data"]["record"]["id"] != 99:
        heard.append(frame[4]["data"]["record"]["id"])
    assert heard == ids
    await raw.close()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (table("unpublished"), "Please check Realtime is enabled for the given connect parameters"),
        (table("absent"), "Please check Realtime is enabled for the given connect parameters"),
        (table("open_notes", filter="nope=eq.1"), "invalid column for filter nope"),
        (table("open_notes", filter="id=eq.x"), "invalid input syntax for type integer"),
        (table("open_notes", filter="id=in.(1,x)"), "invalid input syntax for type integer"),
        (table("open_notes", filter="body=like.a%"), "Error parsing `filter` params"),
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
    assert frames[json.dumps([second])]["record"]["owner"] == "ann"
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
