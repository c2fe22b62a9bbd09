"""A read replica: what runs on it, and clients that use it and never wait for it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from parley.client import Chat
from parley.stack import Stack, Status
from parley.stack.status import read_status
from parley.sync import device as device_module
from parley.sync import replica as replica_module
from tests.chaos.fault_proxy import FaultProxy
from tests.e2e.shop import PAYMENTS, SCHEMA, TABLES, Shop, copied, ids
from tests.e2e.sync_people import Account, bodies, chatting, sign_up
from tests.until import until, until_blocking

pytestmark = pytest.mark.lasts(60)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def replicated() -> AsyncIterator[Status]:
    """A stack with a read replica."""
    with tempfile.TemporaryDirectory(prefix="parley-replicas-") as folder:
        stack = Stack(Path(folder), port=0, db_port=0, replicas=1)
        try:
            yield await stack.up()
        finally:
            await stack.down()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ann(replicated: Status) -> Account:
    """Ann, who has an account."""
    return await sign_up(replicated, "Ann")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bob(replicated: Status) -> Account:
    """Bob, who has one too."""
    return await sign_up(replicated, "Bob")


@pytest.fixture(scope="module")
def shop(replicated: Status) -> Shop:
    """Tables of the project's own that travel."""
    shop = Shop(replicated.db_url)
    shop.run(SCHEMA)
    return shop


@pytest_asyncio.fixture
async def cat(replicated: Status) -> Account:
    """Cat, who is in other tenants in each test."""
    return await sign_up(replicated, "Cat")


@pytest.fixture
def people(ann: Account, bob: Account) -> tuple[Account, Account]:
    """Both of them."""
    return ann, bob


