"""Ann, Bob and Cat use the chat through the front door with supabase-py; Dan is the stranger."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from parley.stack import Status
from tests.e2e.chat_people import Door, Member, listening, room_of

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
