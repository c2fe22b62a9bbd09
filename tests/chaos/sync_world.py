"""A stack, its people with devices behind bad lines, and everything that can happen to them."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psycopg

from parley.stack import Stack
from parley.stack.postgres import Postgres
from parley.stack.state import State
from tests.chaos.deck import Deck
from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.sync_attacker import Attacker
from tests.chaos.sync_checker import Findings, compare_copy, is_at_heads
from tests.chaos.sync_device import live
from tests.chaos.sync_numbers import (
    begin_noting,
    check_numbers,
    check_sends,
    check_twice,
    count_deadlocks,
    given_out,
    known_sends,
)
from tests.chaos.sync_tables import TableWriter, make_tables
from tests.chaos.sync_writers import Club, Writer, Written
from tests.e2e.sync_people import PASSWORD, Account, sign_up
from tests.forks import FORKS
from tests.until import until

QUIET_S = 120.0
DAY_S = 86_400.0
SKEWS_S = (0.0, -DAY_S, DAY_S, 3600.0, -3600.0)
FATES = {
    "kill device": 6,
    "set clock": 2,
    "cut sockets": 4,
    "cut line": 3,
    "mute line": 2,
    "bad line": 6,
    "gateway": 1,
    "lite": 1,
    "postgres": 1,
}
PROFILES = ("plain", "lossy")
TABLE_ROWS = 400
LAST_LINES = 20


@dataclass
class Device:
    """One person's device: a process that comes and goes, a file that stays."""

    account: Account
    proxy: FaultProxy
    store: Path
    journal: Path
    log: Path
    options: dict[str, Any]
    process: BaseProcess | None = None
    commands: Connection | None = None

    async def start(self) -> None:
        """Start the process."""
        pipe, self.commands = FORKS.Pipe(duplex=False)
        self.process = FORKS.Process(target=live, args=(self.options, str(self.log), pipe))
        await asyncio.to_thread(self.process.start)
        pipe.close()

    def tell(self, word: str) -> None:
        """Let it work or rest."""
        if self.commands is not None:
            with suppress(BrokenPipeError):
                os.write(self.commands.fileno(), f"{word}\n".encode())

    async def kill(self) -> None:
        """Kill -9."""
        if self.process is not None and self.commands is not None:
            self.process.kill()
            await asyncio.to_thread(self.process.join)
            self.commands.close()
            self.process = self.commands = None

    async def begin_anew(self, naive: str) -> None:
        """A new copy, kept by a client that makes this mistake (none: ours)."""
        await self.kill()
        for path in (self.store, self.journal):
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        self.options["naive"] = naive
        await self.start()

    def noted(self, what: str) -> set[str]:
        """The client_ids in the journal with this word."""
        if not self.journal.exists():
            return set()
        lines = [line.split() for line in self.journal.read_text().splitlines()]
        return {line[1] for line in lines if len(line) == 3 and line[0] == what}


@dataclass
class Verdict:
    """What was found at the quiet points."""

    missed: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    quiet_points: int = 0
    longest_s: float = 0.0
    """How long it took until everything agreed, servers that had been killed included."""
    catch_up_s: float = 0.0
    """How long it took a copy that was away during an attack, with nothing else wrong."""

    def __bool__(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.missed or self.duplicated or self.surplus or self.lost or self.wrong)