@pytest.fixture
def standby(replicated: Status) -> Iterator[psycopg.Connection[Any]]:
    """The replica, as the superuser."""
    with psycopg.connect(standby_url(replicated), autocommit=True) as connection:
        yield connection


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients ask a replica again soon after it did not answer."""
    monkeypatch.setattr(replica_module, "REST_S", 0.02)


@pytest.fixture
def unforgiving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients leave a replica alone for an hour once it did not answer."""
    monkeypatch.setattr(replica_module, "REST_S", 3600.0)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients wait for the replica however slow this machine is."""
    monkeypatch.setattr(replica_module, "PATIENCE_S", 15.0)


@pytest_asyncio.fixture
async def reads(replicated: Status) -> AsyncIterator[FaultProxy]:
    """A line to the replica that counts what is asked there, and can be held."""
    async with FaultProxy(replicated.read_url, 1).serving() as proxy:
        yield proxy


def standby_url(status: Status) -> str:
    """The URL of the replica for the superuser."""
    port = conninfo_to_dict(status.replica_db_url)["port"]
    return make_conninfo(status.admin_db_url, port=port)


def act_as(connection: psycopg.Connection[Any], user_id: str) -> None:
    """Act as somebody in the present transaction."""
    connection.execute(
        "select set_config('request.jwt.claims', %s, true),"
        " set_config('role', 'authenticated', true)",
        [json.dumps({"sub": user_id, "role": "authenticated"})],
    )


def catch_up(status: Status, standby: psycopg.Connection[Any]) -> None:
    """Wait until the replica has what the primary has now."""
    with psycopg.connect(status.admin_db_url, autocommit=True) as primary:
        there = primary.execute("select pg_current_wal_lsn()").fetchone()
        assert there is not None
    here = "select pg_last_wal_replay_lsn() >= %s"
    until_blocking(lambda: (standby.execute(here, [there[0]]).fetchone() or [None])[0])


@contextmanager
def lagging(standby: psycopg.Connection[Any]) -> Iterator[None]:
    """Let the replica replay nothing for a while."""
    standby.execute("select pg_wal_replay_pause()")
    paused = "select pg_get_wal_replay_pause_state() = 'paused'"
    until_blocking(lambda: (standby.execute(paused).fetchone() or [None])[0])
    try:
        yield
    finally:
        standby.execute("select pg_wal_replay_resume()")


# The stack


async def test_a_replica_is_a_part_of_the_stack_and_of_its_status(
    replicated: Status, standby: psycopg.Connection[Any]
) -> None:
    found = await read_status(Path(replicated.data))
    assert {found.parts[each].health for each in ("replica", "replica-lite")} == {"ready"}
    assert found.read_url == replicated.read_url != ""
    assert standby.execute("select pg_is_in_recovery()").fetchone() == (True,)
    assert standby.execute("select count(*) from pg_replication_slots").fetchone() == (0,)
    with psycopg.connect(replicated.admin_db_url) as primary:
        setting = "select current_setting('max_connections')"
        assert standby.execute(setting).fetchone() == primary.execute(setting).fetchone()
        slots = "select from pg_replication_slots where slot_type = 'physical'"
        assert primary.execute(slots).rowcount == 0


async def test_a_replica_that_is_killed_is_started_again(replicated: Status) -> None:
    pid = (await read_status(Path(replicated.data))).parts["replica"].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)

    async def is_another() -> bool:
        found = await read_status(Path(replicated.data))
        return found.ready and found.parts["replica"].pid != pid

    await until(is_another, 60)


def test_passwords_are_in_no_command_line(replicated: Status) -> None:
    password = str(conninfo_to_dict(replicated.admin_db_url)["password"])
    lines = [
        path.read_bytes().decode(errors="replace")
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if os.access(path, os.R_OK)
    ]
    if not lines:
        pytest.skip("This machine does not show command lines in /proc.")
    assert not any(password in line for line in lines)


# What runs on a replica


def ordinary(ann: str, room: UUID, tenant: UUID) -> dict[str, dict[str, object]]:
    """Arguments for every function that reads."""
    return {
        "explain_access": {"topic": f"room:{room}:1", "user_id": ann},
        "list_device_keys": {"room_id": room},
        "list_heads": {},
        "list_members": {"room_id": room},
        "list_messages": {"room_id": room},
        "list_notifications": {},
        "list_presence": {"user_ids": [ann]},
        "list_profiles": {"user_ids": [ann]},
        "list_receipts": {"room_id": room, "seq": 1},
        "list_reports": {"tenant_id": tenant},
        "list_rooms": {},
        "list_thread": {"room_id": room, "thread_root": 1},
        "pull_changes": {"cursor": json.dumps({"rooms": {str(room): None}})},
        "pull_table": {"name": "public.replicated_notes", "cursor": "{}"},
        "room_checksum": {"room_id": room, "from_seq": 1},
        "search_messages": {"query": "hello"},
        "search_profiles": {"query": "An"},
        "tenant_stats": {"tenant_id": tenant},
        "version": {},
    }


FOR_ADMINS = {"tenant_stats"}
STREAMED = """
create table public.replicated_notes (id bigint primary key, tenant_id uuid not null);
alter table public.replicated_notes enable row level security;
create policy "everybody reads" on public.replicated_notes for select to authenticated using (true);
grant select on public.replicated_notes to authenticated;
select chat_private.stream_table('public.replicated_notes', 'tenant_id');
"""


def read_only_functions(connection: psycopg.Connection[Any]) -> set[str]:
    """The functions of chat that say they write nothing."""
    rows = connection.execute(
        "select proname from pg_proc"
        " where pronamespace = 'chat'::regnamespace and provolatile <> 'v'"
        " and prorettype <> 'trigger'::regtype"
    )
    return {row[0] for row in rows}


async def test_every_function_that_reads_runs_on_a_replica(
    replicated: Status, ann: Account, tmp_path: Path, standby: psycopg.Connection[Any]
) -> None:
    async with chatting(replicated, ann, tmp_path / "ann.db", live=False) as chat:
        room = await chat.create_room("walk")
        await chat.send(room.id, "hello")
        await chat.settled()
    with psycopg.connect(replicated.db_url) as primary:
        primary.execute(STREAMED)
    catch_up(replicated, standby)
    row = standby.execute("select tenant_id from chat.rooms where id = %s", [room.id]).fetchone()
    assert row is not None
    calls = ordinary(ann.user_id, room.id, row[0])
    assert read_only_functions(standby) == set(calls)
    for name, arguments in calls.items():
        query = sql.SQL("select * from chat.{}({})").format(
            sql.Identifier(name),
            sql.SQL(", ").join(
                sql.SQL("{} => {}").format(sql.Identifier(key), sql.Placeholder(key))
                for key in arguments
            ),
        )
        state = refused(standby, ann.user_id, query, arguments)
        # Ann may not see the numbers of her tenant.
        assert state == (None if name not in FOR_ADMINS else "PT403"), name


def refused(
    connection: psycopg.Connection[Any],
    user_id: str,
    query: sql.SQL | sql.Composed,
    arguments: Mapping[str, object],
) -> str | None:
    """Call a function as somebody; the SQLSTATE it was refused with, None when it answered.

    Raises psycopg.errors.ReadOnlySqlTransaction where it writes.
    """
    try:
        with connection.transaction():
            act_as(connection, user_id)
            connection.execute(query, arguments)
    except psycopg.errors.ReadOnlySqlTransaction:
        raise
    except psycopg.Error as error:
        return error.sqlstate
    return None


def test_a_function_that_writes_does_not_run_on_a_replica(
    ann: Account, standby: psycopg.Connection[Any]
) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        refused(standby, ann.user_id, sql.SQL("select chat.create_room('x')"), {})


async def test_a_cursor_that_is_ahead_of_a_replica_is_refused_there(
    replicated: Status, ann: Account, tmp_path: Path, standby: psycopg.Connection[Any]
) -> None:
    async with chatting(replicated, ann, tmp_path / "ann.db", live=False) as chat:
        room = await chat.create_room("walk")
    catch_up(replicated, standby)
    with psycopg.connect(replicated.admin_db_url) as primary:
        act_as(primary, ann.user_id)
        empty = json.dumps({"rooms": {str(room.id): None}})
        row = primary.execute("select chat.pull_changes(%s)", [empty]).fetchone()
        assert row is not None
        answer = row[0]
        behind = primary.execute("select pg_snapshot_xmax(pg_current_snapshot())::text").fetchone()
        assert behind is not None
    have = {
        "timeline": answer["timeline"],
        "user": answer["user"]["to"],
        "rooms": {str(room.id): next(each["to"] for each in answer["rooms"])},
    }
    newer = f"{int(behind[0]) + 1000}:{int(behind[0]) + 1000}:"
    query = sql.SQL("select chat.pull_changes(%(cursor)s)")

    def pull(**changes: object) -> str | None:
        cursor = {"cursor": json.dumps({**have, **changes})}
        return refused(standby, ann.user_id, query, cursor)

    assert pull() is None
    assert pull(seen=answer["seen"]) is None
    assert pull(user=have["user"] + 1) == "PT503"
    assert pull(rooms={str(room.id): 10_000}) == "PT503"
    assert pull(seen=newer) == "PT503"
    assert pull(timeline="another") == "PT503"


async def test_a_replica_leaves_to_the_primary_what_no_snapshot_tells(
    replicated: Status, cat: Account, shop: Shop, standby: psycopg.Connection[Any]
) -> None:
    def pull(connection: psycopg.Connection[Any], cursor: dict[str, Any]) -> dict[str, Any]:
        with connection.transaction():
            act_as(connection, cat.user_id)
            asked = [PAYMENTS, json.dumps(cursor)]
            row = connection.execute("select chat.pull_table(%s, %s)", asked).fetchone()
        assert row is not None
        return dict(row[0])

    tenant = shop.tenant(cat.user_id)
    shop.pay(tenant, 3)
    with psycopg.connect(replicated.db_url, autocommit=True) as primary:
        first, begun = pull(primary, {}), pull(primary, {"limit": 2})
        (newer,) = primary.execute("select pg_current_xact_id()::text").fetchone() or ["0"]
    (payment,) = shop.pay(tenant)
    catch_up(replicated, standby)
    timeline = first["timeline"]
    have = {each["owner_id"]: each["cursor"] for each in first["owners"]}

    def ask(owners: dict[str, Any]) -> tuple[list[int], bool]:
        answer = pull(standby, {"timeline": timeline, "owners": owners})
        assert answer["dropped"] == []
        rows = [row for each in answer["owners"] for row in each["rows"]]
        return [row["row"]["id"] for row in rows], answer["more"]

    mine = have[tenant]
    # What changed, and the rest of a first fetch.
    assert ask(have) == ([payment], False)
    half = {each["owner_id"]: each["cursor"] for each in begun["owners"]}
    assert len(half[tenant]["after"]) == 1
    assert ask({**have, **half}) == ([payment - 1, payment], True)
    # Who owns rows, under which policies, and what goes on.
    assert ask({}) == ([], True)
    assert ask({**have, tenant: {**mine, "basis": "another"}}) == ([], True)
    assert ask({**have, tenant: {**mine, "until": mine["seen"]}}) == ([], True)
    assert ask({**have, str(uuid4()): mine}) == ([payment], True)
    query = sql.SQL("select chat.pull_table(%(name)s, %(cursor)s)")
    ahead = f"{int(newer) + 1000}:{int(newer) + 1000}:"
    for seen, state in ((mine["seen"], None), (ahead, "PT503")):
        owners = {**have, tenant: {**mine, "seen": seen}}
        cursor = json.dumps({"timeline": timeline, "owners": owners})
        arguments = {"name": PAYMENTS, "cursor": cursor}
        assert refused(standby, cat.user_id, query, arguments) == state


# Clients


@asynccontextmanager
async def at(
    replicated: Status, account: Account, store: Path, read_url: str
) -> AsyncIterator[Chat]:
    """A device without live topics, that reads from a URL."""
    async with chatting(replicated, account, store, live=False, read_url=read_url) as chat:
        yield chat


@pytest.mark.usefixtures("patient")
async def test_pulls_go_to_the_replica_and_bring_what_was_sent(
    replicated: Status, ann: Account, bob: Account, tmp_path: Path, reads: FaultProxy
) -> None:
    async with (
        FaultProxy(replicated.api_url, 1).serving() as primary,
        chatting(replicated, ann, tmp_path / "ann.db", live=False) as anns,
        at(replicated, bob, tmp_path / "bob.db", reads.url) as bobs,
    ):
        bobs._server.url = primary.url
        room = await anns.create_room("walk", [bob.user_id])
        await bobs.sync()
        for number in range(10):
            await anns.send(room.id, f"{number}")
            await anns.settled()
            await bobs.sync()
            assert bodies(bobs, room.id)[-1] == f"{number}"
        assert reads.requests["pull_changes"] >= 10
        assert await bobs.verify() == []


async def test_a_client_without_a_url_for_reads_asks_no_replica(
    replicated: Status, bob: Account, tmp_path: Path, reads: FaultProxy
) -> None:
    async with chatting(replicated, bob, tmp_path / "bob.db", live=False) as bobs:
        await bobs.sync()
    assert not reads.requests


@pytest.mark.usefixtures("impatient")
async def test_what_a_lagging_replica_does_not_have_comes_from_the_primary(
    replicated: Status,
    people: tuple[Account, Account],
    tmp_path: Path,
    reads: FaultProxy,
    standby: psycopg.Connection[Any],
) -> None:
    ann, bob = people
    async with (
        chatting(replicated, ann, tmp_path / "ann.db", live=False) as anns,
        at(replicated, bob, tmp_path / "bob.db", reads.url) as bobs,
    ):
        room = await anns.create_room("walk", [bob.user_id])
        await bobs.sync()
        with lagging(standby):
            await anns.send(room.id, "new")
            await anns.settled()
            before = reads.requests["pull_changes"]
            await bobs.sync()
            assert bodies(bobs, room.id) == ["new"]
            assert reads.requests["pull_changes"] > before
            # What one has sent oneself is there as well, numbered.
            await bobs.send(room.id, "mine")
            await bobs.settled()
            await bobs.sync()
            mine = [each.seq for each in bobs.messages(room.id) if each.body == "mine"]
            assert len(mine) == 1
            assert mine[0] is not None
            assert await bobs.verify() == []
        catch_up(replicated, standby)
        with reads.recording("pull_changes") as answers:

            async def is_asked_again() -> bool:
                await anns.send(room.id, "newer")
                await anns.settled()
                await bobs.sync()
                assert bodies(bobs, room.id)[-1] == "newer"
                return any(b"newer" in each for each in answers)

            await until(is_asked_again, 60)


def ask_again(chat: Chat) -> None:
    """Let a device ask its replica with the next pull, even if this machine was too slow before."""
    replica = chat._server._replica
    assert replica is not None
    replica._rests_until = 0.0


@pytest.mark.usefixtures("unforgiving")
async def test_nobody_waits_for_a_replica_that_is_gone(
    replicated: Status, ann: Account, tmp_path: Path, reads: FaultProxy
) -> None:
    async with at(replicated, ann, tmp_path / "ann.db", reads.url) as anns:
        room = await anns.create_room("walk")
        ask_again(anns)
        with reads.hurt(is_cut=True):
            for number in range(5):
                await anns.api.send_message(room.id, f"{number}", uuid4())
                await anns.sync()
        assert bodies(anns, room.id) == ["0", "1", "2", "3", "4"]
        # It is left alone after the first time.
        assert reads.faults.counts["requests refused"] == 1


@pytest.mark.usefixtures("unforgiving")
async def test_nobody_waits_for_a_replica_that_hangs_more_than_once(
    replicated: Status, ann: Account, tmp_path: Path, reads: FaultProxy
) -> None:
    clock = asyncio.get_running_loop().time
    async with at(replicated, ann, tmp_path / "ann.db", reads.url) as anns:
        room = await anns.create_room("walk")
        ask_again(anns)
        asked = reads.requests["pull_changes"]
        with reads.holding("pull_changes"):
            began = clock()
            for number in range(5):
                await anns.api.send_message(room.id, f"{number}", uuid4())
                await anns.sync()
            took = clock() - began
        assert bodies(anns, room.id) == ["0", "1", "2", "3", "4"]
        assert reads.requests["pull_changes"] == asked + 1
        assert replica_module.PATIENCE_S <= took < 30


@pytest.mark.usefixtures("patient")
async def test_rooms_that_do_not_fit_into_a_url_are_pulled_in_parts(
    replicated: Status,
    bob: Account,
    tmp_path: Path,
    reads: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device_module, "ROOMS_PER_URL", 3)
    cat = await sign_up(replicated, "Cat")
    async with chatting(replicated, bob, tmp_path / "bob.db", live=False) as bobs:
        for number in range(8):
            await bobs.api.create_room(f"{number}", member_ids=[UUID(cat.user_id)])
    async with at(replicated, cat, tmp_path / "cat.db", reads.url) as cats:
        assert len(cats.rooms()) == 8
        assert reads.requests["pull_changes"] >= 3
        assert await cats.verify() == []


@pytest.mark.usefixtures("patient")
async def test_functions_that_read_can_be_asked_of_the_replica(
    replicated: Status, ann: Account, tmp_path: Path, reads: FaultProxy
) -> None:
    async with at(replicated, ann, tmp_path / "ann.db", reads.url) as anns:
        room = await anns.create_room("walk")
        await anns.api.send_message(room.id, "hello, world", uuid4())

        async def is_listed() -> bool:
            return "hello, world" in [each.body for each in await anns.reads.list_messages(room.id)]

        await until(is_listed)
        found = await anns.reads.list_profiles([UUID(ann.user_id)])
        assert [each.display_name for each in found] == ["Ann"]
        later = await anns.reads.list_rooms(
            before={
                "pinned": False,
                "activity_at": "2030-01-01T00:00:00Z",
                "room_id": str(room.id),
            }
        )
        assert len(later) >= 1
        names = ("list_messages", "list_profiles", "list_rooms")
        assert all(reads.requests[each] for each in names)
        # What writes goes to the primary.
        await anns.reads.send_message(room.id, "written", uuid4())
        assert reads.requests["send_message"] == 0


# Tables of the project's own


@dataclass
class ShopDevice:
    """A device that has tables and reads from a replica, and its lines to both databases."""

    stack: Status
    chat: Chat
    primary: FaultProxy
    reads: FaultProxy

    async def look(self) -> None:
        """Ask for all tables for no reason but the time."""

        def count() -> int:
            return self.primary.requests["pull_table"] + self.reads.requests["pull_table"]

        before = count()
        self.chat._device.engine.glance()
        await until(lambda: count() >= before + len(TABLES))

    async def look_until_replica_says(self, words: bytes) -> None:
        """Look until an answer of the replica has these words, and the copy took it or not."""
        with self.reads.recording("pull_table") as answers:

            async def is_said() -> bool:
                await self.look()
                return any(words in each.replace(b" ", b"") for each in answers)

            await until(is_said, 60)
        # Whoever asks again has done with the answer before.
        await self.look()


Shopping = Callable[[Account], AbstractAsyncContextManager[ShopDevice]]


@pytest.fixture
def shopping(replicated: Status, tmp_path: Path, reads: FaultProxy) -> Shopping:
    """Opens devices that have tables and read from the replica."""

    @asynccontextmanager
    async def shopping(account: Account) -> AsyncIterator[ShopDevice]:
        async with FaultProxy(replicated.api_url, 1).serving() as primary:
            stack = replace(replicated, api_url=primary.url)
            store = tmp_path / f"{account.name}.db"
            async with chatting(stack, account, store, read_url=reads.url, tables=TABLES) as chat:
                await until(lambda: chat._device.live.is_live)
                yield ShopDevice(stack, chat, primary, reads)

    return shopping


@pytest.mark.usefixtures("patient")
async def test_a_replica_answers_the_pages_of_a_first_fetch(
    shopping: Shopping, cat: Account, shop: Shop, reads: FaultProxy
) -> None:
    shop.pay(shop.tenant(cat.user_id), 6000)
    with reads.recording("pull_table") as answers:
        async with shopping(cat) as device:
            assert copied(device.chat.table(PAYMENTS)) == shop.view(cat.user_id, PAYMENTS)
            assert sum(each.count(b'"tag"') for each in answers) >= 4000
            # It begins with nothing, and is not the last to answer.
            steps = [step for each in answers for step in json.loads(each)["owners"]]
            assert not any(each["reset"] for each in steps)
            assert device.primary.requests["pull_table"] >= 2 * len(TABLES)


@pytest.mark.usefixtures("impatient")
async def test_an_announced_change_is_there_while_the_replica_lags(
    shopping: Shopping,
    cat: Account,
    shop: Shop,
    standby: psycopg.Connection[Any],
) -> None:
    tenant = shop.tenant(cat.user_id)
    async with shopping(cat) as device:
        chat = device.chat
        await until(lambda: f"tenant:{tenant}:dashboard" in chat.topics)
        catch_up(device.stack, standby)
        # The control: the replica answers what is asked because of the time.
        await device.look_until_replica_says(b'"more":false')
        # (What the last look asked for is over after this.)
        await chat.sync()
        with lagging(standby):
            asked = device.reads.requests["pull_table"]
            (payment,) = shop.pay(tenant)
            await until(lambda: payment in ids(chat))
            assert device.reads.requests["pull_table"] == asked
            # The copy is ahead of the replica now, and does not go back.
            await device.look_until_replica_says(b"replica_behind")
            assert payment in ids(chat)
        assert copied(chat.table(PAYMENTS)) == shop.view(cat.user_id, PAYMENTS)


@pytest.mark.usefixtures("impatient")
async def test_what_is_hidden_by_now_does_not_come_back_from_a_replica_that_lags(
    shopping: Shopping,
    cat: Account,
    shop: Shop,
    standby: psycopg.Connection[Any],
) -> None:
    left, kept = shop.tenant(cat.user_id), shop.tenant(cat.user_id)
    (gone,), (payment,) = shop.pay(left), shop.pay(kept)
    (hidden,) = shop.pay(kept, status="void")
    async with shopping(cat) as device:
        chat = device.chat
        assert {gone, hidden, payment} <= set(ids(chat))
        await until(lambda: f"tenant:{kept}:dashboard" in chat.topics)
        catch_up(device.stack, standby)
        with lagging(standby):
            shop.leave(left, cat.user_id)
            shop.run(
                "create policy nobody_reads_void_ones on shop.payments as restrictive"
                " for select to authenticated using (status <> 'void')"
            )
            await chat.sync()
            await until(lambda: not {gone, hidden} & set(ids(chat)))
            # The control: the replica shows them.
            assert payments_in(standby, cat) >= {gone, hidden, payment}
            changes = chat.table(PAYMENTS).changes()
            await device.look_until_replica_says(b'"more":true')
            (later,) = shop.pay(kept)
            told: set[int] = set()
            while later not in told:
                told |= set((await asyncio.wait_for(anext(changes), 15)).changed)
            assert not {gone, hidden} & told
        assert copied(chat.table(PAYMENTS)) == shop.view(cat.user_id, PAYMENTS)


def payments_in(connection: psycopg.Connection[Any], account: Account) -> set[int]:
    """The payments that somebody sees in a database."""
    with connection.transaction():
        act_as(connection, account.user_id)
        return {row[0] for row in connection.execute("select id from shop.payments")}


# Promotion. It comes last, because the replica is one no more afterwards.


@pytest.mark.usefixtures("impatient")
async def test_a_replica_that_was_promoted_is_another_history_at_once(
    replicated: Status,
    ann: Account,
    tmp_path: Path,
    reads: FaultProxy,
    standby: psycopg.Connection[Any],
) -> None:
    timeline = "select chat_private.timeline()"
    async with at(replicated, ann, tmp_path / "ann.db", reads.url) as anns:
        room = await anns.create_room("walk")
        with psycopg.connect(replicated.admin_db_url) as primary:
            before = primary.execute(timeline).fetchone()
        assert standby.execute(timeline).fetchone() == before
        standby.execute("select pg_promote()")
        assert standby.execute(timeline).fetchone() != before
        # A checkpoint tells nothing new.
        after = standby.execute(timeline).fetchone()
        standby.execute("checkpoint")
        assert standby.execute(timeline).fetchone() == after
        await anns.api.send_message(room.id, "of the first history", uuid4())
        await anns.sync()
        assert bodies(anns, room.id) == ["of the first history"]
        assert await anns.verify() == []
