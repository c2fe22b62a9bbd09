"""Ann, Bob and Cat use the chat through the front door with supabase-py; Dan is the stranger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import psycopg
import pytest
import pytest_asyncio

from parley.demo.check import late_arrivals, lowered_fanout_limit
from parley.errors import PartFailed
from parley.stack import Status
from tests.e2e.chat_people import Door, Member, signed_up

NOWHERE = "00000000-0000-4000-8000-00000000dead"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(stack: Status) -> AsyncIterator[list[Member]]:
    """Ann, Bob, Cat and Dan. Their own topics move on with every room they lose."""
    async with signed_up(stack, "Ann", "Bob", "Cat", "Dan") as members:
        yield members


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(stack: Status) -> AsyncIterator[Door]:
    """The front door over plain HTTP."""
    async with aiohttp.ClientSession() as session:
        yield Door(stack, session)


async def room_of(owner: Member, *others: Member, **options: Any) -> str:
    """Open a group room; returns its id."""
    ids = [each.user_id for each in others]
    room = await owner.call("create_room", name="Lisbon in May", member_ids=ids, **options)
    return str(room["id"])


@asynccontextmanager
async def listening(stack: Status, *names: str) -> AsyncIterator[list[Member]]:
    """New accounts, each on their own topic."""
    async with signed_up(stack, *names) as members:
        await asyncio.gather(*(each.listen_to_self() for each in members))
        yield members


async def small_room_of(_: Status, owner: Member, *others: Member) -> str:
    """Open a room that names the recipients of each step; returns its id."""
    return await room_of(owner, *others)


async def large_room_of(stack: Status, owner: Member, *others: Member) -> str:
    """Open a room that has a topic for its steps; returns its id."""
    async with lowered_fanout_limit(stack.db_url):
        return await room_of(owner, *others)


# Shapes


async def test_a_sign_up_makes_a_profile_that_people_of_the_tenant_read(
    people: list[Member], door: Door
) -> None:
    ann, bob, *_ = people
    (profile,) = await door.read(f"profiles?user_id=eq.{ann.user_id}", token=bob.token)
    assert profile["display_name"] == "Ann"
    assert ann.email not in str(profile)


async def test_one_composite_is_one_object(people: list[Member]) -> None:
    ann, bob, *_ = people
    room = await ann.call("create_room", name="  Porto  ", member_ids=[bob.user_id])
    assert (room["name"], room["rev"], room["member_count"]) == ("Porto", 1, 2)
    invite = await ann.call("create_invite", room_id=room["id"])
    assert set(invite) == {"invite_id", "token"}
    message = await ann.send(room["id"], "Olá")
    assert (message["seq"], message["body"], message["attachments"]) == (1, "Olá", [])
    access = await bob.call("explain_access", topic=f"live:{room['id']}:1")
    assert (access["may_listen"], access["may_send"], access["reason"]) == (True, True, "allowed")


async def test_the_start_screen_is_objects_in_objects(people: list[Member]) -> None:
    ann, bob, *_ = people
    room_id = await room_of(ann, bob)
    await bob.send(room_id, "I am in.")
    first = (await ann.call("list_rooms", page_size=1))[0]
    assert first["room"]["id"] == room_id
    assert first["last_message"]["body"] == "I am in."
    direct = await ann.call("open_direct", user_id=bob.user_id, label="tourist")
    await bob.send(direct["id"], "Walk up, ride down.")
    first = (await ann.call("list_rooms", page_size=1))[0]
    assert first["other"]["display_name"] == "Bob"


async def test_pages_are_lists_of_rows(people: list[Member]) -> None:
    ann, bob, *_ = people
    room_id = await room_of(ann, bob)
    for number in range(5):
        await ann.send(room_id, f"{number}")
    page = await bob.call("list_messages", room_id=room_id, before=4, page_size=2)
    assert [each["seq"] for each in page] == [2, 3]
    members = await bob.call("list_members", room_id=room_id)
    assert {each["user_id"] for each in members} == {ann.user_id, bob.user_id}
    heads = await bob.call("list_heads")
    assert [each["rev"] for each in heads["rooms"] if each["room_id"] == room_id] == [6]


# Rooms and people


async def test_a_message_reaches_the_others_once_and_in_order(stack: Status) -> None:
    async with listening(stack, "Ann", "Bob", "Cat", "Dan") as (ann, bob, cat, dan):
        room_id = await room_of(ann, bob, cat)
        sent = [await (ann, bob)[number % 2].send(room_id, f"{number}") for number in range(6)]
        for listener in (ann, bob, cat):
            await listener.hears_message(room_id, 6)
            steps = [each for each in listener.heard if each.payload.get("room_id") == room_id]
            assert [(each.payload["from"], each.payload["to"]) for each in steps] == [
                (number, number + 1) for number in range(7)
            ]
            assert [each.payload["rows"]["messages"] for each in steps[1:]] == [
                [each] for each in sent
            ]
        assert not [each for each in dan.heard if each.payload.get("room_id") == room_id]


async def test_both_people_open_the_same_direct_room_at_once(people: list[Member]) -> None:
    _, _, cat, dan = people
    pairs = [(cat, dan), (dan, cat)] * 3
    rooms = await asyncio.gather(
        *(one.call("open_direct", user_id=other.user_id) for one, other in pairs)
    )
    assert len({room["id"] for room in rooms}) == 1


async def test_the_same_send_twice_is_one_message(people: list[Member], door: Door) -> None:
    ann, bob, *_ = people
    room_id = await room_of(ann, bob)
    send = {"room_id": room_id, "body": "Once.", "client_id": str(uuid4())}
    first, second = [await door.call("send_message", send, token=ann.token) for _ in range(2)]
    assert first.body == second.body
    other = await door.call("send_message", send | {"body": "Twice."}, token=ann.token)
    assert (other.status, other.slug) == (409, "message_id_reused")
    assert len(await ann.call("list_messages", room_id=room_id)) == 1


async def test_an_invite_lets_in_as_many_as_it_says(people: list[Member], door: Door) -> None:
    ann, bob, cat, _ = people
    room_id = await room_of(ann)
    token = (await ann.call("create_invite", room_id=room_id))["token"]
    member = await bob.call("accept_invite", token=token)
    assert (member["room_id"], member["role"]) == (room_id, "member")
    late = await door.call("accept_invite", {"token": token}, token=cat.token)
    assert (late.status, late.slug) == (410, "invite_expired")
    wrong = await door.call("accept_invite", {"token": "x"}, token=cat.token)
    assert (wrong.status, wrong.slug) == (404, "invite_not_found")


async def test_a_role_decides_who_may_remove_whom(people: list[Member], door: Door) -> None:
    ann, bob, cat, _ = people
    room_id = await room_of(ann, bob, cat)
    removal = {"room_id": room_id, "user_id": cat.user_id}
    refused = await door.call("remove_member", removal, token=bob.token)
    assert (refused.status, refused.slug) == (403, "not_allowed")
    await ann.call("set_member_role", room_id=room_id, user_id=bob.user_id, role="moderator")
    assert (await door.call("remove_member", removal, token=bob.token)).status == 200
    alone = await door.call("leave_room", {"room_id": room_id}, token=ann.token)
    assert (alone.status, alone.slug) == (409, "last_owner")
    await ann.call("set_member_role", room_id=room_id, user_id=bob.user_id, role="owner")
    assert (await door.call("leave_room", {"room_id": room_id}, token=ann.token)).status == 200


async def test_a_public_room_is_found_and_joined_by_the_tenant(
    people: list[Member], door: Door
) -> None:
    ann, _, _, dan = people
    public, private = await room_of(ann, is_public=True), await room_of(ann)
    assert [each["id"] for each in await door.read(f"rooms?id=eq.{public}", token=dan.token)]
    assert not await door.read(f"rooms?id=eq.{private}", token=dan.token)
    assert (await dan.call("join_room", room_id=public))["role"] == "member"
    refused = await door.call("join_room", {"room_id": private}, token=dan.token)
    assert (refused.status, refused.slug) == (404, "room_not_found")


# Errors


def to_nowhere(_: str) -> dict[str, Any]:
    """Arguments of a send to a room that does not exist."""
    return {"room_id": NOWHERE, "body": "x", "client_id": str(uuid4())}


def to_room(**changes: Any) -> Callable[[str], dict[str, Any]]:
    """Arguments of a send to Ann's room, with something changed."""
    return lambda room_id: {
        "room_id": room_id,
        "body": "x",
        "client_id": str(uuid4()),
        **changes,
    }