class World:
    """Everything of one run. ``rng`` decides what happens, and its seed is printed."""

    def __init__(self, stack: Stack, seed: int, folder: Path) -> None:
        self.stack = stack
        self.rng = random.Random(seed)
        self.folder = folder
        self.devices: list[Device] = []
        self.rooms: list[str] = []
        self.bots: list[str] = []
        self.club: Club | None = None
        self.bystander: Account | None = None
        """Somebody in rooms who says nothing, and whose name changes slowly."""
        self.tenants: list[str] = []
        """Those whose payments there are: everybody's, the club, and one that nobody is in."""
        self.table_writers: list[TableWriter] = []
        self.written = Written()
        self.verdict = Verdict()
        self.faults: Counter[str] = Counter()
        self.forgiven: set[str] = set()
        self.profile = PROFILES[0]
        self._fates = Deck(FATES, self.rng)
        self._writing = asyncio.Event()
        self._resting = asyncio.Event()
        self._copied: set[str] | None = None
        self._undone = (0, 0)

    @property
    def db_url(self) -> str:
        """The database, as the developer's role."""
        return self.stack.status.db_url

    async def settle(self, exits: AsyncExitStack, naive: str, names: tuple[str, ...]) -> None:
        """Sign people up and give each a device."""
        accounts = await asyncio.gather(*(sign_up(self.stack.status, name) for name in names))
        self.bystander = await sign_up(self.stack.status, "Zoe")
        for number, account in enumerate(accounts):
            proxy = FaultProxy(self.stack.status.api_url, self.rng.randrange(10**9))
            await exits.enter_async_context(proxy.serving())
            store, journal, log = (
                self.folder / f"{account.name}.{each}" for each in ("db", "journal", "log")
            )
            options = {
                "url": proxy.url,
                "key": self.stack.status.publishable_key,
                "email": account.email,
                "password": PASSWORD,
                "store": str(store),
                "journal": str(journal),
                "name": account.name,
                "seed": self.rng.randrange(10**9),
                "every_s": 0.2,
                "skew_s": SKEWS_S[number % len(SKEWS_S)],
                "naive": naive,
                "public": [],
            }
            device = Device(account, proxy, store, journal, log, options)
            exits.push_async_callback(device.kill)
            self.devices.append(device)

    async def make_rooms(self, fanout_limit: int, sends_per_second: int) -> None:
        """Small, large, public, since_join and direct rooms, owned by the first person.

        The last person is in none of them.
        """
        ids = [each.account.user_id for each in self.devices]
        assert self.bystander is not None
        zoe = self.bystander.user_id
        with psycopg.connect(self.db_url) as connection:
            bot = connection.execute("select user_id from chat.create_bot('Robot')").fetchone()
            assert bot is not None
            self.bots = [str(bot[0])]
        begin_noting(self.stack.status.admin_db_url)
        with psycopg.connect(self.db_url) as connection:
            connection.execute(
                "update chat_private.settings"
                " set fanout_limit = %s, sends_per_second = %s, send_burst = 20 * %s",
                [fanout_limit, sends_per_second, sends_per_second],
            )
        with psycopg.connect(self.db_url) as connection:
            connection.execute(
                "select set_config('request.jwt.claims', %s, true),"
                " set_config('role', 'authenticated', true)",
                [json.dumps({"sub": ids[0], "role": "authenticated"})],
            )
            plans = [
                ("small", [*ids[1:3], zoe, *self.bots], False, "all"),
                ("young", ids[1:3], False, "since_join"),
                ("public", ids[1:2], True, "all"),
                ("large", [*ids[1:-1], zoe, *self.bots], False, "all"),
                ("crowd", ids[1:-1], True, "since_join"),
            ]
            for name, people, is_public, history in plans:
                row = connection.execute(
                    "select id from chat.create_room(%s, member_ids => %s::uuid[],"
                    " is_public => %s, history => %s)",
                    [name, people, is_public, history],
                ).fetchone()
                assert row is not None
                self.rooms.append(str(row[0]))
                if is_public:
                    for device in self.devices:
                        device.options["public"].append(str(row[0]))
            row = connection.execute(
                "select t.tenant_id, i.token from chat.create_tenant('Club') as t,"
                " chat.create_tenant_invite(t.tenant_id, max_uses => 1000, expires_in => '1 year')"
                " as i"
            ).fetchone()
            assert row is not None
            self.club = Club(str(row[0]), row[1])
            row = connection.execute("select id from chat.open_direct(%s)", [ids[1]]).fetchone()
            assert row is not None
            self.rooms.append(str(row[0]))
            home = connection.execute(
                "select tenant_id::text from chat.tenant_members where user_id = %s"
                " order by tenant_id = %s limit 1",
                [ids[0], self.club.tenant_id],
            ).fetchone()
            assert home is not None
        tenants = [home[0], self.club.tenant_id]
        self.tenants = [*tenants, make_tables(self.db_url, ids, tenants, TABLE_ROWS)]

    @asynccontextmanager
    async def writing(self, writers: int, every_s: float) -> AsyncIterator[None]:
        """Let people write over SQL in the background."""
        people = [each.account.user_id for each in self.devices] + self.bots
        assert self.club is not None and self.bystander is not None
        tasks = [
            asyncio.create_task(
                Writer(
                    self.db_url,
                    people,
                    self.bots,
                    self.rooms,
                    self.club,
                    self.written,
                    random.Random(self.rng.randrange(10**9)),
                    every_s,
                    self._writing,
                ).run()
            )
            for _ in range(writers)
        ]
        self.table_writers = [
            TableWriter(
                self.db_url,
                [each.account.user_id for each in self.devices],
                self.tenants,
                TABLE_ROWS,
                random.Random(self.rng.randrange(10**9)),
                every_s * 2,
                self._writing,
                self._resting,
            )
            for _ in range(2)
        ]
        on_tables = [asyncio.create_task(each.run()) for each in self.table_writers]
        tasks.append(asyncio.create_task(self._hold_a_name_open(self.bystander.user_id)))
        try:
            yield
            for task in on_tables:
                if task.done():
                    task.result()
        finally:
            for task in (*tasks, *on_tables):
                task.cancel()
            await asyncio.gather(*tasks, *on_tables, return_exceptions=True)

    async def _hold_a_name_open(self, user_id: str) -> None:
        """Change a name in a transaction that stays open for up to a minute, again and again."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self.db_url, connect_timeout=2
                ) as connection:
                    await self._writing.wait()
                    await connection.execute(
                        "update chat.profiles set display_name = %s where user_id = %s",
                        [f"Zoe {self.rng.randrange(10**9)}", user_id],
                    )
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._resting.wait(), self.rng.uniform(1, 60))
                    await connection.commit()
            except psycopg.OperationalError:
                pass
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def attacking(self, name: str, every_s: float) -> AsyncIterator[Attacker]:
        """Let the person of this name do their worst in the rooms they are in."""
        people = {each.account.name: each.account.user_id for each in self.devices}
        me = people.pop(name)
        with psycopg.connect(self.db_url) as connection:
            rows = connection.execute(
                "select room_id from chat.room_members where user_id = %s and left_at is null",
                [me],
            ).fetchall()
        attacker = Attacker(
            self.db_url,
            me,
            list(people.values()),
            [str(row[0]) for row in rows],
            random.Random(self.rng.randrange(10**9)),
        )
        task = asyncio.create_task(attacker.go_on(self._writing, every_s))
        try:
            yield attacker
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def miss_an_attack(self, attacker: Attacker) -> None:
        """Keep one device away during a burst, and note how long it takes to catch up."""
        device = self.rng.choice(
            [each for each in self.devices if each.account.user_id != attacker.me]
        )
        device.proxy.faults.is_cut = True
        await device.proxy.cut_sockets()
        await attacker.burst()
        device.proxy.faults.is_cut = False
        began = ended = time.monotonic()

        async def has_caught_up() -> bool:
            nonlocal ended
            # A look takes a processor from what it measures, so heads are compared first. It shows
            # the copy as it is when the look begins, and comparing it takes a while.
            await asyncio.sleep(0.1)
            ended = time.monotonic()
            return is_at_heads(
                device.store, self.db_url, device.account.user_id
            ) and not await self.look(device)

        try:
            await until(has_caught_up, QUIET_S)
        except TimeoutError:
            self.verdict.missed.append(f"{device.account.name} does not catch up")
        self.verdict.catch_up_s = max(self.verdict.catch_up_s, ended - began)

    async def work(self, seconds: float, hurt_every_s: float | None) -> None:
        """Let everything happen for a while."""
        self._resting.clear()
        self._writing.set()
        for device in self.devices:
            if device.process is None:
                await device.start()
            device.tell("work")
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            if hurt_every_s is None:
                await asyncio.sleep(left)
            else:
                await asyncio.sleep(min(left, self.rng.expovariate(1 / hurt_every_s)))
                await self.hurt()

    async def hurt(self) -> None:
        """One fault."""
        device = self.rng.choice(self.devices)
        faults = device.proxy.faults
        kind = self._fates.draw()
        self.faults[kind] += 1
        if kind == "kill device":
            await device.kill()
            await device.start()
            device.tell("work")
        elif kind == "set clock":
            device.options["skew_s"] = self.rng.choice(SKEWS_S)
            device.tell(f"skew {device.options['skew_s']}")
        elif kind == "cut sockets":
            await device.proxy.cut_sockets()
        elif kind == "cut line":
            faults.is_cut = True
            await device.proxy.cut_sockets()
            await asyncio.sleep(self.rng.uniform(0.2, 1.5))
            faults.is_cut = False
        elif kind == "mute line":
            faults.is_silent = not faults.is_silent
        elif kind == "bad line":
            faults.drop, faults.duplicate, faults.reorder = (
                self.rng.choice((0.0, 0.1, 0.4)) for _ in range(3)
            )
            faults.delay_s = self.rng.choice((0.0, 0.05))
            faults.lose = self.rng.choice((0.0, 0.0, 0.2))
        else:
            # SIGQUIT is Postgres' immediate shutdown; the others get no chance to say goodbye.
            pid = self.stack.status.parts[kind].pid
            assert pid is not None
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT if kind == "postgres" else signal.SIGKILL)

    async def quiet(self, within_s: float = QUIET_S, *, heal: bool = True) -> bool:
        """Stop everything, and compare until all copies agree or the time is up."""
        self._writing.clear()
        self._resting.set()
        for device in self.devices:
            device.tell("rest")
            if heal:
                faults = device.proxy.faults
                faults.drop = faults.duplicate = faults.reorder = 0.0
                faults.delay_s = faults.lose = 0.0
                faults.is_silent = False
        began = time.monotonic()
        found: dict[str, Findings] = {}
        problems: list[str] = []
        while time.monotonic() - began < within_s:
            await asyncio.sleep(0.3)
            # Looking takes processor time from the devices: first at those that lag, then at all.
            behind = [each for each in self.devices if found.get(each.account.name)]
            try:
                for device in behind or self.devices:
                    found[device.account.name] = await self.look(device)
                problems = self.unsettled()
            except (psycopg.OperationalError, sqlite3.OperationalError) as error:
                problems = [f"cannot look: {error}"]
                continue
            if not (behind or any(found.values()) or problems):
                break
        self.verdict.quiet_points += 1
        self.verdict.longest_s = max(self.verdict.longest_s, time.monotonic() - began)
        for each in found.values():
            self.verdict.missed += each.missed
            self.verdict.surplus += each.surplus
            self.verdict.duplicated += each.duplicated
        self.verdict.duplicated += check_twice(self.db_url)
        self.verdict.wrong += problems + check_numbers(self.db_url)
        acknowledged = self.written.acknowledged.union(
            *(each.noted("acknowledged") for each in self.devices)
        )
        self.verdict.lost += check_sends(self.db_url, acknowledged - self.forgiven)
        return not any(found.values())

    async def look(self, device: Device) -> Findings:
        """Compare one copy, without stopping the proxies of the others."""
        if not device.store.exists():
            return Findings(missed=[f"{device.account.name} has no copy yet"])
        return await asyncio.to_thread(
            compare_copy,
            device.store,
            self.db_url,
            device.account.user_id,
            device.account.name,
        )

    def unsettled(self) -> list[str]:
        """What was done on a device and is neither on the server nor reported."""
        problems = []
        for device in self.devices:
            missing = set(check_sends(self.db_url, device.noted("did") - self.forgiven))
            with closing(sqlite3.connect(device.store)) as copy:
                rows = copy.execute("select client_id, state from outbox").fetchall()
            reported = {row[0] for row in rows if row[1] in ("failed", "discarded")}
            waiting = [row[0] for row in rows if row[1] in ("pending", "sent")]
            problems += [f"{device.account.name} lost {each}" for each in missing - reported]
            problems += [f"{device.account.name} still waits for {each}" for each in waiting]
        return problems

    async def copy_database(self) -> None:
        """Stop, and put a copy of the database aside; go on with the other Realtime profile."""
        await self._offline(lambda data, aside: shutil.rmtree(aside, ignore_errors=True))
        self._copied = known_sends(self.db_url) | self.everything_sent()

    async def restore_database(self) -> None:
        """Stop, put the copy in the database's place, and begin a new timeline."""
        assert self._copied is not None
        before = self.given_out()

        def put_back(data: Path, aside: Path) -> None:
            shutil.rmtree(data)

        # A device may learn from a broadcast of a send over SQL and note it only later.
        sent = known_sends(self.db_url)
        await self._offline(put_back, restore=True)
        sent |= self.everything_sent()
        with psycopg.connect(self.stack.status.admin_db_url) as connection:
            connection.execute("select chat_private.start_timeline()")
        # What was sent after the copy was made is gone, as it is with every restore.
        self.forgiven |= sent - self._copied
        self.written.forget()
        self._undone = tuple(  # type: ignore[assignment]
            undone + was - now
            for undone, was, now in zip(self._undone, before, self.given_out(), strict=True)
        )
        for device in self.devices:
            device.proxy.faults.is_cut = False
        self.faults["restore"] += 1

    def everything_sent(self) -> set[str]:
        """Every client_id so far."""
        return self.written.acknowledged.union(
            *(each.noted("did") | each.noted("acknowledged") for each in self.devices)
        )

    async def _offline(self, prepare: Any, *, restore: bool = False) -> None:
        for device in self.devices:
            device.proxy.faults.is_cut = True
            await device.proxy.cut_sockets()
        await self.stack.down()
        state = State.load(self.stack.home)
        assert state is not None
        data = Postgres(state).data
        aside = data.with_name("aside")
        prepare(data, aside)
        words = (aside, data) if restore else (data, aside)
        copying = await asyncio.create_subprocess_exec("cp", "-a", *map(str, words))
        assert await copying.wait() == 0
        # The front door keeps its port, and is of the other kind from now on.
        self.profile = PROFILES[1 - PROFILES.index(self.profile)]
        self.faults[f"{self.profile} Realtime"] += 1
        self.stack = Stack(self.stack.home, port=0, db_port=0, realtime=self.profile)
        await self.stack.up()
        for device in self.devices:
            device.proxy.upstream = self.stack.status.api_url
            device.proxy.faults.is_cut = restore

    async def stop(self) -> None:
        """Stop the servers."""
        await self.stack.down()

    def last_words(self) -> str:
        """What the devices and the front door logged last."""
        logs = [device.log for device in self.devices]
        logs.append(Path(self.stack.status.parts["gateway"].log))
        return "".join(
            f"--- {log.name}\n" + "".join(log.open(errors="replace").readlines()[-LAST_LINES:])
            for log in logs
        )

    def given_out(self) -> tuple[int, int]:
        """How many numbers have been given out and epochs begun, restores included."""
        numbers, epochs = given_out(self.db_url)
        return numbers + self._undone[0], epochs + self._undone[1]

    @property
    def deadlocks(self) -> int:
        """How often anybody ran into one, devices included."""
        return count_deadlocks(Path(self.stack.status.parts["postgres"].log))
