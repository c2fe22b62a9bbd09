"""Two people and their copies, without live topics: everything comes by pulling."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from supabase import AsyncClientOptions, acreate_client

from parley.client import Chat
from parley.errors import RoomNotFound, SignInRequired, Unreachable
from parley.stack import Status
from parley.sync.device import GRACE_S
from parley.sync.errors import OtherAccount
from tests.chaos.fault_proxy import FaultProxy
from tests.e2e.sync_people import PASSWORD, Account, bodies, change_session, chatting, sign_up
from tests.until import until


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(stack: Status) -> AsyncIterator[tuple[Account, Account, Account]]:
    """Ann, Bob and Cat."""
    ann, bob, cat = await asyncio.gather(*(sign_up(stack, each) for each in ("Ann", "Bob", "Cat")))
    yield ann, bob, cat


async def test_what_ann_sends_is_shown_at_once_and_reaches_bob(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    async with (
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
        chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs,
    ):
        room = await anns.create_room("walk", [bob.user_id])
        message = await anns.send(room.id, "On my way")
        assert (message.state, message.seq) == ("pending", None)
        assert bodies(anns, room.id) == ["On my way"]
        await anns.settled()
        await anns.sync()
        shown = [each for each in anns.messages(room.id) if each.body == "On my way"]
        assert [each.state for each in shown] == ["sent"]
        assert shown[0].seq is not None
        assert anns.outbox() == []

        await bobs.sync()
        assert bodies(bobs, room.id) == ["On my way"]
        assert bobs.unread(room.id) == 1
        assert anns.unread(room.id) == 0
        assert bobs.profile(ann.user_id) is not None
        assert await bobs.verify() == []


async def test_deeds_done_offline_are_done_in_order_when_the_server_is_back(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    async with FaultProxy(stack.api_url, 1).serving() as proxy:
        async with Chat(proxy.url, stack.publishable_key, tmp_path / "ann.db", live=False) as anns:
            await anns.sign_in(ann.email, PASSWORD)
            room = await anns.create_room("offline", [bob.user_id])
            await anns.sync()
            proxy.faults.is_cut = True
            with pytest.raises(Unreachable):
                await anns.sync()
            sent = await anns.send(room.id, "one")
            await anns.edit(sent, "one, edited")
            await anns.react(sent, "👍")
            await anns.unreact(sent, "😂")
            gone = await anns.send(room.id, "two")
            await anns.delete(gone)
            await anns.send(room.id, "three")
            await anns.mark_read(room.id)
            assert bodies(anns, room.id) == ["one, edited", "", "three"]
            assert anns.search("walk") == []
        proxy.faults.is_cut = False
        async with Chat(proxy.url, stack.publishable_key, tmp_path / "ann.db", live=False) as anns:
            await anns.sync()
            await anns.settled()
            await anns.sync()
            assert anns.outbox() == []
            assert bodies(anns, room.id) == ["one, edited", "", "three"]
            first = next(each for each in anns.messages(room.id) if each.body == "one, edited")
            assert first.reactions == {"👍": (anns.me,)}
            assert [each.body for each in anns.search("edit")] == ["one, edited"]
            assert await anns.verify() == []


async def test_a_refused_message_is_reported_and_stops_no_other(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    async with chatting(stack, ann, tmp_path / "ann.db", live=False) as anns:
        room = await anns.create_room("refusals", [bob.user_id])
        await anns.send(room.id, "x" * 8001)
        await anns.send(room.id, "a \0 inside")
        await anns.send(room.id, "fine")
        await anns.settled()
        await anns.sync()
        states = {(each.body[:1], each.state, each.reason) for each in anns.messages(room.id)}
        assert ("x", "failed", "message_too_long") in states
        assert ("a", "failed", "invalid_input") in states
        assert ("f", "sent", "") in states
        failed = [each for each in anns.outbox() if each.state == "failed"]
        for each in failed:
            await anns.dismiss(each.id)
        assert bodies(anns, room.id) == ["fine"]


async def test_a_retry_of_what_was_purged_since_leaves_the_outbox(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, _, _ = people
    async with (
        FaultProxy(stack.api_url, 1).serving() as proxy,
        Chat(proxy.url, stack.publishable_key, tmp_path / "ann.db", live=False) as anns,
    ):
        await anns.sign_in(ann.email, PASSWORD)
        room = await anns.create_room("retention")
        await anns.sync()
        proxy.faults.lose = 1.0
        await anns.send(room.id, "long ago")
        await until(lambda: proxy.requests["send_messages"] > 1)
        with proxy.holding("send_messages"):
            # Attempts come one after the other: the answers of those before this one are lost.
            attempts = proxy.requests["send_messages"]
            await until(lambda: proxy.requests["send_messages"] > attempts)
            with psycopg.connect(stack.db_url, autocommit=True) as service:
                service.execute("select chat_private.purge_messages(%s, 1)", [room.id])
            assert len(anns.outbox()) == 1
            proxy.faults.lose = 0.0
        await anns.settled()
        assert anns.outbox() == []
        await anns.sync()
        assert bodies(anns, room.id) == []
        assert await anns.verify() == []


async def test_who_is_removed_keeps_nothing_and_their_outbox_is_discarded(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, cat = people
    async with (
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
        chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs,
        FaultProxy(stack.api_url, 1).serving() as proxy,
        Chat(proxy.url, stack.publishable_key, tmp_path / "cat.db", live=False) as cats,
    ):
        await cats.sign_in(cat.email, PASSWORD)
        room = await anns.create_room("inner circle", [bob.user_id, cat.user_id])
        await anns.send(room.id, "secret")
        await anns.settled()
        for chat in (bobs, cats):
            await chat.sync()
            assert bodies(chat, room.id) == ["secret"]
        with proxy.holding("send_messages"):
            await cats.send(room.id, "too late")
            await until(lambda: proxy.requests["send_messages"])
            await anns.api.remove_member(room.id, UUID(cat.user_id))
            await anns.sync()
            await cats.sync()
        await cats.settled()
        with pytest.raises(RoomNotFound):
            cats.room(room.id)
        assert [(each.state, each.reason) for each in cats.outbox()] == [
            ("discarded", "room_not_found")
        ]
        for table in ("rooms", "members", "messages", "reactions", "receipts", "streams"):
            rows = cats.database.all(f"select 1 from {table} where room_id = ?", (str(room.id),))
            assert rows == [], table
        assert cats.search("secret") == []
        await bobs.sync()
        assert bodies(bobs, room.id) == ["secret"]

        await anns.api.add_member(room.id, UUID(cat.user_id))
        await anns.sync()
        await cats.sync()
        assert [(each.body, each.state) for each in cats.messages(room.id)][-1] == (
            "too late",
            "discarded",
        )
        await cats.dismiss(cats.outbox()[0].id)
        assert bodies(cats, room.id) == ["secret"]


async def test_a_copy_belongs_to_one_account_and_can_be_forgotten(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    path = tmp_path / "shared.db"
    async with chatting(stack, ann, path, live=False) as chat:
        await chat.create_room("private")
    async with Chat(stack.api_url, stack.publishable_key, path, live=False) as chat:
        with pytest.raises(OtherAccount):
            await chat.sign_in(bob.email, PASSWORD)
        assert str(chat.me) == ann.user_id
        await chat.forget()
    assert os.listdir(tmp_path) == []  # noqa: PTH208
    async with chatting(stack, bob, path, live=False) as chat:
        assert str(chat.me) == bob.user_id
        assert "private" not in [each.name for each in chat.rooms()]


async def test_a_session_that_began_elsewhere_goes_on_here(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    options = AsyncClientOptions(auto_refresh_token=False)
    browser = await acreate_client(stack.api_url, stack.publishable_key, options)
    answer = await browser.auth.sign_in_with_password({"email": ann.email, "password": PASSWORD})
    assert answer.session is not None
    tokens = (answer.session.access_token, answer.session.refresh_token)
    path = tmp_path / "ann.db"
    async with Chat(stack.api_url, stack.publishable_key, path, live=False) as chat:
        for wrong in (("", ""), ("a.b.c", tokens[1]), (f"{tokens[0]}x", tokens[1])):
            with pytest.raises(SignInRequired):
                await chat.use_session(*wrong)
        assert not chat.is_signed_in
        await chat.use_session(*tokens)
        assert (str(chat.me), chat.email) == (ann.user_id, ann.email)
        room = await chat.create_room("from elsewhere", [bob.user_id])
    change_session(path, expires_at=0)
    async with chatting(stack, ann, path, live=False) as chat:
        # It was renewed with the refresh token that was given.
        assert room.id in [each.id for each in chat.rooms()]
    async with Chat(stack.api_url, stack.publishable_key, tmp_path / "bob.db", live=False) as chat:
        await chat.sign_in(bob.email, PASSWORD)
        with pytest.raises(OtherAccount):
            await chat.use_session(*tokens)


async def test_a_lost_session_asks_for_sign_in_and_keeps_the_outbox(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    async with chatting(stack, ann, tmp_path / "ann.db", live=False) as anns:
        room = await anns.create_room("sessions", [bob.user_id])
        await anns.sync()
    change_session(tmp_path / "ann.db", expires_at=0, refresh_token="gone")
    async with Chat(stack.api_url, stack.publishable_key, tmp_path / "ann.db", live=False) as anns:
        changes = anns.changes()
        await anns.send(room.id, "still here")
        with pytest.raises(SignInRequired):
            async for _ in changes:
                pass
        with pytest.raises(SignInRequired):
            await anns.sync()
        assert bodies(anns, room.id) == ["still here"]
        await anns.sign_in(ann.email, PASSWORD)
        await anns.settled()
        await anns.sync()
        assert [each.state for each in anns.messages(room.id)][-1] == "sent"


async def test_a_session_that_ends_while_much_is_going_on_is_renewed_once(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    async with FaultProxy(stack.api_url, 1).serving() as proxy:
        async with Chat(proxy.url, stack.publishable_key, tmp_path / "ann.db", live=False) as anns:
            await anns.sign_in(ann.email, PASSWORD)
            room = await anns.create_room("sessions", [bob.user_id])
            await anns.sync()
        # What a clock that is set forward does to it.
        change_session(tmp_path / "ann.db", expires_at=0)
        before = proxy.requests["token"]
        async with Chat(proxy.url, stack.publishable_key, tmp_path / "ann.db", live=False) as anns:
            await anns.send(room.id, "in between")
            await asyncio.gather(anns.settled(), *(anns.api.list_heads() for _ in range(5)))
            assert proxy.requests["token"] == before + 1
            assert anns.is_signed_in


async def test_ticks_move_from_sent_to_delivered_to_read(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    async with (
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
        chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs,
    ):
        room = await anns.open_direct(bob.user_id)
        await anns.send(room.id, "Did you see this?")
        await anns.settled()
        await anns.sync()
        assert anns.messages(room.id)[-1].state == "sent"
        await bobs.sync()
        await bobs.settled()
        await anns.sync()
        assert anns.messages(room.id)[-1].state == "delivered"
        await bobs.mark_read(room.id)
        assert bobs.unread(room.id) == 0
        await bobs.settled()
        await anns.sync()
        assert anns.messages(room.id)[-1].state == "read"
        await bobs.sync()
        await until(lambda: bobs.outbox() == [])
        assert bobs.unread(room.id) == 0


async def test_older_messages_come_page_by_page_and_stay_in_step(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    async with chatting(stack, ann, tmp_path / "ann.db", live=False) as anns:
        room = await anns.create_room("long", [bob.user_id])
        for number in range(260):
            await anns.send(room.id, f"line {number}")
        await anns.settled()
        await anns.sync()
        async with chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs:
            assert len(bobs.messages(room.id, page_size=1000)) == 200
            assert await bobs.older(room.id, 40) == 40
            assert len(bobs.messages(room.id, page_size=1000)) == 240
            early = next(each for each in anns.messages(room.id, page_size=300) if each.seq == 25)
            await anns.edit(early, "rewritten")
            await anns.settled()
            await bobs.sync()
            assert any(each.body == "rewritten" for each in bobs.messages(room.id, page_size=300))
            assert await bobs.older(room.id) == 20
            assert await bobs.older(room.id) == 0
            assert len(bobs.messages(room.id, page_size=1000)) == 260
            assert await bobs.verify() == []


async def test_closing_right_after_an_answer_leaves_nothing_behind(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    failures: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context))
    try:
        async with chatting(stack, ann, tmp_path / "ann.db") as anns:
            room = await anns.create_room("short", [bob.user_id])
            await until(lambda: anns.is_live)
            await anns.send(room.id, "bye")
            await anns.settled()
        await asyncio.sleep(2 * GRACE_S)
    finally:
        loop.set_exception_handler(None)
    assert failures == []


async def test_unread_of_a_copy_that_begins_in_the_middle_is_the_servers(
    stack: Status,
    people: tuple[Account, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann, bob, _ = people
    monkeypatch.setattr("parley.sync.engine.WINDOW", 5)
    async with chatting(stack, ann, tmp_path / "ann.db", live=False) as anns:
        room = await anns.create_room("long", [bob.user_id])
        for number in range(30):
            called = [bob.user_id] if number % 10 == 0 else []
            await anns.send(room.id, f"line {number}", mentions=called)
        await anns.settled()

        # Bob was away all the time: his copy begins with the newest messages.
        async with chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs:

            async def agreed() -> tuple[int, int]:
                await bobs.sync()
                inbox = {row.room.id: row for row in await bobs.api.list_rooms()}
                here = (bobs.unread(room.id), bobs.mentions(room.id))
                assert here == (inbox[room.id].unread, inbox[room.id].mentions)
                shown = bobs.room(room.id)
                assert here == (shown.unread, shown.mentions)
                return here

            assert await agreed() == (30, 3)
            assert len(bobs.messages(room.id)) == 5
            await bobs.mark_read(room.id, 15)
            await bobs.settled()
            assert await agreed() == (15, 1)
            await anns.api.delete_message(room.id, 21)
            assert await agreed() == (14, 0)
            assert await bobs.older(room.id, 5) == 5
            assert await agreed() == (14, 0)
            await bobs.mark_read(room.id)
            assert (bobs.unread(room.id), bobs.mentions(room.id)) == (0, 0)
            await bobs.settled()
            assert await agreed() == (0, 0)
            assert await bobs.verify() == []
