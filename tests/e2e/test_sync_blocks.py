"""People who have blocked each other, each with copies of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from parley.client import Chat
from parley.errors import NotAllowed, UserNotFound
from parley.stack import Status
from tests.e2e.sync_people import Account, chatting, sign_up
from tests.until import until


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(stack: Status) -> AsyncIterator[tuple[Account, Account]]:
    """Ann and Bob."""
    ann, bob = await asyncio.gather(*(sign_up(stack, each) for each in ("Ann", "Bob")))
    yield ann, bob


def folded(chat: Chat, room_id: UUID) -> list[str]:
    """What is shown folded in a room."""
    return [each.body for each in chat.messages(room_id) if each.is_folded]


def sees(chat: Chat, room_id: UUID, people: set[str]) -> bool:
    """Tell whether these people, and no others, are shown as being in a room."""
    return chat.present(room_id) == people


async def test_a_block_reaches_all_own_devices_and_folds_what_was_said(
    stack: Status, people: tuple[Account, Account], tmp_path: Path
) -> None:
    ann, bob = people
    async with (
        chatting(stack, ann, tmp_path / "phone.db", live=False) as phone,
        chatting(stack, ann, tmp_path / "laptop.db", live=False) as laptop,
        chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs,
    ):
        room = await phone.create_room("crew", [bob.user_id])
        await bobs.sync()
        await bobs.send(room.id, "hey Ann", mentions=[ann.user_id])
        await bobs.settled()
        await phone.block(bob.user_id)
        await laptop.sync()
        for device in (phone, laptop):
            assert [str(each.blocked_id) for each in device.blocked()] == [bob.user_id]
            assert folded(device, room.id) == ["hey Ann"]
            assert [each.is_folded for each in device.search("hey")] == [True]
        known = len(laptop.notifications())
        await bobs.send(room.id, "hey again", mentions=[ann.user_id])
        await bobs.settled()
        await laptop.sync()
        assert folded(laptop, room.id) == ["hey Ann", "hey again"]
        assert len(laptop.notifications()) == known
        assert bobs.blocked() == [] and folded(bobs, room.id) == []

        await laptop.unblock(bob.user_id)
        await bobs.send(room.id, "friends?", mentions=[ann.user_id])
        await bobs.settled()
        await phone.sync()
        assert phone.blocked() == [] and folded(phone, room.id) == []
        assert len(phone.notifications()) == known + 1
        async with chatting(stack, ann, tmp_path / "new.db", live=False) as new:
            assert new.blocked() == []
        for device in (phone, laptop, bobs):
            await device.sync()
            assert await device.verify() == []


async def test_a_message_into_a_direct_room_with_a_block_fails_until_it_is_lifted(
    stack: Status, people: tuple[Account, Account], tmp_path: Path
) -> None:
    ann, bob = people
    async with (
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
        chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs,
    ):
        room = await anns.open_direct(bob.user_id)
        await bobs.sync()
        await bobs.send(room.id, "before")
        await bobs.settled()
        await anns.block(bob.user_id)
        await bobs.send(room.id, "after")
        await bobs.settled()
        (item,) = bobs.outbox()
        assert (item.state, item.reason) == ("failed", "not_allowed")
        for chat, other in ((anns, bob), (bobs, ann)):
            with pytest.raises(UserNotFound):
                await chat.open_direct(other.user_id)
            with pytest.raises(NotAllowed):
                await chat.api.add_reaction(room.id, 1, "👍")
        await bobs.sync()
        row = bobs.room(room.id).row
        assert row is not None and row.is_closed

        await anns.unblock(bob.user_id)
        await bobs.retry(item.id)
        await bobs.settled()
        assert (await anns.open_direct(bob.user_id)).id == room.id
        await anns.sync()
        assert [each.body for each in anns.messages(room.id)] == ["before", "after"]
        assert [each.is_folded for each in anns.messages(room.id)] == [False, False]


async def test_people_do_not_see_each_other_in_a_direct_room_with_a_block(
    stack: Status, people: tuple[Account, Account], tmp_path: Path
) -> None:
    ann, bob = people
    async with (
        chatting(stack, ann, tmp_path / "ann.db") as anns,
        chatting(stack, bob, tmp_path / "bob.db") as bobs,
    ):
        room = await anns.open_direct(bob.user_id)
        await bobs.sync()
        both = {ann.user_id, bob.user_id}
        for chat in (anns, bobs):
            await until(partial(getattr, chat, "is_live"))
            chat.open(room.id)
        for chat in (anns, bobs):
            await until(partial(sees, chat, room.id, both))
        for chat, other in ((anns, bob), (bobs, ann)):
            await chat.api.heartbeat("device")
            (seen,) = await chat.api.list_presence([UUID(other.user_id)])
            assert seen.is_online == (chat is bobs)

        await anns.block(bob.user_id)
        for chat in (anns, bobs):
            await until(partial(sees, chat, room.id, set()))
        for chat, other in ((anns, bob), (bobs, ann)):
            (seen,) = await chat.api.list_presence([UUID(other.user_id)])
            assert (seen.is_online, seen.last_seen_at) == (False, None)

        await anns.unblock(bob.user_id)
        for chat in (anns, bobs):
            await until(partial(sees, chat, room.id, both))
