"""What people do with messages, through the front door: answers, and the steps they become."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from parley.stack import Status
from tests.e2e.chat_people import NOWHERE, Door, Member, listening, room_of


def say(room_id: str, body: str, **more: Any) -> dict[str, Any]:
    """Arguments of a send."""
    return {"room_id": room_id, "body": body, "client_id": str(uuid4()), **more}


async def rows_heard(listener: Member, room_id: str, number: int) -> dict[str, Any]:
    """The rows of the step that took a number, waiting for it."""
    event = await listener.hears(
        lambda each: each.payload.get("room_id") == room_id and each.payload["to"] == number
    )
    return dict(event.payload["rows"])


async def test_attachments_and_mentions_come_back_as_they_were_sent(people: list[Member]) -> None:
    ann, bob, _, dan = people
    room_id = await room_of(ann, bob)
    attachments = [{"link": "trips/alfama.jpg", "size": 12}]
    message = await ann.call(
        "send_message",
        **say(room_id, "Look", attachments=attachments, mentions=[bob.user_id, dan.user_id]),
    )
    assert message["attachments"] == attachments
    assert message["mentions"] == [bob.user_id]
    (notification, *_) = await bob.call("list_notifications")
    assert (notification["kind"], notification["room_id"]) == ("mention", room_id)


async def test_a_batch_answers_for_each_of_its_items(people: list[Member]) -> None:
    ann, bob, *_ = people
    room_id = await room_of(ann, bob)
    first = say(room_id, "One")
    await ann.call("send_message", **first)
    items = [first, say(room_id, "Two"), say(NOWHERE, "Lost"), say(room_id, " ")]
    answers = await ann.call("send_messages", items=items)
    assert [each["client_id"] for each in answers] == [each["client_id"] for each in items]
    assert [(each["outcome"], each["reason"]) for each in answers] == [
        ("duplicate", None),
        ("sent", None),
        ("rejected", "room_not_found"),
        ("rejected", "invalid_input"),
    ]
    assert [each["message"]["seq"] for each in answers[:2]] == [1, 2]


async def test_an_edit_a_reaction_a_pin_and_a_delete_are_one_step_each(stack: Status) -> None:
    async with listening(stack, "Ann", "Bob") as (ann, bob):
        room_id = await room_of(ann, bob)
        message = await ann.send(room_id, "Olá")
        place = {"room_id": room_id, "seq": message["seq"]}

        edited = await ann.call("edit_message", **place, body="Olá!", expected_rev=message["rev"])
        rows = await rows_heard(bob, room_id, edited["rev"])
        assert [each["body"] for each in rows["messages"]] == ["Olá!"]

        reaction = await bob.call("add_reaction", **place, emoji="👍🏽")
        rows = await rows_heard(ann, room_id, reaction["rev"])
        assert [(each["emoji"], each["user_id"]) for each in rows["reactions"]] == [
            ("👍🏽", bob.user_id)
        ]

        pin = await ann.call("pin_message", **place)
        rows = await rows_heard(bob, room_id, pin["rev"])
        assert [each["seq"] for each in rows["pins"]] == [message["seq"]]

        tombstone = await ann.call("delete_message", **place)
        assert (tombstone["body"], tombstone["seq"]) == ("", message["seq"])
        rows = await rows_heard(bob, room_id, tombstone["rev"])
        assert rows["messages"] == [tombstone]


async def test_an_edit_of_what_has_changed_meanwhile_is_a_conflict(
    people: list[Member], door: Door
) -> None:
    ann, bob, *_ = people
    room_id = await room_of(ann, bob)
    message = await ann.send(room_id, "One")
    edit = {"room_id": room_id, "seq": message["seq"], "expected_rev": message["rev"]}
    assert (await door.call("edit_message", edit | {"body": "Two"}, token=ann.token)).status == 200
    late = await door.call("edit_message", edit | {"body": "Three"}, token=ann.token)
    assert (late.status, late.slug) == (409, "edit_conflict")
    other = await door.call("edit_message", edit | {"body": "Four"}, token=bob.token)
    assert (other.status, other.slug) == (403, "not_allowed")
    await ann.call("delete_message", room_id=room_id, seq=message["seq"])
    gone = await door.call("edit_message", edit | {"body": "Five"}, token=ann.token)
    assert (gone.status, gone.slug) == (410, "message_deleted")


async def test_a_mark_turns_the_ticks_of_the_others_and_empties_the_badge(stack: Status) -> None:
    async with listening(stack, "Ann", "Bob") as (ann, bob):
        room_id = await room_of(ann, bob)
        for number in range(3):
            await ann.send(room_id, f"{number}")
        inbox = await bob.call("list_rooms")
        assert [(each["room"]["id"], each["unread"]) for each in inbox] == [(room_id, 3)]

        (delivered,) = await bob.call("mark_delivered", cursors={room_id: 3})
        assert (delivered["room_id"], delivered["delivered_seq"]) == (room_id, 3)
        mark = await bob.call("mark_read", room_id=room_id, seq=2)
        assert (mark["read_seq"], mark["delivered_seq"]) == (2, 3)
        ticks = await ann.hears(
            lambda each: any(
                row["kind"] == "read" for row in each.payload.get("rows", {}).get("receipts", [])
            )
        )
        assert ticks.payload["room_id"] == room_id
        assert (await bob.call("list_rooms"))[0]["unread"] == 1

        receipts = [await ann.call("list_receipts", room_id=room_id, seq=each) for each in (2, 3)]
        assert [
            (row["user_id"], row["delivered_at"] is None, row["read_at"] is None)
            for (row,) in receipts
        ] == [(bob.user_id, False, False), (bob.user_id, False, True)]


async def test_search_finds_what_the_caller_may_read(people: list[Member], door: Door) -> None:
    ann, bob, _, dan = people
    room_id = await room_of(ann, bob)
    word = f"castelo{uuid4().hex[:8]}"
    message = await ann.send(room_id, f"Amanhã vamos ao {word} de São Jorge")
    (found,) = await bob.call("search_messages", query=f"sao {word[:-2]}")
    assert found["message"]["seq"] == message["seq"]
    assert f"«{word}»" in found["snippet"]
    assert await dan.call("search_messages", query=word) == []
    empty = await door.call("search_messages", {"query": " "}, token=bob.token)
    assert (empty.status, empty.slug) == (400, "invalid_input")


async def test_replies_make_a_thread(people: list[Member]) -> None:
    ann, bob, *_ = people
    room_id = await room_of(ann, bob)
    root = await ann.send(room_id, "Who is in?")
    await ann.send(room_id, "Something else")
    reply = await bob.call("send_message", **say(room_id, "Me", reply_to=root["seq"]))
    assert reply["thread_root"] == root["seq"]
    thread = await ann.call("list_thread", room_id=room_id, thread_root=root["seq"])
    assert [each["body"] for each in thread] == ["Who is in?", "Me"]


async def test_a_pull_brings_what_the_broadcasts_brought(stack: Status) -> None:
    async with listening(stack, "Ann", "Bob") as (ann, bob):
        room_id = await room_of(ann, bob)
        known = await ann.send(room_id, "Known")
        heads = await bob.call("list_heads")
        lost = await ann.send(room_id, "Lost")
        cursor = {
            "timeline": heads["timeline"],
            "user": heads["user"]["rev"],
            "rooms": {room_id: known["rev"]},
        }
        pulled = await bob.call("pull_changes", cursor=cursor)
        (room,) = pulled["rooms"]
        assert (room["from"], room["to"], room["reset"]) == (known["rev"], lost["rev"], False)
        assert room["rows"] == await rows_heard(bob, room_id, lost["rev"])
        everything = await bob.call("pull_changes", cursor={"rooms": {room_id: None}})
        (room,) = everything["rooms"]
        assert [each["body"] for each in room["rows"]["messages"]] == ["Known", "Lost"]
        assert {each["display_name"] for each in everything["profiles"]} == {"Ann", "Bob"}
