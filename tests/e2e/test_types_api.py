"""The generated clients, used by people against the running stack."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import scalar_row
from pydantic import BaseModel
from supabase import AsyncClientOptions, ClientOptions, acreate_client, create_client

from parley.api import ChatApi
from parley.api_sync import SyncChatApi
from parley.errors import (
    EditConflict,
    InvalidInput,
    MessageIdReused,
    NotAllowed,
    RoomNotFound,
    SignInRequired,
    SlowDown,
    Unreachable,
)
from parley.events import Cursor, RoomStep, UserStep, step
from parley.models import RoomsRow
from parley.stack import Status
from tests.e2e.chat_people import Member, people

__all__ = ["people"]


def left_out(model: BaseModel, sent: Mapping[str, Any]) -> list[str]:
    """Return the keys of some JSON that its model does not know, at any depth."""
    return compare(model.model_dump(mode="json", by_alias=True), sent, "")


def compare(known: Any, sent: Any, path: str) -> list[str]:
    """Return the paths that are in ``sent`` and not in ``known``."""
    if isinstance(sent, Mapping) and isinstance(known, Mapping):
        missing = [f"{path}.{key}" for key in sent if key not in known]
        shared = [key for key in sent if key in known]
        return missing + [each for key in shared for each in compare(known[key], sent[key], path)]
    if isinstance(sent, list) and isinstance(known, list):
        assert len(sent) == len(known)
        return [each for pair in zip(known, sent, strict=True) for each in compare(*pair, path)]
    return []


async def room_with(ann: ChatApi, *others: Member) -> RoomsRow:
    """Open a room."""
    return await ann.create_room(
        "Lisbon in May", member_ids=[UUID(each.user_id) for each in others]
    )


async def test_two_people_talk_in_types(people: list[Member]) -> None:
    ann, bob = (ChatApi(each.client) for each in people[:2])
    room = await room_with(ann, people[1])
    first = await ann.send_message(
        room.id, "Night train?", uuid4(), attachments=[{"link": "tickets/1.pdf"}]
    )
    assert (first.seq, first.kind, first.attachments) == (1, "text", [{"link": "tickets/1.pdf"}])
    answer = await bob.send_message(
        room.id, "Yes", uuid4(), reply_to=first.seq, mentions=[first.sender_id]
    )
    assert (answer.thread_root, answer.mentions) == (1, [first.sender_id])
    edited = await ann.edit_message(room.id, 1, "Night train!")
    assert edited.edited_at is not None and edited.edited_at > first.created_at
    assert (await bob.add_reaction(room.id, 1, "🚆")).emoji == "🚆"
    assert [each.seq for each in await bob.list_messages(room.id)] == [1, 2]
    assert (await bob.mark_read(room.id, 2)).read_seq == 2
    assert {each.read_at is not None for each in await ann.list_receipts(room.id, 1)} == {True}
    (found,) = await ann.search_messages("train", room_id=room.id)
    assert found.message.seq == 1
    assert (await bob.leave_room(room.id)).left_at is not None


async def test_the_inbox_is_rows_in_rows(people: list[Member]) -> None:
    ann, bob = (ChatApi(each.client) for each in people[:2])
    direct = await ann.open_direct(UUID(people[1].user_id))
    await bob.send_message(direct.id, "Walk up, ride down.", uuid4())
    (entry,) = await ann.list_rooms(page_size=1)
    assert entry.last_message is not None and entry.other is not None
    assert (entry.room.id, entry.other.display_name, entry.unread) == (direct.id, "Bob", 1)
    assert (
        await ann.list_rooms(
            before={"pinned": False, "activity_at": "2020-01-01T00:00:00Z", "room_id": direct.id}
        )
        == []
    )


async def test_a_batch_tells_what_became_of_each_item(people: list[Member]) -> None:
    ann = ChatApi(people[0].client)
    room = await room_with(ann)
    items = [{"room_id": room.id, "client_id": uuid4(), "body": body} for body in ("One", "Two")]
    outcomes = await ann.send_messages([*items, {"room_id": uuid4(), "client_id": uuid4()}])
    assert [each.outcome for each in outcomes] == ["sent", "sent", "rejected"]
    assert [each.message.body for each in outcomes if each.message] == ["One", "Two"]


async def test_an_invite_is_a_token_and_a_time(people: list[Member]) -> None:
    ann, bob = (ChatApi(each.client) for each in people[:2])
    room = await room_with(ann)
    invite = await ann.create_invite(room.id, max_uses=2)
    assert (await bob.accept_invite(invite.token)).role == "member"
    assert (await ann.revoke_invite(room.id, invite.invite_id)).removed_at is not None


async def test_heads_pulls_and_checksums_are_models(people: list[Member]) -> None:
    ann, bob = people[:2]
    chat = ChatApi(bob.client)
    room = await room_with(ChatApi(ann.client), bob)
    await ChatApi(ann.client).send_message(room.id, "Hi", uuid4())
    heads = await chat.list_heads()
    assert {each.room_id: each.rev for each in heads.rooms}[room.id] == 2
    cursor = Cursor(timeline=heads.timeline, user=None, rooms={room.id: None})
    changes = await chat.pull_changes(cursor)
    (pulled,) = changes.rooms
    assert (pulled.from_, pulled.to, pulled.rows.messages[0].body) == (None, 2, "Hi")
    assert changes.user is not None and changes.user.to == heads.user.rev
    assert (await chat.room_checksum(room.id, 1)).count == 1
    raw = await bob.call("pull_changes", cursor=cursor.to_json())
    assert left_out(changes, raw) == []
    assert left_out(heads, await bob.call("list_heads")) == []
    assert (
        left_out(
            await chat.room_checksum(room.id, 1),
            await bob.call("room_checksum", room_id=str(room.id), from_seq=1),
        )
        == []
    )


async def test_every_step_that_is_broadcast_is_a_step_of_the_types(
    people: list[Member], stack: Status
) -> None:
    """All that Parley has written for Realtime fits, and no key of it is unknown."""
    ann, bob = (ChatApi(each.client) for each in people[:2])
    room = await room_with(ann, people[1])
    await ann.send_message(room.id, "@Bob", uuid4(), mentions=[UUID(people[1].user_id)])
    await bob.add_reaction(room.id, 1, "👀")
    await ann.pin_message(room.id, 1)
    await bob.mark_read(room.id, 1)
    await ann.update_room(room.id, topic="May")
    await bob.set_room_preferences(room.id, notify="mentions")
    await ann.remove_member(room.id, UUID(people[1].user_id))
    with psycopg.connect(stack.admin_db_url, row_factory=scalar_row) as connection:
        payloads = connection.execute(
            "select payload from realtime.messages where event in ('changed', 'epoch_changed')"
        ).fetchall()
    steps = [step(payload) for payload in payloads]
    assert {type(each) for each in steps} == {RoomStep, UserStep}
    unknown = [left_out(*pair) for pair in zip(steps, payloads, strict=True)]
    assert [paths for paths in unknown if paths] == []
    ours = [each for each in steps if isinstance(each, RoomStep) and each.room_id == room.id]
    kinds = {kind for each in ours if each.rows for kind, rows in each.rows if rows}
    assert kinds == {"rooms", "members", "messages", "reactions", "pins", "receipts"}


async def test_refusals_are_classes_with_words(people: list[Member], stack: Status) -> None:
    ann, bob, _, dan = (ChatApi(each.client) for each in people)
    room = await room_with(ann, people[1])
    client_id = uuid4()
    sent = await ann.send_message(room.id, "Once", client_id)
    assert await ann.send_message(room.id, "Once", client_id) == sent
    with pytest.raises(MessageIdReused):
        await ann.send_message(room.id, "Twice", client_id)
    with pytest.raises(RoomNotFound) as missing:
        await dan.send_message(room.id, "Hello?", uuid4())
    assert (missing.value.code, missing.value.status) == ("PT404", 404)
    assert str(room.id) in missing.value.detail and missing.value.hint
    with pytest.raises(NotAllowed):
        await bob.update_room(room.id, name="Porto")
    with pytest.raises(InvalidInput):
        await ann.create_room("")
    with pytest.raises(InvalidInput):
        await ann.send_message(room.id, "A NUL: \0", uuid4())
    with pytest.raises(EditConflict):
        await ann.edit_message(room.id, 1, "Changed", expected_rev=1)
    await ann.update_room(room.id, slow_mode_seconds=60)
    await bob.send_message(room.id, "First", uuid4())
    with pytest.raises(SlowDown) as slow:
        await bob.send_message(room.id, "Second", uuid4())
    assert slow.value.retry_after is not None and 0 < slow.value.retry_after <= 60


async def test_who_is_not_signed_in_is_told_so(stack: Status) -> None:
    client = await acreate_client(
        stack.api_url, stack.publishable_key, AsyncClientOptions(schema="chat")
    )
    with pytest.raises(SignInRequired):
        await ChatApi(client).list_rooms()


async def test_no_answer_is_unreachable(stack: Status) -> None:
    client = await acreate_client("http://127.0.0.1:9", stack.publishable_key)
    with pytest.raises(Unreachable):
        await ChatApi(client).list_rooms()


async def test_the_sync_twin_does_the_same(people: list[Member], stack: Status) -> None:
    ann = people[0]

    def talk() -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {ann.token}"}
        client = create_client(stack.api_url, stack.publishable_key, ClientOptions(headers=headers))
        chat = SyncChatApi(client)
        room = chat.create_room("Quiet room")
        sent = chat.send_message(room.id, "No loop here", uuid4())
        with pytest.raises(RoomNotFound):
            chat.join_room(uuid4())
        return sent.seq, chat.list_messages(room.id)[0].body

    assert await asyncio.to_thread(talk) == (1, "No loop here")


async def test_both_twins_have_the_same_methods() -> None:
    def methods(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert methods(ChatApi) == methods(SyncChatApi)
    assert {"send_message", "pull_changes", "list_rooms"} <= methods(ChatApi)
