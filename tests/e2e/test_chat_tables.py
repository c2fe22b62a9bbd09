"""What tables show through the front door, and to whom; nobody writes them (I6)."""

from __future__ import annotations

import psycopg

from parley.stack import Status
from tests.e2e.chat_people import NOWHERE, Door, Member, room_of


def relations(stack: Status, kinds: str = "rpv") -> dict[str, str]:
    """Every table (r, p) and view (v) of ``chat`` with its first column."""
    with psycopg.connect(stack.db_url) as connection:
        rows = connection.execute(
            "select c.relname, a.attname from pg_class as c"
            " join pg_attribute as a on a.attrelid = c.oid and a.attnum = 1"
            " where c.relnamespace = 'chat'::regnamespace and strpos(%s, c.relkind::text) > 0",
            (kinds,),
        ).fetchall()
    return dict(rows)


async def test_no_table_can_be_written_over_http(
    stack: Status, people: list[Member], door: Door
) -> None:
    ann, *_ = people
    tables = relations(stack, "rp")
    assert {"rooms", "messages", "room_members", "profiles", "tenants"} <= set(tables)
    for table, column in tables.items():
        some = f"{table}?{column}=not.is.null"
        writes = [
            ("POST", table, {column: NOWHERE}),
            ("PATCH", some, {column: NOWHERE}),
            ("DELETE", some, None),
        ]
        for method, path, body in writes:
            person = await door.request(method, path, body=body, token=ann.token)
            assert (person.status, person.body["code"]) == (403, "42501"), (method, table)
            nobody = await door.request(method, path, body=body)
            assert (nobody.status, nobody.body["code"]) == (401, "42501"), (method, table)


async def test_the_service_role_reads_every_table_and_nobody_signed_in_reads_none(
    stack: Status, people: list[Member], door: Door
) -> None:
    ann, *_ = people
    room_id = await room_of(ann)
    for table in relations(stack):
        await door.read(f"{table}?limit=1", key=stack.secret_key)
        anonymous = await door.request("GET", f"{table}?limit=1")
        assert (anonymous.status, anonymous.body["code"]) == (401, "42501"), table
    assert await door.read(f"rooms?id=eq.{room_id}", key=stack.secret_key)


async def test_tables_show_members_their_rooms_and_strangers_nothing(
    people: list[Member], door: Door
) -> None:
    ann, bob, _, dan = people
    room_id = await room_of(ann, bob)
    await ann.send(room_id, "Only for us.")
    for table, expected in {
        "rooms?id": 1,
        "room_members?room_id": 2,
        "messages?room_id": 1,
    }.items():
        path = f"{table}=eq.{room_id}"
        assert len(await door.read(path, token=bob.token)) == expected
        assert await door.read(path, token=dan.token) == []


async def test_a_newcomer_reads_from_when_the_room_says(people: list[Member], door: Door) -> None:
    ann, bob, *_ = people
    for history, expected in {
        "all": ["Before.", "member_added", "After."],
        "since_join": 2,
    }.items():
        room_id = await room_of(ann, history=history)
        await ann.send(room_id, "Before.")
        await ann.call("add_member", room_id=room_id, user_id=bob.user_id)
        await ann.send(room_id, "After.")
        rows = await door.read(f"messages?room_id=eq.{room_id}&order=seq", token=bob.token)
        wanted = expected if isinstance(expected, list) else ["member_added", "After."]
        assert [each["body"] for each in rows] == wanted
