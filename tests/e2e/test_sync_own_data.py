"""What people keep for themselves and apps keep with rows: on all own devices, and only there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio

import parley
from parley.client import Chat
from parley.errors import MessageNotFound, PayloadTooLarge
from parley.stack import Status
from parley.sync.remote import TIMEOUT_S
from tests.e2e.sync_people import Account, bodies, change_account, chatting, sign_up
from tests.until import until


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(stack: Status) -> AsyncIterator[tuple[Account, Account, Account]]:
    """Ann, Bob and Cat."""
    ann, bob, cat = await asyncio.gather(*(sign_up(stack, each) for each in ("Ann", "Bob", "Cat")))
    yield ann, bob, cat


def called_in(chat: Chat, room_id: UUID) -> list[int | None]:
    """The messages whose mentions a copy lists."""
    return [
        each.message_seq
        for each in chat.notifications()
        if each.room_id == room_id and each.kind == "mention"
    ]


async def test_metadata_travel_with_rooms_messages_and_people(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    async with (
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
        chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs,
    ):
        room = await anns.api.create_room(
            "order 7", member_ids=[UUID(bob.user_id)], metadata={"order": 7}
        )
        await anns.sync()
        message = await anns.send(room.id, "shipped", metadata={"parcel": "A1", "n": [1, 2.5]})
        assert message.metadata == {"parcel": "A1", "n": [1, 2.5]}
        await anns.settled()
        await anns.api.update_profile(metadata={"desk": 3})
        await bobs.sync()
        (shown,) = bobs.messages(room.id, page_size=1)
        assert shown.metadata == {"parcel": "A1", "n": [1, 2.5]}
        kept = bobs.room(room.id).row
        assert kept is not None and kept.metadata == {"order": 7}
        profile = bobs.profile(ann.user_id)
        assert profile is not None and profile.metadata == {"desk": 3}

        await anns.sync()
        (mine,) = anns.messages(room.id, page_size=1)
        await anns.edit(mine, "delivered", metadata={"parcel": None})
        assert anns.messages(room.id, page_size=1)[0].metadata == {"parcel": None}
        await anns.settled()
        await anns.api.update_room(room.id, metadata={})
        await bobs.sync()
        (shown,) = bobs.messages(room.id, page_size=1)
        assert (shown.body, shown.metadata) == ("delivered", {"parcel": None})
        kept = bobs.room(room.id).row
        assert kept is not None and kept.metadata == {}
        with pytest.raises(PayloadTooLarge):
            await anns.api.send_message(room.id, "x", uuid4(), metadata={"x": "x" * 5000})
        assert await anns.verify() == await bobs.verify() == []


async def test_an_edit_changes_whom_a_message_mentions(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, cat = people
    async with (
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
        chatting(stack, bob, tmp_path / "bob.db") as bobs,
        chatting(stack, cat, tmp_path / "cat.db", live=False) as cats,
    ):
        room = await anns.create_room("edits", [bob.user_id, cat.user_id])
        message = await anns.send(room.id, "hi @Bob", mentions=[bob.user_id])
        await anns.settled()
        await anns.sync()
        message = anns.messages(room.id, page_size=1)[0]
        await until(lambda: called_in(bobs, room.id) == [message.seq])
        await cats.sync()
        assert called_in(cats, room.id) == []

        await anns.edit(message, "hi @Cat", mentions=[cat.user_id])
        assert anns.messages(room.id, page_size=1)[0].mentions == [UUID(cat.user_id)]
        await anns.settled()
        await until(lambda: called_in(bobs, room.id) == [])
        await cats.sync()
        assert called_in(cats, room.id) == [message.seq]
        assert (cats.mentions(room.id), bobs.mentions(room.id)) == (1, 0)

        await anns.sync()
        again = anns.messages(room.id, page_size=1)[0]
        await anns.edit(again, "hi both", mentions=[bob.user_id, cat.user_id])
        await anns.settled()
        await until(lambda: called_in(bobs, room.id) == [message.seq])
        listed = await bobs.api.list_notifications()
        assert [each.message_seq for each in listed if each.kind == "mention"] == [message.seq]
        await cats.sync()
        assert called_in(cats, room.id) == [message.seq]


async def test_a_cleared_history_leaves_all_own_devices_and_nobody_elses(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    async with (
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
        chatting(stack, bob, tmp_path / "phone.db") as phone,
        chatting(stack, bob, tmp_path / "laptop.db") as laptop,
    ):
        room = await anns.create_room("past", [bob.user_id])
        for number in range(4):
            await anns.send(room.id, f"heron {number}", mentions=[bob.user_id])
        await anns.settled()
        await until(lambda: all(len(bodies(each, room.id)) == 4 for each in (phone, laptop)))
        await asyncio.gather(phone.settled(), laptop.settled())
        head = (await anns.api.list_heads()).rooms
        await phone.clear_history(room.id)
        assert (bodies(phone, room.id), phone.search("heron"), phone.unread(room.id)) == ([], [], 0)
        await until(lambda: bodies(laptop, room.id) == [])
        for device in (phone, laptop):
            assert device.search("heron") == []
            assert called_in(device, room.id) == []
            assert await device.older(room.id) == 0
            assert await device.verify() == []
        assert (await anns.api.list_heads()).rooms == head
        await anns.sync()
        assert len(bodies(anns, room.id)) == 4 and len(anns.search("heron")) == 4

        # Ann edits what Bob has cleared, and says something new.
        first = next(each for each in anns.messages(room.id) if each.body == "heron 0")
        await anns.edit(first, "heron, edited")
        await anns.send(room.id, "egret")
        await anns.settled()
        await until(lambda: all(bodies(each, room.id) == ["egret"] for each in (phone, laptop)))
        with pytest.raises(MessageNotFound):
            await phone.api.add_reaction(room.id, first.seq or 0, "👍")
        async with chatting(stack, bob, tmp_path / "new.db", live=False) as new:
            assert bodies(new, room.id) == ["egret"]
            assert (new.unread(room.id), phone.unread(room.id)) == (1, 1)


async def test_a_device_that_was_away_drops_what_was_cleared_meanwhile(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    async with (
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
        chatting(stack, bob, tmp_path / "phone.db", live=False) as phone,
    ):
        room = await anns.create_room("away", [bob.user_id])
        await anns.send(room.id, "before")
        await anns.settled()
        await phone.sync()
        assert bodies(phone, room.id) == ["before"]
        async with chatting(stack, bob, tmp_path / "laptop.db", live=False) as laptop:
            await anns.send(room.id, "missed")
            await anns.settled()
            await laptop.clear_history(room.id)
        await anns.send(room.id, "after")
        await anns.settled()
        await phone.sync()
        assert bodies(phone, room.id) == ["after"]
        assert await phone.verify() == []


async def test_a_room_that_is_marked_as_unread_is_so_until_it_is_read_to_its_end(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    async with (
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
        chatting(stack, bob, tmp_path / "phone.db", live=False) as phone,
        chatting(stack, bob, tmp_path / "laptop.db", live=False) as laptop,
    ):
        room = await anns.create_room("later", [bob.user_id])
        await anns.send(room.id, "read me later")
        await anns.settled()
        await phone.sync()
        await phone.mark_read(room.id)
        await phone.settled()
        await phone.api.set_room_preferences(room.id, marked_unread=True)
        for device in (phone, laptop):
            await device.sync()
            assert (device.room(room.id).marked_unread, device.unread(room.id)) == (True, 0)
        await laptop.mark_read(room.id)
        assert not laptop.room(room.id).marked_unread
        await laptop.settled()
        for device in (laptop, phone):
            await device.sync()
            assert not device.room(room.id).marked_unread
        await anns.sync()
        assert not anns.room(room.id).marked_unread


async def test_a_server_notifies_somebody_in_a_kind_of_its_own(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    _, bob, cat = people
    async with (
        chatting(stack, bob, tmp_path / "phone.db") as phone,
        chatting(stack, bob, tmp_path / "laptop.db", live=False) as laptop,
        chatting(stack, cat, tmp_path / "cat.db", live=False) as cats,
        parley.server(stack.api_url, stack.secret_key) as server,
    ):
        await laptop.sync()
        made = await server.api.notify(UUID(bob.user_id), "order_shipped", data={"order": 7})
        await until(
            lambda: [each.seq for each in phone.notifications() if each.kind == "order_shipped"]
        )
        await laptop.sync()
        await cats.sync()
        for device in (phone, laptop):
            (shown,) = [each for each in device.notifications() if each.kind == "order_shipped"]
            assert (shown.data, shown.actor_id, shown.is_read) == ({"order": 7}, None, False)
        assert not [each for each in cats.notifications() if each.kind == "order_shipped"]
        (listed,) = await laptop.api.list_notifications(page_size=1)
        assert (listed.kind, listed.data) == ("order_shipped", {"order": 7})
        await phone.api.mark_notifications_read(made.seq)
        await laptop.sync()
        assert laptop.notifications(page_size=1)[0].is_read
        assert await phone.verify() == await laptop.verify() == []


async def test_the_receipt_of_a_copy_names_its_device(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    async with (
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
        chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs,
    ):
        room = await anns.open_direct(bob.user_id)
        message = await anns.api.send_message(room.id, "where?", uuid4())
        await bobs.sync()
        await bobs.settled()
        (receipt,) = await anns.api.list_receipts(room.id, message.seq)
        assert receipt.delivered_at is not None and receipt.read_at is None
        assert receipt.device_id == bobs.device_id != anns.device_id
    async with chatting(stack, bob, tmp_path / "bob.db", live=False) as again:
        assert again.device_id == receipt.device_id


async def registered(stack: Status, account: Account) -> list[str]:
    """The devices of somebody that push reaches."""
    async with await psycopg.AsyncConnection.connect(stack.db_url) as database:
        rows = await database.execute(
            "select t.device_id from chat_private.push_tokens as t where t.user_id = %s",
            [account.user_id],
        )
        return [row[0] for row in await rows.fetchall()]


async def test_signing_out_ends_pushes_to_the_device(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    _, _, cat = people
    async with (
        chatting(stack, cat, tmp_path / "phone.db", live=False) as phone,
        chatting(stack, cat, tmp_path / "tablet.db", live=False) as tablet,
    ):
        for device in (phone, tablet):
            token = f"ExponentPushToken[{device.device_id}]"
            await device.api.register_device(
                device.device_id, "ios", push_provider="expo", push_token=token
            )
        assert set(await registered(stack, cat)) == {phone.device_id, tablet.device_id}
        await phone.sign_out()
        assert not phone.is_signed_in
        assert await registered(stack, cat) == [tablet.device_id]


@pytest.mark.parametrize("fault", ["refuses", "hangs"])
async def test_somebody_who_is_offline_signs_out_all_the_same(
    stack: Status,
    people: tuple[Account, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    _, _, cat = people
    store = tmp_path / "phone.db"
    async with chatting(stack, cat, store, live=False) as phone:
        device_id = phone.device_id
        token = f"ExponentPushToken[{device_id}]"
        await phone.api.register_device(device_id, "ios", push_provider="expo", push_token=token)
    asked = asyncio.Event()
    released = asyncio.Event()

    async def keep_waiting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        asked.set()
        await released.wait()
        writer.close()

    nowhere = await asyncio.start_server(keep_waiting, "127.0.0.1", 0)
    port = nowhere.sockets[0].getsockname()[1]
    if fault == "refuses":
        nowhere.close()
        await nowhere.wait_closed()
    monkeypatch.setattr("parley.sync.device.UNREGISTER_S", 0.2)
    change_account(store, url=f"http://127.0.0.1:{port}")
    async with Chat(f"http://127.0.0.1:{port}", stack.publishable_key, store, live=False) as phone:
        assert phone.is_signed_in
        async with asyncio.timeout(TIMEOUT_S / 3):
            await phone.sign_out()
        assert not phone.is_signed_in
    assert asked.is_set() == (fault == "hangs")
    released.set()
    nowhere.close()
    assert device_id in await registered(stack, cat)
