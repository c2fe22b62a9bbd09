"""What is refused through the front door, and how it is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.chat_people import NOWHERE, Door, Member, room_of, to_room


def to_nowhere(_: str) -> dict[str, Any]:
    """Arguments of a send to a room that does not exist."""
    return {"room_id": NOWHERE, "body": "x", "client_id": str(uuid4())}


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
