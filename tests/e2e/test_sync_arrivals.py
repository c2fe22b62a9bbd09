"""Where somebody came in, and what ends with something else: a copy says what the server says."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio

from parley.client import Chat
from parley.models import MessageReceiptsRow
from parley.stack import Status
from parley.sync.steps import Answer
from tests.chaos.fault_proxy import FaultProxy
from tests.e2e.large_rooms import rooms_count_as_large
from tests.e2e.sync_people import PASSWORD, Account, bodies, chatting, sign_up


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(stack: Status) -> AsyncIterator[tuple[Account, Account, Account]]:
    """Ann, Bob and Cat."""
    ann, bob, cat = await asyncio.gather(*(sign_up(stack, each) for each in ("Ann", "Bob", "Cat")))
    yield ann, bob, cat


async def say(chat: Chat, room_id: UUID, body: str, mentions: list[UUID] | None = None) -> int:
    """Send a message past the outbox; returns its seq."""
    sent = await chat.api.send_message(
        room_id=room_id, body=body, client_id=uuid4(), mentions=mentions or []
    )
    return sent.seq


async def unread_there(chat: Chat, room_id: UUID) -> int | None:
    """What the server counts as unread."""
    rooms = {each.room.id: each.unread for each in await chat.api.list_rooms()}
    return rooms[room_id]


async def test_who_comes_in_has_nothing_unread_and_comes_back_the_same(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    async with (
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
        chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs,
    ):
        room = await anns.create_room("plaza", is_public=True)
        for number in range(5):
            await say(anns, room.id, f"old {number}")
        await bobs.join_room(room.id)
        await bobs.sync()
        assert len(bodies(bobs, room.id)) == 5
        assert bobs.unread(room.id) == await unread_there(bobs, room.id) == 0
        await say(anns, room.id, "Hello Bob")
        await bobs.sync()
        assert bobs.unread(room.id) == await unread_there(bobs, room.id) == 1
        await bobs.leave_room(room.id)
        await say(anns, room.id, "while away")
        await bobs.join_room(room.id)
        await bobs.sync()
        assert bobs.unread(room.id) == await unread_there(bobs, room.id) == 0


async def test_what_was_imported_is_unread_for_nobody(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    async with chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs:
        room_id = uuid4()
        with psycopg.connect(stack.db_url, autocommit=True) as service:
            service.execute(
                "select chat_private.open_imported_room(%s, 'Old', %s::uuid[])",
                [room_id, [ann.user_id, bob.user_id]],
            )
            for year in (2019, 2020):
                service.execute(
                    "select chat_private.import_messages(%s, (select jsonb_agg(jsonb_build_object("
                    " 'client_id', gen_random_uuid(), 'sender_id', %s::uuid, 'sender_name', 'Ann',"
                    " 'body', 'old ' || n, 'created_at', %s::timestamptz + n * interval '1 day'))"
                    " from generate_series(1, 9) as n))",
                    [room_id, ann.user_id, f"{year}-01-01Z"],
                )
                await bobs.sync()
                assert bobs.unread(room_id) == await unread_there(bobs, room_id) == 0
        assert len(bodies(bobs, room_id)) == 18


async def test_ticks_wait_for_those_who_were_there(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, cat = people
    async with (
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
        chatting(stack, bob, tmp_path / "bob.db", live=False, acknowledge=False) as bobs,
    ):
        room = await anns.create_room("ticks", [bob.user_id])
        seq = await say(anns, room.id, "before Cat")

        async def state(of: int) -> str:
            await anns.sync()
            shown = next(each.state for each in anns.messages(room.id) if each.seq == of)
            receipts = await anns.api.list_receipts(room.id, of)
            assert shown == tick(receipts)
            return shown

        assert await state(seq) == "sent"
        await bobs.api.mark_read(room.id, seq)
        assert await state(seq) == "read"
        await anns.api.add_member(room.id, UUID(cat.user_id))
        assert await state(seq) == "read"
        # Cat's device tells that everything arrived: what came before her is nobody's tick.
        async with chatting(stack, cat, tmp_path / "cat.db", live=False) as cats:
            await cats.sync()
            await cats.settled()
        assert await state(seq) == "read"
        later = await say(anns, room.id, "with Cat")
        await bobs.api.mark_read(room.id, later)
        assert await state(later) == "sent"
        async with chatting(stack, cat, tmp_path / "cat.db", live=False) as cats:
            await cats.sync()
            await cats.settled()
            assert await state(later) == "delivered"
            await cats.api.mark_read(room.id, later)
            assert await state(later) == "read"
            last = await say(anns, room.id, "last")
            await bobs.leave_room(room.id)
            await cats.api.mark_read(room.id, last)
            assert await state(last) == "read"
            assert await state(seq) == "read"
            await cats.leave_room(room.id)
            alone = await say(anns, room.id, "alone")
            assert await state(alone) == "sent"
            assert await state(last) == "read"


async def listed(chat: Chat, room_id: UUID) -> Sequence[tuple[str, int | None, bool]]:
    """The notifications about a room, which the copy and the server agree on."""
    await chat.sync()
    here = [
        (each.kind, each.message_seq, each.is_read)
        for each in chat.notifications()
        if each.room_id == room_id
    ]
    there = [
        (each.kind, each.message_seq, each.read_at is not None)
        for each in await chat.api.list_notifications()
        if each.room_id == room_id
    ]
    assert here == there
    return here


async def test_a_notification_ends_with_its_message_and_with_its_room(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    me = UUID(bob.user_id)
    async with (
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
        chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs,
    ):
        room = await anns.create_room("calls", [bob.user_id])
        called = [await say(anns, room.id, f"@Bob {number}", [me]) for number in range(3)]
        assert await listed(bobs, room.id) == [
            *(("mention", seq, False) for seq in reversed(called)),
            ("invite", None, False),
        ]
        await bobs.api.mark_notifications_read(2**40)
        await anns.api.add_reaction(room.id, called[1], "👍")
        await anns.api.pin_message(room.id, called[1])
        await bobs.sync()
        await anns.api.delete_message(room.id, called[1])
        assert await listed(bobs, room.id) == [
            ("mention", called[2], True),
            ("mention", called[0], True),
            ("invite", None, True),
        ]
        gone = next(each for each in bobs.messages(room.id) if each.seq == called[1])
        assert (gone.body, gone.reactions, gone.is_pinned) == ("", {}, False)
        with psycopg.connect(stack.db_url, autocommit=True) as service:
            service.execute("select chat_private.purge_messages(%s, %s)", [room.id, called[0]])
        assert await listed(bobs, room.id) == [
            ("mention", called[2], True),
            ("invite", None, True),
        ]
        await anns.api.remove_member(room.id, me)
        assert await listed(bobs, room.id) == []
        await anns.api.add_member(room.id, me)
        assert await listed(bobs, room.id) == [("invite", None, False)]


async def test_a_purge_resets_nobody(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, _ = people
    async with (
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
        FaultProxy(stack.api_url, 1).serving() as proxy,
        Chat(proxy.url, stack.publishable_key, tmp_path / "bob.db", live=False) as bobs,
    ):
        await bobs.sign_in(bob.email, PASSWORD)
        room = await anns.create_room("retention", [bob.user_id])
        seqs = [await say(anns, room.id, f"line {number}") for number in range(30)]
        await bobs.sync()
        await bobs.settled()
        await bobs.sync()
        with proxy.recording("pull_changes") as bodies_of_answers:
            # (He is cut off, because a client looks for news every few seconds.)
            with proxy.hurt(is_cut=True):
                await anns.api.edit_message(room.id, seqs[25], "line 25, edited")
                with psycopg.connect(stack.db_url, autocommit=True) as service:
                    service.execute(
                        "select chat_private.purge_messages(%s, %s)", [room.id, seqs[19]]
                    )
                await say(anns, room.id, "line 30")
            await bobs.sync()
        answers = [Answer.read(json.loads(each)) for each in bodies_of_answers]
        fetched = [step for answer in answers for step in answer.rooms]
        assert all(step.begin is not None for step in fetched)
        assert sorted(row["body"] for step in fetched for row in (step.rows or {})["messages"]) == [
            "line 25, edited",
            "line 30",
        ]
        assert bodies(bobs, room.id) == [
            *(f"line {number}" for number in range(20, 25)),
            "line 25, edited",
            *(f"line {number}" for number in range(26, 31)),
        ]
        assert await bobs.verify() == []


def pass_a_night(database: str, room_id: UUID, keep: int) -> None:
    """Let all but the newest messages of a room have their days, and run maintenance."""
    with psycopg.connect(database, autocommit=True) as operator:
        operator.execute(
            "update chat.messages as m set created_at = now() - interval '3 days'"
            " from chat.rooms as r"
            " where r.id = %s and m.room_id = r.id and m.seq <= r.last_seq - %s",
            [room_id, keep],
        )
        # A walk goes past a room that was busy, and comes back to it.
        seq = "select last_seq - %s - floor_seq from chat.rooms where id = %s"
        for _ in range(50):
            operator.execute("select chat_private.run_maintenance()")
            if operator.execute(seq, [keep, room_id]).fetchone() == (0,):
                return
    raise AssertionError("maintenance does not purge the room")


async def test_nights_of_retention_cost_a_returning_copy_only_what_changed(
    stack: Status, people: tuple[Account, ...], tmp_path: Path
) -> None:
    ann, bob, cat = people
    with rooms_count_as_large(stack):
        async with (
            chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
            FaultProxy(stack.api_url, 1).serving() as proxy,
            Chat(proxy.url, stack.publishable_key, tmp_path / "bob.db", live=False) as bobs,
        ):
            await bobs.sign_in(bob.email, PASSWORD)
            room = await anns.create_room("nights", [bob.user_id, cat.user_id])
            await anns.api.update_room(room.id, retain_days=2)
            for number in range(40):
                await say(anns, room.id, f"line {number}")
            await bobs.sync()
            assert len(bodies(bobs, room.id)) == 40
            said = []
            with proxy.recording("pull_changes") as bodies_of_answers:
                with proxy.hurt(is_cut=True):
                    for night in range(3):
                        said.append(await say(anns, room.id, f"day {night}"))
                        await anns.api.edit_message(room.id, said[-1], f"day {night}, edited")
                        await asyncio.to_thread(pass_a_night, stack.db_url, room.id, 20)
                await bobs.sync()
            answers = [Answer.read(json.loads(each)) for each in bodies_of_answers]
            fetched = [step for answer in answers for step in answer.rooms]
            assert all(step.begin is not None for step in fetched), "nothing is fetched anew"
            messages = [row for step in fetched for row in (step.rows or {}).get("messages", ())]
            assert [row["seq"] for row in messages] == said
            assert len(bodies(bobs, room.id)) == 20
            assert await bobs.verify() == []


ROOM_ACTS: tuple[tuple[int, LiteralString], ...] = (
    (16, "chat.send_message(%(room)s, 'x', gen_random_uuid())"),
    (8, "chat.send_message(%(room)s, 'x', gen_random_uuid(), mentions => %(ids)s)"),
    (6, "chat.send_message(%(room)s, 'x', gen_random_uuid(), %(seq)s)"),
    (2, "chat.send_message(%(room)s, 'x', gen_random_uuid(), mention_all => true)"),
    (8, "chat.edit_message(%(room)s, %(seq)s, 'x', mentions => %(ids)s)"),
    (4, "chat.edit_message(%(room)s, %(seq)s, 'y', mentions => '{}')"),
    (2, "chat.clear_history(%(room)s)"),
    (3, "chat.set_room_preferences(%(room)s, marked_unread => true)"),
    (10, "chat.delete_message(%(room)s, %(seq)s)"),
    (6, "chat.add_reaction(%(room)s, %(seq)s, '👍')"),
    (3, "chat.pin_message(%(room)s, %(seq)s)"),
    (10, "chat.mark_read(%(room)s, %(seq)s)"),
    (6, "chat.mark_delivered(jsonb_build_object(%(room)s::text, %(seq)s::bigint))"),
    (3, "chat.mark_notifications_read(%(seq)s)"),
    (4, "chat.leave_room(%(room)s)"),
    (3, "chat.remove_member(%(room)s, %(other)s)"),
    (6, "chat.add_member(%(room)s, %(other)s)"),
    (6, "chat.join_room(%(room)s)"),
    (2, "chat.mute_member(%(room)s, %(other)s, now() + interval '1 s')"),
)
TURNS = 400
PURGE: LiteralString = "select chat_private.purge_messages(%(room)s, %(seq)s - 5)"


def act_as(
    service: psycopg.Connection[Any], me: str, act: LiteralString, arguments: Mapping[str, object]
) -> bool:
    """Do something as somebody; tells whether it was not refused."""
    try:
        with service.transaction():
            service.execute(
                "select set_config('request.jwt.claims', %s, true),"
                " set_config('role', 'authenticated', true)",
                [json.dumps({"sub": me, "role": "authenticated"})],
            )
            service.execute("select " + act, arguments)
    except psycopg.Error as error:
        if not (error.sqlstate or "").startswith("PT"):
            raise
        return False
    return True


def tick(receipts: Sequence[MessageReceiptsRow]) -> str:
    """What a list of receipts comes to."""
    if not receipts or any(each.delivered_at is None for each in receipts):
        return "sent"
    return "delivered" if any(each.read_at is None for each in receipts) else "read"


async def compare(chat: Chat) -> None:
    """Compare what a copy says with what the server says."""
    await chat.sync()
    there = {each.room.id: each for each in await chat.api.list_rooms()}
    assert {room.id for room in chat.rooms()} == there.keys()
    for room_id, room in there.items():
        shown = chat.messages(room_id, page_size=200)
        mark = 0 if room.mark is None else room.mark.read_seq
        begin = max(mark, room.member.joined_seq)
        if shown and (shown[0].seq or 0) <= begin + 1:
            assert chat.unread(room_id) == room.unread
        for each in shown[-12:]:
            if each.sender_id == chat.me and each.kind == "text" and each.seq is not None:
                receipts = await chat.api.list_receipts(room_id, each.seq)
                assert each.state == tick(receipts), (each.seq, receipts)
            if each.deleted_at is not None:
                assert (each.reactions, each.is_pinned) == ({}, False)
    notifications = await chat.api.list_notifications(page_size=200)
    here = {each.seq: each.is_read for each in chat.notifications(200)}
    assert here == {
        each.seq: each.read_at is not None
        for each in notifications
        if each.seq >= min(here, default=0)
    }


async def test_copies_agree_with_the_server_whatever_people_do(
    stack: Status, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Few messages come to a room that begins, so that much happens below them.
    monkeypatch.setattr("parley.sync.engine.WINDOW", 6)
    seed = int(os.environ.get("PARLEY_FUZZ_SEED", random.randrange(10**9)))
    sys.stdout.write(f"seed {seed}\n")
    rng = random.Random(seed)
    accounts = await asyncio.gather(*(sign_up(stack, f"P{number}") for number in range(4)))
    ids = [each.user_id for each in accounts]
    async with AsyncExitStack() as exits:
        chats = [
            await exits.enter_async_context(
                chatting(stack, each, tmp_path / f"{each.name}.db", live=False, acknowledge=False)
            )
            for each in accounts
        ]
        rooms = [
            (await chats[0].create_room("fuzz", ids[1:3], is_public=True)).id for _ in range(2)
        ]
        service = exits.enter_context(psycopg.connect(stack.db_url, autocommit=True))
        done = 0
        for turn in range(TURNS):
            room = rng.choice(rooms)
            found = service.execute("select last_seq from chat.rooms where id = %s", [room])
            last_seq = (found.fetchone() or (0,))[0]
            arguments = {
                "room": room,
                "ids": [UUID(each) for each in rng.sample(ids, 2)],
                "other": UUID(rng.choice(ids[1:])),
                "seq": max(1, last_seq - rng.choice((0, 0, 1, 2, 4, 8, 16))),
            }
            act = rng.choices([each for _, each in ROOM_ACTS], [each for each, _ in ROOM_ACTS])[0]
            me = rng.choice(ids)
            if rng.random() < 0.02:
                service.execute(PURGE, arguments)
            elif act_as(service, me, act, arguments):
                done += 1
            if turn % 10 == 9:
                await compare(rng.choice(chats))
        for chat in chats:
            await compare(chat)
        assert done > TURNS / 8


def name_in(chat: Chat, account: Account) -> str | None:
    """The name of somebody as a copy shows it."""
    profile = chat.profile(UUID(account.user_id))
    return None if profile is None else profile.display_name


async def test_a_name_changed_elsewhere_reaches_every_copy(stack: Status, tmp_path: Path) -> None:
    ann, bob = await sign_up(stack, "Ann"), await sign_up(stack, "Bob")
    async with (
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
        chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs,
    ):
        room = await anns.create_room("names", [bob.user_id])
        await anns.sync()
        await bobs.sync()
        assert {name_in(anns, bob), name_in(bobs, bob)} == {"Bob"}
        await bobs.api.update_profile(display_name="Robert")
        # Nothing was said, and no stream has a number for it.
        for chat in (anns, bobs):
            await chat.sync()
            assert name_in(chat, bob) == "Robert"
        assert len(anns.members(room.id)) == 2


async def test_a_tenant_shared_no_more_leaves_the_name(stack: Status, tmp_path: Path) -> None:
    ann, bob = await sign_up(stack, "Ann"), await sign_up(stack, "Bob")
    async with (
        chatting(stack, ann, tmp_path / "ann.db", live=False) as anns,
        chatting(stack, bob, tmp_path / "bob.db", live=False) as bobs,
    ):
        tenant = await anns.api.create_tenant("Club")
        with psycopg.connect(stack.db_url, autocommit=True) as service:
            service.execute(
                "delete from chat.tenant_members where user_id = %s and tenant_id <> %s",
                [bob.user_id, tenant.tenant_id],
            )
            service.execute(
                "select chat.add_tenant_member(%s, %s)", [tenant.tenant_id, bob.user_id]
            )
        await bobs.api.update_profile(label="guide")
        room = await anns.api.create_room(
            "club", tenant_id=tenant.tenant_id, member_ids=[UUID(bob.user_id)]
        )
        await anns.sync()
        await bobs.api.send_message(room.id, "I was here", uuid4())
        await anns.sync()
        profile = anns.profile(UUID(bob.user_id))
        assert profile is not None and profile.label == "guide"
        await bobs.api.remove_tenant_member(tenant.tenant_id, UUID(bob.user_id))
        await anns.sync()
        profile = anns.profile(UUID(bob.user_id))
        assert profile is not None and (profile.display_name, profile.label) == ("Bob", None)