Refusal = tuple[str, Callable[[str], dict[str, Any]], int, str]
REFUSALS: list[Refusal] = [
    ("send_message", to_nowhere, 404, "room_not_found"),
    ("send_message", to_room(body="  "), 400, "invalid_input"),
    ("send_message", to_room(client_id=None), 400, "invalid_input"),
    ("send_message", to_room(body="x" * 8001), 413, "message_too_long"),
    ("send_message", to_room(mentions=[NOWHERE] * 51), 413, "too_many_mentions"),
    ("send_message", to_room(attachments=[{}] * 31), 413, "payload_too_large"),
    ("send_message", to_room(reply_to=7), 404, "message_not_found"),
    ("create_room", lambda _: {"name": "\u202eevil"}, 400, "invalid_input"),
    ("open_direct", lambda _: {"user_id": NOWHERE}, 404, "user_not_found"),
    ("add_member", lambda room: {"room_id": room, "user_id": NOWHERE}, 404, "user_not_found"),
    ("list_messages", lambda room: {"room_id": room, "page_size": 201}, 400, "invalid_input"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=[f"{each[0]}-{each[3]}" for each in REFUSALS])
async def test_a_refusal_is_a_status_a_slug_a_sentence_and_a_remedy(
    people: list[Member], door: Door, refusal: Refusal
) -> None:
    function, arguments, status, slug = refusal
    ann, bob, *_ = people
    room_id = await room_of(ann, bob)
    refused = await door.call(function, arguments(room_id), token=ann.token)
    assert (refused.status, refused.slug, refused.body["code"]) == (status, slug, f"PT{status}")
    assert refused.body["details"].endswith(".") and refused.body["hint"].endswith(".")
    assert (await door.call("send_message", to_room()(room_id), token=ann.token)).status == 200


async def test_what_never_reaches_a_function_is_a_400_of_class_22(
    people: list[Member], door: Door
) -> None:
    ann, *_ = people
    room_id = await room_of(ann)
    for arguments in (to_room(body="\x00")(room_id), to_room()("not a uuid")):
        refused = await door.call("send_message", arguments, token=ann.token)
        assert (refused.status, refused.body["code"][:2]) == (400, "22")


async def test_archived_and_muted_may_read_and_not_send(people: list[Member], door: Door) -> None:
    ann, bob, *_ = people
    room_id = await room_of(ann, bob)
    await ann.call("mute_member", room_id=room_id, user_id=bob.user_id)
    muted = await door.call("send_message", to_room()(room_id), token=bob.token)
    assert (muted.status, muted.slug) == (403, "member_muted")
    await ann.call("unmute_member", room_id=room_id, user_id=bob.user_id)
    assert (await door.call("send_message", to_room()(room_id), token=bob.token)).status == 200
    await ann.call("archive_room", room_id=room_id)
    archived = await door.call("send_message", to_room()(room_id), token=bob.token)
    assert (archived.status, archived.slug) == (423, "room_archived")
    assert len(await bob.call("list_messages", room_id=room_id)) == 1


async def test_slow_down_says_when_to_come_back(people: list[Member], door: Door) -> None:
    ann, bob, *_ = people
    room_id = await room_of(ann, bob)
    await ann.call("update_room", room_id=room_id, slow_mode_seconds=600)
    assert (await door.call("send_message", to_room()(room_id), token=bob.token)).status == 200
    slowed = await door.call("send_message", to_room()(room_id), token=bob.token)
    assert (slowed.status, slowed.slug, slowed.body["code"]) == (429, "slow_down", "PT429")
    assert 590 <= int(slowed.headers["retry-after"]) <= 600
    assert (await door.call("send_message", to_room()(room_id), token=ann.token)).status == 200


async def test_nobody_signed_in_is_401_with_and_without_a_token(
    people: list[Member], door: Door
) -> None:
    ann, *_ = people
    anonymous = await door.call("list_heads")
    assert (anonymous.status, anonymous.body["code"]) == (401, "42501")
    nameless = await door.call("list_heads", token=door.token_without_person())
    assert (nameless.status, nameless.slug) == (401, "sign_in_required")
    assert (await door.call("list_heads", token=ann.token)).status == 200


async def test_a_room_i_am_not_in_and_a_room_that_is_not_there_answer_alike(
    people: list[Member], door: Door
) -> None:
    ann, bob, _, dan = people
    room_id = await room_of(ann, bob)
    for function in ("send_message", "list_messages", "list_members", "leave_room", "join_room"):
        answers = []
        for asked in (room_id, NOWHERE):
            arguments = {"room_id": asked}
            if function == "send_message":
                arguments = to_room(room_id=asked)("")
            answers.append(await door.call(function, arguments, token=dan.token))
        invisible, absent = answers
        assert (invisible.status, invisible.slug) == (404, "room_not_found")
        invisible.body["details"] = invisible.body["details"].replace(room_id, NOWHERE)
        assert (invisible.status, invisible.body) == (absent.status, absent.body)
    assert (await door.call("list_messages", {"room_id": room_id}, token=bob.token)).status == 200


# Tables


def readable_tables(stack: Status) -> dict[str, str]:
    """Every table and view of ``chat`` with its first column."""
    with psycopg.connect(stack.db_url) as connection:
        rows = connection.execute(
            "select c.relname, a.attname from pg_class as c"
            " join pg_attribute as a on a.attrelid = c.oid and a.attnum = 1"
            " where c.relnamespace = 'chat'::regnamespace and c.relkind in ('r', 'p', 'v')"
        ).fetchall()
    return dict(rows)


async def test_no_table_can_be_written_over_http(
    stack: Status, people: list[Member], door: Door
) -> None:
    ann, *_ = people
    tables = readable_tables(stack)
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
    for table in readable_tables(stack):
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


# Topics


async def test_only_members_join_the_topics_of_a_room(people: list[Member]) -> None:
    ann, bob, _, dan = people
    room_id = await room_of(ann, bob)
    for topic in (f"room:{room_id}:1", f"live:{room_id}:1"):
        await bob.listen(topic)
        with pytest.raises(PartFailed):
            await dan.listen(topic)
    with pytest.raises(PartFailed):
        await bob.listen(f"room:{room_id}:2")


async def test_nobody_joins_the_topic_of_somebody_else(people: list[Member]) -> None:
    ann, bob, *_ = people
    with pytest.raises(PartFailed):
        await bob.listen(f"user:{ann.user_id}:1")


async def test_people_speak_on_live_topics_and_nowhere_else(people: list[Member]) -> None:
    ann, bob, *_ = people
    room_id = await room_of(ann, bob)
    server, live = f"room:{room_id}:1", f"live:{room_id}:1"
    for person in (ann, bob):
        await person.listen(server)
        await person.listen(live)
    await bob.broadcast(server, "changed")
    await bob.broadcast(live, "typing")
    typing = await ann.hears(lambda each: each.topic == live)
    assert typing is not None and typing.name == "typing"
    assert not [each for each in ann.heard if each.topic == server]


async def test_a_large_room_speaks_on_its_topic_and_to_who_is_mentioned(stack: Status) -> None:
    async with listening(stack, "Ann", "Bob", "Cat") as (ann, bob, cat):
        room_id = await large_room_of(stack, ann, bob, cat)
        await bob.listen(f"room:{room_id}:1")
        plain = await ann.send(room_id, "For who looks at the room.")
        called = await ann.call(
            "send_message",
            room_id=room_id,
            body="Cat!",
            client_id=str(uuid4()),
            mentions=[cat.user_id],
        )
        assert (await bob.hears_message(room_id, called["seq"])).topic == f"room:{room_id}:1"
        assert (await cat.hears_message(room_id, called["seq"])).topic.startswith("user:")
        heard = [each.payload["to"] for each in cat.heard if each.payload.get("room_id") == room_id]
        assert plain["rev"] not in heard


# I5: whoever loses a room hears nothing of it any more, over any socket


async def end_by_removal(ann: Member, cat: Member, room_id: str) -> None:
    """Ann removes Cat."""
    await ann.call("remove_member", room_id=room_id, user_id=cat.user_id)


async def end_by_ban(ann: Member, cat: Member, room_id: str) -> None:
    """Ann bans Cat."""
    await ann.call("ban_member", room_id=room_id, user_id=cat.user_id)


async def end_by_leaving(_: Member, cat: Member, room_id: str) -> None:
    """Cat leaves."""
    await cat.call("leave_room", room_id=room_id)


@pytest.mark.parametrize("is_large", [False, True], ids=["small", "large"])
@pytest.mark.parametrize("end", [end_by_removal, end_by_ban, end_by_leaving])
async def test_who_loses_a_room_hears_nothing_above_that_number(
    stack: Status, door: Door, end: Callable[..., Any], is_large: bool
) -> None:
    async with listening(stack, "Ann", "Bob", "Cat") as (ann, bob, cat):
        make_room = large_room_of if is_large else small_room_of
        room_id = await make_room(stack, ann, bob, cat)
        for person in (bob, cat):
            await person.listen(f"room:{room_id}:1")
            await person.listen(f"live:{room_id}:1")
        before = await bob.send(room_id, "Cat hears this.")
        await cat.hears_message(room_id, before["seq"])

        await end(ann, cat, room_id)
        path = f"room_members?room_id=eq.{room_id}&user_id=eq.{cat.user_id}"
        (membership,) = await door.read(path, token=cat.token)
        assert membership["left_at"] is not None
        await bob.listen(f"room:{room_id}:2")
        await bob.listen(f"live:{room_id}:2")
        after = await ann.send(room_id, "Cat does not.")
        await bob.hears_message(room_id, after["seq"])
        await bob.broadcast(f"live:{room_id}:2", "typing")

        assert await late_arrivals(ann, cat, room_id, membership["rev"]) == []
        told = [each for each in cat.heard if each.name == "epoch_changed"]
        assert f"user:{cat.user_id}:1" in {each.topic for each in told}
        for topic in (f"room:{room_id}:2", f"live:{room_id}:2"):
            with pytest.raises(PartFailed):
                await cat.listen(topic)
        assert await door.read(f"messages?room_id=eq.{room_id}", token=cat.token) == []
        assert await door.read(f"rooms?id=eq.{room_id}", token=cat.token) == []
        refused = await door.call("send_message", to_room()(room_id), token=cat.token)
        assert (refused.status, refused.slug) == (404, "room_not_found")


async def test_who_is_added_again_reads_and_hears_again(stack: Status) -> None:
    async with listening(stack, "Ann", "Cat") as (ann, cat):
        room_id = await room_of(ann, cat)
        await end_by_removal(ann, cat, room_id)
        await cat.listen_to_self()
        await ann.call("add_member", room_id=room_id, user_id=cat.user_id)
        message = await ann.send(room_id, "Welcome back.")
        assert (await cat.hears_message(room_id, message["seq"])).topic.endswith(":2")
